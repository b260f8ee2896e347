"""Old and odd clients: every request gets an answer, in the right place, and nobody sees an error popup."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.editor import EASY, INLINE, Editor
from tests.e2e.raw_client import RpcError

MakeEditor = Callable[..., Editor]


@pytest.mark.parametrize("kind", [0, 1, 2])
def test_every_trigger_kind_is_answered(editor: Editor, kind: int) -> None:
    assert editor.open(EASY).complete(kind) is not None


def test_kind_one_of_a_legacy_client_is_automatic(make_editor: MakeEditor) -> None:
    """Shown by the gate, which only an automatic request meets: nothing can be surer than certain."""
    editor = make_editor()
    editor.start(options={"minConfidence": 1.0})
    assert editor.open(EASY).complete(1) is not None
    assert editor.open(EASY).complete(2) is None
    assert editor.open(EASY).complete(0) is not None
    assert editor.open(EASY).complete(1) is None
    assert editor.messages() == []


def test_a_range_as_an_array(editor: Editor) -> None:
    document = editor.open(EASY)
    start, end = document.place(document.offset - 2), document.place(document.offset)
    answers = []
    for span in ({"start": start, "end": end}, [start, end]):
        context = {"triggerKind": 1, "selectedCompletionInfo": {"range": span, "text": "pat"}}
        answers.append(document.complete(None, context=context))
    as_object, as_array = answers
    assert as_object is not None
    assert as_array is not None
    assert as_array["insertText"].startswith("pat")
    assert as_array["range"] == as_object["range"] == {"start": start, "end": end}
    assert as_array["insertText"] == as_object["insertText"]


@pytest.mark.parametrize(
    "extra", [{}, {"context": None}, {"context": {}}, {"context": {"triggerKind": "typed"}}, {"context": 3}]
)
def test_a_missing_or_odd_context(editor: Editor, extra: dict[str, Any]) -> None:
    assert editor.open(EASY).complete(None, **extra) is not None


def test_extra_version_and_formatting_options(editor: Editor) -> None:
    document = editor.open(EASY)
    item = document.complete(
        1,
        textDocument={"uri": document.uri, "version": 1},
        formattingOptions={"tabSize": 8, "insertSpaces": False},
        workDoneToken="t",
    )
    assert item is not None


EMOJI = 'first = second = 1\nnames = {"😀é": first, "b": second}; other = {"😀é": fir¦}\n'


def test_position_encodings_with_an_emoji_before_the_cursor(editor: Editor, make_editor: MakeEditor) -> None:
    """The same keys give the same document, whatever positions are counted in."""
    editors = [editor]
    for encoding in ("utf-8", "utf-32"):
        editors.append(make_editor(encoding))
        general = {"general": {"positionEncodings": [encoding, "utf-16"]}}
        assert editors[-1].start(capabilities={**INLINE, **general})["positionEncoding"] == encoding
    texts = set()
    for each in editors:
        document = each.open(EMOJI, "untitled:emoji.py")
        document.change(document.text.index("b"), document.text.index("b") + 1, "😀")
        document.offset = document.text.rindex("}")
        document.type("s")
        before = document.text[: document.offset]
        item = document.complete()
        assert item is not None
        document.insert(item)
        assert document.text.startswith(before)
        assert len(document.text) > len(before) + 2
        texts.add(document.text)
        document.close()
    assert len(texts) == 1


def test_unknown_encodings_fall_back_to_utf_16(make_editor: MakeEditor) -> None:
    editor = make_editor()
    odd = {
        "general": {"positionEncodings": ["utf-7", 3]},
        "textDocument": {"completion": {"completionItemKind": {"valueSet": [99, "x"]}}},
    }
    assert editor.start(capabilities=odd, wait=False)["positionEncoding"] == "utf-16"


def test_crlf(editor: Editor) -> None:
    document = editor.open(EASY.replace("\n", "\r\n") + "\r\nprint(both(1, 2))\r\n")
    item = document.complete()
    assert item is not None
    before = document.text
    document.insert(item)
    assert "\n" not in document.text.replace("\r\n", "")
    assert document.text.startswith(before[: before.index("os.pa") + 5])
    assert document.text.endswith("\r\n\r\nprint(both(1, 2))\r\n")
    assert document.text != before


BLOCKS = (
    "def total(values):\r\n\tresult = 0\r\n\tfor value in values:¦\r\n",
    "def first(items):\r\n\tif not items:\r\n\t\treturn None\r\n\tif len(items) == 1:¦\r\n",
    "class Point:\r\n\tdef get_x(self):\r\n\t\treturn self.x\r\n\r\n\tdef get_y(self):¦\r\n",
    "import json\r\n\r\n\r\ndef load(path):\r\n\ttry:¦\r\n",
)


def test_several_lines_keep_the_documents_line_end_and_tabs(editor: Editor) -> None:
    several = []
    for text in BLOCKS:
        document = editor.open(text)
        item = document.complete()
        if item is not None and "\n" in document.ghost(item):
            several.append(document.ghost(item))
    assert several  # which of the blocks the model has something to say about is its own affair
    for ghost in several:
        assert "\n" not in ghost.replace("\r\n", "")
        assert all(line.startswith("\t") for line in ghost.split("\r\n")[1:] if line)
        assert "  " not in ghost


@pytest.mark.parametrize("text", [EASY[:-1], EASY[:-1].replace("    ", "\t")])
def test_no_final_newline(editor: Editor, text: str) -> None:
    document = editor.open(text)
    item = document.complete()
    assert item is not None
    before = document.text
    document.insert(item)
    assert document.text.startswith(before)


def test_a_form_feed_does_not_shift_the_lines(editor: Editor) -> None:
    document = editor.open("import os\n\x0c\nx = '\u2028'\ndef both(a, b):\n    return os.p¦\n")
    document.type("a")
    item = document.complete()
    assert item is not None
    assert item["range"]["start"] == {"line": 4, "character": 16}


def test_an_empty_document(editor: Editor) -> None:
    editor.open("¦").complete()
    assert editor.status()["state"] == "ready"


@pytest.mark.parametrize(
    "uri", ["untitled:Untitled-1", "vscode-notebook-cell:/srv/n.ipynb#W0sZmlsZQ%3D%3D", "vscode-vfs://github/a/b.py"]
)
def test_documents_without_a_file(editor: Editor, uri: str) -> None:
    document = editor.open(EASY, uri)
    assert document.complete() is not None
    document.close()


def test_notebook_cells_are_documents(make_editor: MakeEditor) -> None:
    editor = make_editor()
    capabilities = editor.start(capabilities={**INLINE, "notebookDocument": {"synchronization": {}}})
    assert capabilities["notebookDocumentSync"]["notebookSelector"]
    cells = [f"vscode-notebook-cell:/srv/n.ipynb#{n}" for n in range(3)]
    text = EASY[:-2]
    items = [{"uri": uri, "languageId": "python", "version": 1, "text": text} for uri in cells]
    notebook = {"uri": "file:///srv/n.ipynb", "version": 1, "notebookType": "jupyter-notebook", "cells": []}
    editor.client.notify("notebookDocument/didOpen", {"notebookDocument": notebook, "cellTextDocuments": items[:1]})

    def ask(uri: str, line: int = 4, character: int = 16) -> Any:
        position = {"line": line, "character": character}
        return editor.client.call(
            "textDocument/inlineCompletion",
            {"textDocument": {"uri": uri}, "position": position, "context": {"triggerKind": 1}},
        )

    assert ask(cells[0]) is not None
    structure = {"array": {"start": 0, "deleteCount": 1}, "didOpen": [items[1]], "didClose": [{"uri": cells[0]}]}
    change = {"cells": {"structure": structure}}
    editor.client.notify("notebookDocument/didChange", {"notebookDocument": notebook, "change": change})
    assert ask(cells[0]) is None
    assert ask(cells[1]) is not None
    start = {"line": 0, "character": 0}
    edits = [{"range": {"start": start, "end": start}, "text": "x = 1\n"}]
    change = {"cells": {"textContent": [{"document": {"uri": cells[1], "version": 2}, "changes": edits}]}}
    editor.client.notify("notebookDocument/didChange", {"notebookDocument": notebook, "change": change})
    moved = ask(cells[1], line=5)
    assert moved["items"][0]["range"]["start"] == {"line": 5, "character": 16}
    editor.client.notify("notebookDocument/didClose", {"notebookDocument": notebook, "cellTextDocuments": []})
    assert ask(cells[1]) is None
    assert editor.messages() == []


def test_unknown_and_closed_documents_and_missing_positions_get_null(editor: Editor) -> None:
    document = editor.open(EASY)
    assert document.complete(1, position=None) is None
    assert document.complete(1, position={"line": 1}) is None
    assert document.complete(1, textDocument=None) is None
    assert editor.client.call("textDocument/inlineCompletion", None) is None
    assert document.complete(1, textDocument={"uri": "file:///never/opened.py"}) is None
    document.close()
    assert document.complete() is None
    document.change(0, 0, "x")
    document.close()
    assert editor.messages() == []


def test_a_position_outside_the_text_is_clamped(editor: Editor) -> None:
    document = editor.open(EASY[:-1])
    item = document.complete(1, position={"line": 99, "character": 99})
    assert item is not None
    assert item["range"]["start"] == document.place(document.offset)


def test_whole_document_changes(editor: Editor) -> None:
    """Some clients send the whole text whatever the server advertises."""
    document = editor.open("x = 1\n¦")
    document.text = EASY[:-2]
    document.offset = len(document.text)
    change = {"textDocument": {"uri": document.uri, "version": None}, "contentChanges": [{"text": document.text}]}
    editor.client.notify("textDocument/didChange", change)
    item = document.complete()
    assert item is not None
    assert item["range"]["start"] == document.place(document.offset)


def test_a_request_meets_the_text_of_its_own_moment(editor: Editor) -> None:
    """A later change in the same packet must not move a request's position: the answer is out of date, so null."""
    document = editor.open(EASY)
    start = {"line": 0, "character": 0}
    change = {"range": {"start": start, "end": start}, "text": "import os\n"}
    id = editor.client.next_id()
    editor.client.write(
        {"id": id, "method": "textDocument/inlineCompletion", "params": document.params()},
        {
            "method": "textDocument/didChange",
            "params": {"textDocument": {"uri": document.uri, "version": 2}, "contentChanges": [change]},
        },
    )
    assert document.answer(id) is None
    assert editor.status()["lastReason"] in ("stale", "superseded")


def test_requests_out_of_turn_get_an_error_and_unknown_ones_too(make_editor: MakeEditor) -> None:
    editor = make_editor()
    client = editor.client
    first = client.send("sotto/status", {})
    assert _code(editor, first) == -32002
    editor.start(wait=False)
    assert _code(editor, client.send("sotto/unknown", {})) == -32601
    assert _code(editor, client.send("workspace/executeCommand", {"arguments": 3})) in (-32602, -32603)
    client.call("shutdown")
    assert _code(editor, client.send("sotto/status", {})) == -32600
    client.notify("exit")
    assert client.gone() == 0
    assert editor.messages() == []


def _code(editor: Editor, id: int) -> int | None:
    try:
        editor.client.wait(id)
    except RpcError as error:
        return error.code
    return None
