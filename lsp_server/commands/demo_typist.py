"""A person at a keyboard, for the demo: opens a file in a real server process and retypes some of its lines.

Speaks LSP over stdio as an editor does. Knows nothing of the terminal: every event goes to the ``watch`` callback.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lsprotocol import types as lsp
from pygls.lsp.client import LanguageClient

from lsp_server import __version__, protocol
from lsp_server.commands.local import CommandError, language_of
from lsp_server.spawn import python_command

KEY_S = 0.07
"""Seconds between keys inside a word; a fluent typist's 14 keys a second is a hard case for a server."""
PAUSE_S = 0.45
"""A breath after a word, in which ghost text can be read."""
READY_S = 60.0


@dataclass
class Line:
    """One retyped line: what was typed by hand, what was suggested, what the file really says."""

    number: int
    expected: str
    pieces: list[tuple[str, bool]] = field(default_factory=list)
    """The line's code in order, each piece with whether Sotto completed it."""
    suggestions: list[str] = field(default_factory=list)
    latencies_ms: list[float] = field(default_factory=list)

    @property
    def rest(self) -> str:
        """What is still to be written."""
        return self.expected[sum(len(text) for text, _ in self.pieces) :]

    @property
    def typed(self) -> str:
        return "".join(text for text, by_sotto in self.pieces if not by_sotto)

    @property
    def accepted(self) -> str:
        return "".join(text for text, by_sotto in self.pieces if by_sotto)


@dataclass
class Buffer:
    """The document as the editor holds it; ``offset`` is the cursor."""

    text: str
    offset: int = 0
    version: int = 1

    def position(self, offset: int) -> lsp.Position:
        """LSP position in utf-16 units, the protocol's default."""
        start = self.text.rfind("\n", 0, offset) + 1
        line = self.text.count("\n", 0, offset)
        return lsp.Position(line, len(self.text[start:offset].encode("utf-16-le")) // 2)

    def replace(self, start: int, end: int, text: str) -> lsp.TextDocumentContentChangePartial:
        change = lsp.TextDocumentContentChangePartial(range=lsp.Range(self.position(start), self.position(end)), text=text)
        self.text = self.text[:start] + text + self.text[end:]
        self.offset = start + len(text)
        self.version += 1
        return change


Watch = Callable[[str, Buffer, str], None]
"""(what happened, the buffer, the ghost text on show)."""


def choose_lines(text: str, wanted: int) -> list[int]:
    """0-based numbers of ``wanted`` code lines, evenly spread: no imports, comments or strings, long enough to be worth it."""
    skip = ("#", "//", "import ", "from ", '"""', "'''", "*", "@", "use ", "package ", "include ")
    candidates = []
    inside = False
    for number, line in enumerate(text.split("\n")):
        code = line.strip()
        quotes = code.count('"""') + code.count("'''")
        if not inside and not quotes and 12 <= len(code) <= 72 and not code.startswith(skip):
            candidates.append(number)
        if quotes % 2:
            inside = not inside
    later = [n for n in candidates if n >= 8] or candidates
    if len(later) <= wanted:
        return later
    return [later[int((i + 0.5) * len(later) / wanted)] for i in range(wanted)]


class Typist:
    """One editing session. Use ``open``, then ``type_line`` for each line, then ``close``."""

    def __init__(self, path: Path, text: str, data_dir: Path, watch: Watch, model: str = "", threads: int = 0) -> None:
        self.buffer = Buffer(text)
        self._path = path
        self._data_dir = data_dir
        self._watch = watch
        self._settings: dict[str, Any] = {
            "languages": {"*": True},
            "threads": threads,
            "model": model,
            "sharedEngine": False,  # what it starts ends with it
        }
        self._client = LanguageClient("sotto-demo", __version__)
        self._document = lsp.TextDocumentIdentifier(path.resolve().as_uri())
        self._messages: list[str] = []

    async def open(self) -> dict[str, float]:
        """Start the server, open the file, wait for the engine. Returns milliseconds to each. Raises `CommandError`."""
        started = time.perf_counter()
        self._listen()
        await self._client.start_io(*python_command("lsp_server", "serve", "--data-dir", str(self._data_dir)))
        asked = time.perf_counter()
        await self._client.initialize_async(self._hello())
        answered = time.perf_counter()
        self._client.initialized(lsp.InitializedParams())
        item = lsp.TextDocumentItem(self._document.uri, language_of(self._path), self.buffer.version, self.buffer.text)
        self._client.text_document_did_open(lsp.DidOpenTextDocumentParams(item))
        await self._engine_ready(started + READY_S)
        ready = time.perf_counter()
        return {
            "initialize_ms": (answered - asked) * 1000,
            "server_ms": (answered - started) * 1000,
            "engine_ms": (ready - started) * 1000,
        }

    @property
    def server_pid(self) -> int | None:
        process = self._client._server
        return process.pid if process is not None else None

    def _listen(self) -> None:
        def keep(params: lsp.ShowMessageParams) -> None:
            self._messages.append(params.message)

        def ignore(params: object) -> None:
            """Logs and the status item are an editor's business."""

        self._client.feature(lsp.WINDOW_SHOW_MESSAGE)(keep)
        self._client.feature(lsp.WINDOW_LOG_MESSAGE)(ignore)
        self._client.feature(protocol.DID_CHANGE_STATUS)(ignore)

    def _hello(self) -> lsp.InitializeParams:
        folder = self._path.resolve().parent
        return lsp.InitializeParams(
            capabilities=lsp.ClientCapabilities(
                text_document=lsp.TextDocumentClientCapabilities(inline_completion=lsp.InlineCompletionClientCapabilities())
            ),
            client_info=lsp.ClientInfo("sotto-demo", __version__),
            workspace_folders=[lsp.WorkspaceFolder(folder.as_uri(), folder.name)],
            initialization_options={"sotto": self._settings},
        )

    async def _engine_ready(self, deadline: float) -> None:
        while True:
            status = await self.status()
            if status.get("state") == "ready":
                return
            if status.get("state") == "failed" or time.perf_counter() > deadline:
                raise CommandError(self._messages[-1] if self._messages else "the engine did not start; try `sotto doctor`")
            await asyncio.sleep(0.05)

    async def status(self) -> dict[str, Any]:
        """The server's own account of itself (`lsp_server.protocol.STATUS`)."""
        answer = await self._client.protocol.send_request_async(protocol.STATUS, {})
        return answer if isinstance(answer, dict) else dict(answer._asdict())

    def _clear(self, number: int) -> str:
        """Delete the code of a line, leave the cursor there, and return what it was."""
        rows = self.buffer.text.split("\n")
        code = rows[number].strip()
        begin = sum(len(row) + 1 for row in rows[:number]) + rows[number].index(code)
        self._change(begin, begin + len(code), "")
        return code

    async def time_line(self, number: int, keys: int) -> list[float]:
        """Retype a line and ask by hand after each of its first ``keys`` keys; milliseconds of each answer."""
        code = self._clear(number)
        times = []
        for key in code[:keys]:
            self._change(self.buffer.offset, self.buffer.offset, key)
            asked = time.perf_counter()
            await self._ask(lsp.InlineCompletionTriggerKind.Invoked)
            times.append((time.perf_counter() - asked) * 1000)
        self._change(self.buffer.offset, self.buffer.offset, code[keys:])
        return times

    async def time_edit(self, start: int, end: int, text: str) -> tuple[float, bool]:
        """Replace a stretch at once and ask for the next edit; milliseconds of the answer, and whether there is one."""
        self._change(start, end, text)
        here = self.buffer.position(self.buffer.offset)
        asked = time.perf_counter()
        answer = await self._client.protocol.send_request_async(
            protocol.INLINE_EDIT,
            {
                "textDocument": {"uri": self._document.uri, "version": self.buffer.version},
                "position": {"line": here.line, "character": here.character},
                "context": {"triggerKind": 2},
            },
        )
        took = (time.perf_counter() - asked) * 1000
        return took, bool(answer["edits"] if isinstance(answer, dict) else answer.edits)

    async def type_line(self, number: int) -> Line:
        """Delete the code of a line and type it again, taking a suggestion as soon as it is right."""
        code = self._clear(number)
        line = Line(number + 1, code)
        while line.rest:
            await self._press(line, line.rest[0])
            if line.rest and self._pauses(line):
                await self._look(line, line.rest)
        self._watch("line", self.buffer, "")
        return line

    @staticmethod
    def _pauses(line: Line) -> bool:
        """A breath after a word, once there is something to go by; none in a run of punctuation."""
        last, coming = line.pieces[-1][0][-1], line.rest[0]
        return len(line.expected) - len(line.rest) >= 3 and not last.isalnum() and (coming.isalnum() or coming in "\"'")

    async def _press(self, line: Line, key: str) -> None:
        self._change(self.buffer.offset, self.buffer.offset, key)
        line.pieces.append((key, False))
        self._watch("key", self.buffer, "")
        await asyncio.sleep(KEY_S)

    async def _look(self, line: Line, rest: str) -> None:
        """Ask as an editor does when the fingers rest; Tab when the ghost text is what we meant."""
        asked = time.perf_counter()
        item = await self._ask()
        if item is None:
            return
        line.latencies_ms.append((time.perf_counter() - asked) * 1000)
        assert item.range is not None
        text = item.insert_text if isinstance(item.insert_text, str) else item.insert_text.value
        here = self.buffer.position(self.buffer.offset)
        known = here.character - item.range.start.character
        replaced = item.range.end.character - here.character
        ghost = text[known : len(text) - replaced] if replaced else text[known:]
        line.suggestions.append(ghost)
        self._watch("ghost", self.buffer, ghost)
        await asyncio.sleep(PAUSE_S)
        if ghost and rest.startswith(ghost):
            self._change(self.buffer.offset, self.buffer.offset, ghost)
            line.pieces.append((ghost, True))
            await self._accepted(item)
            self._watch("accept", self.buffer, "")

    async def _ask(
        self, trigger: lsp.InlineCompletionTriggerKind = lsp.InlineCompletionTriggerKind.Automatic
    ) -> lsp.InlineCompletionItem | None:
        context = lsp.InlineCompletionContext(trigger)
        here = self.buffer.position(self.buffer.offset)
        answer = await self._client.text_document_inline_completion_async(
            lsp.InlineCompletionParams(context=context, text_document=self._document, position=here)
        )
        items = answer.items if isinstance(answer, lsp.InlineCompletionList) else answer
        return items[0] if items else None

    async def _accepted(self, item: lsp.InlineCompletionItem) -> None:
        if item.command is not None:
            await self._client.workspace_execute_command_async(
                lsp.ExecuteCommandParams(command=item.command.command, arguments=item.command.arguments)
            )

    def _change(self, start: int, end: int, text: str) -> None:
        change = self.buffer.replace(start, end, text)
        identifier = lsp.VersionedTextDocumentIdentifier(version=self.buffer.version, uri=self._document.uri)
        self._client.text_document_did_change(lsp.DidChangeTextDocumentParams(identifier, [change]))

    async def close(self) -> None:
        """End the session as an editor does: close, shutdown, exit."""
        self._client.text_document_did_close(lsp.DidCloseTextDocumentParams(self._document))
        await self._client.shutdown_async(None)
        self._client.exit(None)
        await self._client.stop()  # type: ignore[no-untyped-call]
