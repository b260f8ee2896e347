"""A review with a chat model of the user's behind the real server: the rules speak anyhow, the model if it is borne out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.assistant.model.hf import tiny
from tests.e2e.editor import Editor
from tests.e2e.test_review import CAPABLE, RULE, command, repository

__all__ = ["repository"]

MakeEditor = Callable[..., Editor]


def started(make_editor: MakeEditor, folder: Path, model: Path) -> Editor:
    editor = make_editor()
    options = {"reviewModel": str(model), "sharedEngine": False}
    editor.start(options=options, capabilities=CAPABLE, folders=[folder], wait=False)
    return editor


def test_a_chat_model_that_says_nothing_sound_changes_nothing(
    make_editor: MakeEditor, repository: Path, tmp_path: Path
) -> None:
    model = tiny.make(tmp_path / "model", "qwen2", max_position_embeddings=8192)
    editor = started(make_editor, repository, model)
    report = command(editor, "sotto.review")
    assert [one["rule"] for one in report["comments"]] == [RULE]
    assert not [text for text in editor.messages() if "review model" in text]
    assert editor.close() == 0


@pytest.mark.parametrize("kind", ["no chat format", "no model"])
def test_a_model_that_cannot_chat_is_told_once_and_the_rules_serve(
    make_editor: MakeEditor, repository: Path, tmp_path: Path, kind: str
) -> None:
    model = tiny.make(tmp_path / "model", "llama") if kind == "no chat format" else tmp_path / "nothing"
    editor = started(make_editor, repository, model)
    for _ in range(2):
        assert [one["rule"] for one in command(editor, "sotto.review")["comments"]] == [RULE]
    assert len([text for text in editor.messages() if "review model cannot serve" in text]) == 1
    assert editor.close() == 0
