"""Editors without inline completion get the same suggestion as one ordinary completion item."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.e2e.editor import EASY, Document, Editor

MakeEditor = Callable[..., Editor]


def ask(document: Document) -> Any:
    return document.editor.client.call("textDocument/completion", document.params(1))


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Editor]:
    """An editor that knows nothing of inline completion."""
    editor = Editor(tmp_path_factory.mktemp("old"))
    try:
        capabilities = editor.start(capabilities={"textDocument": {"completion": {}}})
        assert " " in capabilities["completionProvider"]["triggerCharacters"]
        yield editor
        assert editor.messages() == []
        assert editor.close() == 0
    finally:
        editor.client.kill()


def test_one_item_that_applies(old: Editor) -> None:
    document = old.open(EASY)
    answer = ask(document)
    assert answer["isIncomplete"] is True
    (item,) = answer["items"]
    assert (item["detail"], item["preselect"], item["insertTextFormat"]) == ("Sotto", False, 1)
    edit = item["textEdit"]
    start, end = (document.offset_of(edit["range"][side]) for side in ("start", "end"))
    assert document.text[start : document.offset] == "pa"
    assert edit["newText"].startswith("pa")
    assert len(edit["newText"]) > 2
    assert end >= document.offset
    assert edit["range"]["start"]["line"] == edit["range"]["end"]["line"]
    assert item["command"]["command"] == "sotto.didAccept"


def test_the_item_survives_typing(old: Editor) -> None:
    """A client filters by what is typed; what it asks anew costs no model work."""
    document = old.open(EASY)
    (item,) = ask(document)["items"]
    new = item["textEdit"]["newText"]
    assert item["filterText"] == new
    before = old.settle()
    document.type(new[2])
    (again,) = ask(document)["items"]
    assert again["textEdit"]["newText"] == new
    assert again["filterText"].startswith(new[:3])
    assert old.settle() == before


def test_nothing_to_say_is_an_empty_list_to_be_asked_again(old: Editor) -> None:
    document = old.open("¦", language="plaintext")
    assert ask(document) == {"isIncomplete": True, "items": []}


def test_clients_with_ghost_text_get_no_second_copy(editor: Editor) -> None:
    document = editor.open(EASY)
    assert document.complete() is not None
    assert ask(document) is None


@pytest.mark.parametrize(("popup", "inline", "wanted"), [("always", True, True), ("never", False, False)])
def test_the_setting_decides(make_editor: MakeEditor, popup: str, inline: bool, wanted: bool) -> None:
    editor = make_editor()
    capabilities = {"textDocument": {"inlineCompletion": {}} if inline else {}}
    editor.start(options={"popup": popup, "enabled": False}, capabilities=capabilities, wait=False)
    assert ask(editor.open(EASY)) == ({"isIncomplete": True, "items": []} if wanted else None)
