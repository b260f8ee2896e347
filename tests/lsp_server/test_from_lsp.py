"""Requests in every shape that editors send become the same snapshot."""

from __future__ import annotations

import os

import pytest

from assistant.types import Indent, JsonObject, Selected, Snapshot, Trigger
from lsp_server import from_lsp
from lsp_server.buffers import Buffer

BUFFER = Buffer("file:///srv/app/a.py", "python", 'é = "😋"\r\nreturn x', version=4)


def read(params: JsonObject, dialect: from_lsp.TriggerDialect | None = None, buffer: Buffer = BUFFER) -> Snapshot:
    base = {"textDocument": {"uri": buffer.uri}, "position": {"line": 1, "character": 6}}
    answer = from_lsp.snapshot({**base, **params}, buffer, "utf-16", dialect or from_lsp.TriggerDialect(), ["/srv"])
    assert answer is not None
    return answer


def test_the_plain_case() -> None:
    snapshot = read({"context": {"triggerKind": 2}})
    assert snapshot == Snapshot(
        uri=BUFFER.uri,
        language="python",
        text=BUFFER.text,
        offset=15,
        version=4,
        path="/srv/app/a.py".replace("/", os.sep),
        root="/srv" if os.sep == "/" else None,
        trigger=Trigger.AUTOMATIC,
    )


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ([1], [Trigger.INVOKED]),
        ([2, 1], [Trigger.AUTOMATIC, Trigger.INVOKED]),
        ([0, 1, 1, 0], [Trigger.INVOKED, Trigger.AUTOMATIC, Trigger.AUTOMATIC, Trigger.INVOKED]),
        ([0, 2, 1], [Trigger.INVOKED, Trigger.AUTOMATIC, Trigger.INVOKED]),
        ([None, "1", 7, False, True], [Trigger.AUTOMATIC] * 3 + [Trigger.AUTOMATIC, Trigger.INVOKED]),
    ],
)
def test_trigger_dialects(kinds: list[object], expected: list[Trigger]) -> None:
    dialect = from_lsp.TriggerDialect()
    assert [read({"context": {"triggerKind": kind}}, dialect).trigger for kind in kinds] == expected


@pytest.mark.parametrize("params", [{}, {"context": None}, {"context": []}, {"context": {}}, {"context": "x"}])
def test_a_missing_context_is_automatic(params: JsonObject) -> None:
    assert read(params).trigger is Trigger.AUTOMATIC


START, END = {"line": 1, "character": 0}, {"line": 1, "character": 6}


@pytest.mark.parametrize("span", [{"start": START, "end": END}, [START, END], [END, START]])
def test_the_selected_entry_in_both_shapes(span: object) -> None:
    context = {"triggerKind": 2, "selectedCompletionInfo": {"range": span, "text": "returns"}}
    assert read({"context": context}).selected == Selected(9, 15, "returns")


@pytest.mark.parametrize(
    "info", [None, {}, {"range": [START], "text": "x"}, {"range": [START, END]}, {"range": 3, "text": "x"}, []]
)
def test_a_malformed_selection_is_none(info: object) -> None:
    assert read({"context": {"triggerKind": 2, "selectedCompletionInfo": info}}).selected is None


def test_formatting_options_are_kept() -> None:
    assert read({"formattingOptions": {"tabSize": 2, "insertSpaces": True}}).indent == Indent(2, tabs=False)
    assert read({"formattingOptions": {"tabSize": 8, "insertSpaces": False}}).indent == Indent(8, tabs=True)
    assert read({"formattingOptions": {"tabSize": "2"}}).indent is None
    assert read({"textDocument": {"uri": BUFFER.uri, "version": 9}}).version == 4


@pytest.mark.parametrize(
    "position", [None, {}, {"line": 1}, {"character": 1}, {"line": "1", "character": 1}, [1, 1], {"line": True, "character": 1}]
)
def test_without_a_position_there_is_no_snapshot(position: object) -> None:
    params = {"textDocument": {"uri": BUFFER.uri}, "position": position}
    assert from_lsp.snapshot(params, BUFFER, "utf-16", from_lsp.TriggerDialect()) is None


@pytest.mark.parametrize(
    "uri",
    ["untitled:Untitled-1", "vscode-notebook-cell:/srv/n.ipynb#W0sZmlsZQ%3D%3D", "", "zipfile:///a.zip::b.py", "http://[x"],
)
def test_documents_without_a_file(uri: str) -> None:
    snapshot = read({}, buffer=Buffer(uri, "python", "a\nreturn x"))
    assert (snapshot.path, snapshot.root) == (None, None)
    assert snapshot.offset == 8


def test_a_cell_belongs_to_its_notebooks_folder() -> None:
    cell = Buffer("vscode-notebook-cell:/srv/n.ipynb#1", "python", "a\nreturn x", notebook="file:///srv/n.ipynb")
    snapshot = read({}, buffer=cell)
    assert snapshot.path == "/srv/n.ipynb".replace("/", os.sep)
    assert snapshot.root == ("/srv" if os.sep == "/" else None)


def test_the_innermost_folder_is_the_root() -> None:
    roots = ["/srv", "/srv/app", "/srv/ap", "/other"]
    path = os.sep + os.path.join("srv", "app", "a.py")
    assert from_lsp.root_of(path, [root.replace("/", os.sep) for root in roots]) == "/srv/app".replace("/", os.sep)
    assert from_lsp.root_of("/elsewhere/a.py", roots) is None


def span(first: tuple[int, int], last: tuple[int, int]) -> dict[str, object]:
    ends = {side: {"line": line, "character": unit} for side, (line, unit) in (("start", first), ("end", last))}
    return {"range": ends, "text": "x"}


@pytest.mark.parametrize(
    ("change", "outside"),
    [
        (span((0, 0), (1, 2)), False),
        (span((0, 0), (0, 999)), False),  # the protocol: no more than the line's end
        (span((1, 0), (2, 0)), False),  # the line after the last: how some name the end
        (span((1, 0), (3, 0)), True),
        (span((9, 0), (9, 1)), True),
        (span((0, 0), (99, 0)), False),  # everything, whatever it is called
        ({"range": [{"line": 7, "character": 0}, {"line": 8, "character": 0}], "text": ""}, True),
        ({"range": {"start": {"line": 0}}, "text": "x"}, True),
        ({"text": "all of it"}, False),
        ({"range": None, "text": "all of it"}, False),
        ({"range": {}}, True),
        ("nonsense", True),
    ],
)
def test_changes_that_cannot_be(change: object, outside: bool) -> None:
    assert from_lsp.is_outside(change, Buffer("file:///a", "python", "one\ntwo")) is outside


@pytest.mark.parametrize(
    ("asked", "known", "same"),
    [
        ({"version": 3}, 3, True),
        ({"version": 2}, 3, False),
        ({"version": 4}, 3, False),
        ({}, 3, True),
        ({"version": 4}, None, True),
    ],
)
def test_a_request_speaks_of_one_version(asked: dict[str, int], known: int | None, same: bool) -> None:
    assert from_lsp.is_version({"textDocument": {"uri": "file:///a", **asked}}, known) is same
    assert from_lsp.is_version({}, known)


@pytest.mark.parametrize("item", [None, {}, {"uri": "file:///a"}, {"text": "x"}, {"uri": 3, "text": "x"}, []])
def test_an_unreadable_document_is_none(item: object) -> None:
    assert from_lsp.opened(item) is None


def test_a_document_without_language_or_version() -> None:
    assert from_lsp.opened({"uri": "file:///a", "text": "x", "version": None}) == Buffer("file:///a", "", "x")
