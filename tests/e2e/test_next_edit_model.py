"""A model of the user's for next edits: a transformers checkpoint behind the real server writes, judges, rests and fails."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e import speaker
from tests.e2e.editor import Editor
from tests.e2e.test_next_edit import EAGER, ask, rename

MakeEditor = Callable[..., Editor]
PATIENCE_S = 90.0


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Asked in Sweep's form about a file of one line, it says that this line becomes ``k = 72``."""
    return speaker.make(tmp_path_factory.mktemp("own") / "sweep-next-edit", "\n", "k = 72")


def asked_until(editor: Editor, document: object, wanted: Callable[[object], bool]) -> object:
    """The first answer that is wanted: a model is not there at once."""
    until = time.monotonic() + PATIENCE_S
    while not wanted(edit := ask(document)) and time.monotonic() < until:  # type: ignore[arg-type]
        time.sleep(0.2)
    return edit


@pytest.mark.parametrize("form", ["auto", "sweep"])
def test_the_users_model_writes_the_next_edit(make_editor: MakeEditor, model: Path, form: str) -> None:
    editor = make_editor()
    editor.start(options={**EAGER, "nextEditModel": str(model), "nextEditFormat": form, "sharedEngine": False}, wait=False)
    document = editor.open("k = 1¦\n")
    assert editor.client.call("sotto/status", {})["nextEditPid"] is None  # nobody has asked yet
    document.type("4")
    edit = asked_until(editor, document, bool)
    assert isinstance(edit, dict)
    start, end = (document.offset_of(edit["range"][side]) for side in ("start", "end"))
    assert document.text[:start] + edit["text"] + document.text[end:] == "k = 72\n"
    assert editor.client.call("sotto/status", {})["nextEditPid"] is not None
    assert editor.close() == 0


def test_a_model_that_cannot_be_loaded_is_told_once_and_the_rules_serve(make_editor: MakeEditor, tmp_path: Path) -> None:
    editor = make_editor()
    editor.start(options={**EAGER, "nextEditModel": str(tmp_path / "nothing")}, wait=False)
    document = editor.open("def twice(¦value):\n    return 2 * value\n")
    rename(document, "value", "number")
    assert ask(document) is not None
    rename(document, "number", "amount")
    assert ask(document) is not None
    told = [text for text in editor.messages() if "next-edit model" in text]
    until = time.monotonic() + PATIENCE_S
    while not told and time.monotonic() < until:
        time.sleep(0.2)
        told = [text for text in editor.messages() if "next-edit model" in text]
    assert len(told) == 1
    assert editor.close() == 0
