"""A small editor on top of the raw client: documents with a cursor, keys, suggestions applied as editors apply them.

Positions are counted with Python's codecs, not with the server's code.
"""

from __future__ import annotations

import os
import re
import sqlite3
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.e2e.raw_client import PATIENCE_S, RawClient

ROOT = Path(__file__).resolve().parents[2]
CURSOR = "¦"
"""Marks the cursor in the texts of tests."""

EASY = "import os\n\n\ndef both(folder, first):\n    return os.pa¦\n"
"""A place where any trained model has something to say: in the middle of a word."""

INLINE = {"textDocument": {"inlineCompletion": {}}}
MODEL = os.environ.get("SOTTO_TEST_MODEL", "")
"""Another checkpoint for the whole suite; empty: the one that comes with Sotto."""

CODEC = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}

Json = dict[str, Any]


class Editor:
    """One editor with one server. ``folder`` holds the server's data and its log."""

    def __init__(self, folder: Path, *, environment: Mapping[str, str] | None = None, arguments: Sequence[str] = ()) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.encoding = "utf-16"
        self.settings: Json = {}
        command = [sys.executable, "-m", "lsp_server", "serve", "--data-dir", str(self.data), *arguments]
        clean = {k: v for k, v in os.environ.items() if k not in ("DO_NOT_TRACK", "SOTTO_DATA_DIR")}
        runtime = folder / "run"
        runtime.mkdir(mode=0o700, parents=True, exist_ok=True)
        env = {**clean, "PYTHONPATH": str(ROOT), "XDG_RUNTIME_DIR": str(runtime), **(environment or {})}
        self.client = RawClient(command, env=env, cwd=folder, errors=folder / "stderr.txt")
        self._names = 0

    def start(
        self,
        *,
        capabilities: Json | None = None,
        options: Json | None = None,
        folders: Sequence[Path] = (),
        wait: bool = True,
        confirm: bool = True,
        **more: Any,
    ) -> Json:
        """Initialize, and wait for the model unless told otherwise. Returns the server's capabilities.

        ``options`` are settings over those of all tests, each of which has an engine of its own; ``more`` are parameters of
        `initialize`, or replace some. Without ``confirm`` the client never says `initialized`.
        """
        usual = {"model": MODEL, "minConfidence": 0, "stopBelow": 0, "sharedEngine": False, "lookAhead": False}
        self.settings = {**usual, **(options or {})}
        result: Json = self.client.call(
            "initialize",
            {
                "processId": os.getpid(),
                "capabilities": INLINE if capabilities is None else capabilities,
                "workspaceFolders": [{"uri": path.as_uri(), "name": path.name} for path in folders],
                "initializationOptions": {"sotto": self.settings},
                **more,
            },
        )
        self.encoding = result["capabilities"]["positionEncoding"]
        if confirm:
            self.client.notify("initialized", {})
        if wait:
            self.ready()
        answer: Json = result["capabilities"]
        return answer

    def ready(self) -> Json:
        """Wait until the engine is."""
        return self.wait_status(lambda status: status["state"] == "ready")

    def status(self) -> Json:
        answer: Json = self.client.call("sotto/status", {})
        return answer

    def wait_status(self, wanted: Callable[[Json], bool]) -> Json:
        """Ask for the status until it is as wanted."""
        deadline = time.monotonic() + PATIENCE_S
        while not wanted(status := self.status()):
            assert time.monotonic() < deadline, f"the status stayed {status}"
            time.sleep(0.02)
        return status

    def settle(self) -> int:
        """Wait until the engine does nothing; returns its step count."""
        last, same = self.status()["steps"], 0
        while same < 5:
            time.sleep(0.03)
            steps = self.status()["steps"]
            same = same + 1 if steps == last else 0
            last = steps
        return int(last)

    def messages(self) -> list[str]:
        """What the server has put into the user's face."""
        return [params["message"] for params in self.client.notified("window/showMessage")]

    def open(self, marked: str, uri: str | None = None, language: str = "python") -> Document:
        """Open a document whose text marks the cursor with `CURSOR`."""
        self._names += 1
        document = Document(self, uri or (self.folder / f"file{self._names}.py").as_uri(), marked, language)
        item = {"uri": document.uri, "languageId": language, "version": 1, "text": document.text}
        self.client.notify("textDocument/didOpen", {"textDocument": item})
        return document

    def rows(self, sql: str) -> list[Any]:
        """Read the store; call after `close`."""
        with sqlite3.connect(f"{(self.data / 'telemetry.db').as_uri()}?mode=ro", uri=True) as connection:
            return connection.execute(sql).fetchall()

    def close(self) -> int:
        return self.client.end()


class Document:
    """An open document. ``text`` and ``offset`` are the editor's truth."""

    def __init__(self, editor: Editor, uri: str, marked: str, language: str) -> None:
        self.editor, self.uri, self.language = editor, uri, language
        self.offset = marked.index(CURSOR) if CURSOR in marked else len(marked)
        self.text = marked.replace(CURSOR, "", 1)
        self.version = 1

    def place(self, offset: int) -> Json:
        codec, width = CODEC[self.editor.encoding]
        lines = re.split(r"\r\n|\n|\r", self.text[:offset])
        return {"line": len(lines) - 1, "character": len(lines[-1].encode(codec)) // width}

    def offset_of(self, place: Json) -> int:
        codec, width = CODEC[self.editor.encoding]
        starts = [0, *(match.end() for match in re.finditer(r"\r\n|\n|\r", self.text))]
        start = starts[place["line"]]
        units = self.text[start:].encode(codec)[: place["character"] * width]
        return start + len(units.decode(codec))

    def change(self, start: int, end: int, new: str) -> None:
        """Replace a piece of the text, the cursor after it."""
        change = {"range": {"start": self.place(start), "end": self.place(end)}, "text": new}
        self.text = self.text[:start] + new + self.text[end:]
        self.offset = start + len(new)
        self.version += 1
        document = {"uri": self.uri, "version": self.version}
        self.editor.client.notify("textDocument/didChange", {"textDocument": document, "contentChanges": [change]})

    def type(self, keys: str) -> None:
        """Press keys, one change each."""
        for key in keys:
            self.change(self.offset, self.offset, key)

    def params(self, kind: int | None = 1, **more: Any) -> Json:
        """Parameters of a request at the cursor; ``kind`` None leaves the context out."""
        context = {} if kind is None else {"context": {"triggerKind": kind}}
        return {"textDocument": {"uri": self.uri}, "position": self.place(self.offset), **context, **more}

    def ask(self, kind: int | None = 1, **more: Any) -> int:
        """Ask for a suggestion; returns the request's id."""
        return self.editor.client.send("textDocument/inlineCompletion", self.params(kind, **more))

    def answer(self, id: int) -> Json | None:
        """The item that answers a request, if there is one; its range must lie on the cursor's line."""
        result = self.editor.client.wait(id)
        if not result or not result["items"]:
            return None
        (item,) = result["items"]
        assert item["range"]["start"]["line"] == item["range"]["end"]["line"] == self.place(self.offset)["line"]
        assert isinstance(item["insertText"], str)
        answer: Json = item
        return answer

    def complete(self, kind: int | None = 1, **more: Any) -> Json | None:
        return self.answer(self.ask(kind, **more))

    def insert(self, item: Json, *, report: bool = False) -> None:
        """Accept an item as an editor does: the edit, then, if it knows commands, the command."""
        start, end = (self.offset_of(item["range"][side]) for side in ("start", "end"))
        self.change(start, end, item["insertText"])
        if report:
            command = item["command"]
            self.editor.client.call(
                "workspace/executeCommand", {"command": command["command"], "arguments": command["arguments"]}
            )

    def ghost(self, item: Json) -> str:
        """What the user sees as new at the cursor."""
        start, end = (self.offset_of(item["range"][side]) for side in ("start", "end"))
        text: str = item["insertText"]
        assert text.startswith(self.text[start : self.offset])
        return text[self.offset - start : len(text) - (end - self.offset)]

    def close(self) -> None:
        self.editor.client.notify("textDocument/didClose", {"textDocument": {"uri": self.uri}})
