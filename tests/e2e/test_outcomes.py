"""What became of a suggestion, told by the client or inferred from its changes; read from the store as it is written."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.e2e.editor import EASY, Document, Editor
from tests.e2e.raw_client import PATIENCE_S

MakeEditor = Callable[..., Editor]
Json = dict[str, Any]


def _running(folder: Any) -> Iterator[Editor]:
    editor = Editor(folder)
    try:
        editor.start()
        yield editor
        assert editor.messages() == []
        assert editor.close() == 0
    finally:
        editor.client.kill()


@pytest.fixture(scope="module")
def silent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Editor]:
    """A client that never reports what it displays."""
    yield from _running(tmp_path_factory.mktemp("silent"))


@pytest.fixture(scope="module")
def telling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Editor]:
    """A client that reports what it displays, and has done so before."""
    for editor in _running(tmp_path_factory.mktemp("telling")):
        document, item = shown(editor)
        editor.client.notify("textDocument/didShowCompletion", {"item": item})
        document.close()
        yield editor


def shown(editor: Editor) -> tuple[Document, Json]:
    document = editor.open(EASY)
    item = document.complete(2)
    assert item is not None
    assert len(document.ghost(item)) >= 3
    return document, item


def story(editor: Editor, item: Json) -> list[tuple[str, ...]]:
    """(impression's how, outcome's kind, outcome's how) of a suggestion, once its end is in the store."""
    id = item["command"]["arguments"][0]
    sql = f"select i.how, o.kind, o.how, o.final from impression i join outcome o on o.impression = i.id where i.id = '{id}'"
    deadline = time.monotonic() + PATIENCE_S
    rows: list[Any] = []
    while not rows or not rows[-1][3]:
        assert time.monotonic() < deadline, f"no final outcome: {rows}"
        time.sleep(0.1)
        rows = editor.rows(f"{sql} order by o.final")
    return [row[:3] for row in rows]


def test_accepted_by_the_command(silent: Editor) -> None:
    document, item = shown(silent)
    document.insert(item, report=True)
    document.close()
    assert story(silent, item) == [("inferred", "accepted", "command")]


def test_accepted_without_a_word(silent: Editor) -> None:
    document, item = shown(silent)
    document.insert(item)
    document.close()
    assert story(silent, item) == [("inferred", "accepted", "inferred")]


def test_typed_through(silent: Editor) -> None:
    document, item = shown(silent)
    document.type(document.ghost(item))
    document.close()
    assert story(silent, item) == [("inferred", "typed_through", "inferred")]


def test_rejected_by_typing_something_else(silent: Editor) -> None:
    document, item = shown(silent)
    time.sleep(0.8)  # sooner, it would count as unread
    document.type("§§")
    assert story(silent, item) == [("inferred", "rejected", "inferred")]


def test_left_alone(silent: Editor) -> None:
    document, item = shown(silent)
    document.close()
    assert story(silent, item) == [("inferred", "ignored", "inferred")]


def test_reported_display_and_acceptance(telling: Editor) -> None:
    document, item = shown(telling)
    telling.client.notify("textDocument/didShowCompletion", {"item": item})
    document.insert(item, report=True)
    document.close()
    assert story(telling, item) == [("notified", "accepted", "command")]


def test_reported_acceptance_of_a_part(telling: Editor) -> None:
    document, item = shown(telling)
    telling.client.notify("textDocument/didShowCompletion", {"item": item})
    replaced = document.offset - document.offset_of(item["range"]["start"])
    document.type(document.ghost(item)[:2])
    part = {"item": item, "acceptedLength": replaced + 2}
    telling.client.notify("textDocument/didPartiallyAcceptCompletion", part)
    document.close()
    assert story(telling, item) == [("notified", "accepted_word", "notified")] * 2
    id = item["command"]["arguments"][0]
    assert telling.rows(f"select accepted_chars from outcome where impression = '{id}' and final = 0") == [(2,)]


def test_what_a_telling_client_does_not_report_was_never_seen(telling: Editor) -> None:
    document, unseen = shown(telling)
    document.close()
    test_reported_display_and_acceptance(telling)  # recorded later, so the other would be there by now
    assert telling.rows(f"select * from impression where id = '{unseen['command']['arguments'][0]}'") == []


def test_malformed_feedback_is_ignored(silent: Editor) -> None:
    before = silent.rows("select count(*) from outcome")
    for method in ("textDocument/didPartiallyAcceptCompletion", "textDocument/didFocus"):
        for params in (None, {}, {"item": 3}, {"item": {"command": {"command": "sotto.didAccept", "arguments": ["x"]}}}, []):
            silent.client.notify(method, params)
    for arguments in ([], ["unknown"], [3], None, ["a", "b"]):
        silent.client.call("workspace/executeCommand", {"command": "sotto.didAccept", "arguments": arguments})
    document, item = shown(silent)
    document.close()
    story(silent, item)
    ((count,),) = silent.rows("select count(*) from outcome")
    assert count == before[0][0] + 1


def test_every_request_is_an_opportunity_with_its_reason(make_editor: MakeEditor) -> None:
    editor = make_editor()
    editor.start()
    document = editor.open(EASY)
    ids = []
    for key in "th":
        document.type(key)
        ids.append(document.ask(2))
    for id in ids:
        editor.client.wait(id)
    editor.open("x¦", language="plaintext").complete()
    editor.open("x = 1¦").complete(1, position=None)  # no position, no opportunity
    assert editor.close() == 0
    rows = editor.rows("select reason, decision, cancelled, trigger, length(model) from opportunity order by id")
    assert rows == [
        ("superseded", "skip", 1, "automatic", 64),
        ("shown", "show", 0, "automatic", 64),
        ("language", "suppressed_rule", 0, "invoked", 64),
    ]
    assert editor.rows("select client, pid from session") == [("", editor.client.process.pid)]
