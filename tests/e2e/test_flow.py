"""Bursts, cancellation and typed-through, counted in the engine's forward passes."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable, Iterator

import pytest

from tests.e2e.editor import Document, Editor
from tests.e2e.raw_client import RpcError

MakeEditor = Callable[..., Editor]
TOKENS = 4
RUN = 1 + TOKENS
"""Forward passes of one completion here at most: one prefill of a short file, and one for each token."""

TEXT = "import os\n\n\ndef join(folder, name):\n    return os.path.join(folder, name)\n\n\ndef both(folder, first):\n    ¦\n"


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Editor]:
    """An editor whose completions are a few tokens long, so that passes can be counted."""
    editor = Editor(tmp_path_factory.mktemp("quick"))
    try:
        editor.start(options={"maxTokens": TOKENS, "multiLine": "never", "budgetMs": 60000, "debounceMs": 300})
        yield editor
        assert editor.messages() == []
        assert editor.close() == 0
    finally:
        editor.client.kill()


KEYS = "return os.path.join(folder, fi"


def test_a_burst_that_is_never_cancelled_costs_two_runs(quick: Editor) -> None:
    document = quick.open(TEXT)
    before = quick.settle()
    ids = []
    for key in KEYS:
        document.type(key)
        ids.append(document.ask(2))
    answers = [document.answer(id) for id in ids]
    # The first one never waits: where this process is held up after it, it may have its answer before the second key.
    assert answers[1:-1] == [None] * (len(ids) - 2)
    assert answers[-1] is not None
    assert quick.settle() - before <= 2 * RUN
    # Each superseded request was answered when its successor came, not when the last one was done.
    assert [id for id in quick.client.order if id in ids] == ids


def test_a_fluent_typist_costs_two_runs(quick: Editor) -> None:
    """Ten keys a second: the first may run, then all wait for the typist to pause."""
    document = quick.open(TEXT)
    before = quick.settle()
    ids, pressed = [], [time.monotonic()]
    for key in KEYS:
        document.type(key)
        ids.append(document.ask(2))
        time.sleep(0.1)
        pressed.append(time.monotonic())
    answers = [document.answer(id) for id in ids]
    # On a busy machine our own fingers pause too; each such pause may cost a run.
    pauses = sum(b - a > 0.13 for a, b in itertools.pairwise(pressed))
    assert quick.settle() - before <= (2 + pauses) * RUN
    assert answers[-1] is not None


def test_the_newest_request_wins_though_the_document_stands_still(editor: Editor) -> None:
    document = editor.open(
        "import os\n\n\ndef one(folder):\n    return os.pa\n\n\ndef both(folder, first):\n    return os.pa¦\n"
    )
    first = document.ask(1)
    document.offset = document.text.index("os.pa") + len("os.pa")
    second = document.ask(1)
    assert editor.client.wait(first) is None
    assert document.answer(second) is not None


def test_cancel_request_is_answered_and_the_engine_stops(quick: Editor) -> None:
    before = quick.settle()
    document = quick.open(TEXT.replace("¦", "return os.pa¦"))
    assert document.complete() is not None
    whole = quick.settle() - before
    for _ in range(5):
        other = quick.open(TEXT.replace("both", "pair").replace("¦", "return os.pa¦"))
        id = quick.client.next_id()
        request = {"id": id, "method": "textDocument/inlineCompletion", "params": other.params()}
        quick.client.write(request, {"method": "$/cancelRequest", "params": {"id": id}})
        with contextlib.suppress(RpcError):
            assert quick.client.wait(id) is None
        other.close()
    cancelled = quick.settle() - before - whole
    assert cancelled <= 5 * (whole - 1)  # a whole one takes four passes, its prompt one or two of them
    assert quick.status()["lastReason"] == "cancelled"
    assert document.complete() is not None


def test_cancel_answers_with_the_protocols_code(quick: Editor) -> None:
    document = quick.open(TEXT.replace("¦", "return os.pa¦"))
    id = quick.client.next_id()
    request = {"id": id, "method": "textDocument/inlineCompletion", "params": document.params()}
    quick.client.write(request, {"method": "$/cancelRequest", "params": {"id": id}})
    with pytest.raises(RpcError) as error:
        quick.client.wait(id)
    assert error.value.code == -32800
    # A cancel that comes too late, or for nothing, is no reason for anything.
    quick.client.notify("$/cancelRequest", {"id": id})
    quick.client.notify("$/cancelRequest", {"id": "never"})
    assert quick.status()["state"] == "ready"


def test_typing_what_is_shown_costs_nothing(quick: Editor) -> None:
    document = quick.open(TEXT.replace("¦", "return os.pa¦"))
    item = document.complete(2)
    assert item is not None
    ghost = document.ghost(item)
    assert len(ghost) >= 3
    target = document.text[: document.offset] + ghost
    before = quick.settle()
    for key in ghost[:-1]:
        document.type(key)
        answer = document.complete(2)
        assert answer is not None
        assert document.text[: document.offset] + document.ghost(answer) == target
    assert quick.settle() == before
    document.type("§")
    document.complete(1)
    assert quick.settle() > before


def test_deleting_back_to_what_was_shown_costs_nothing(quick: Editor) -> None:
    document = quick.open(TEXT.replace("¦", "return os.pa¦"))
    item = document.complete(2)
    assert item is not None
    ghost = document.ghost(item)
    document.type(ghost[0])
    before = quick.settle()
    document.change(document.offset - 1, document.offset, "")
    again = document.complete(2)
    assert again is not None
    assert document.ghost(again) == ghost
    assert quick.settle() == before


def test_a_closed_document_is_let_go(quick: Editor) -> None:
    document: Document = quick.open(TEXT.replace("¦", "return os.pa¦"))
    id = document.ask(1)
    document.close()
    with contextlib.suppress(RpcError):
        assert quick.client.wait(id) is None


def test_nothing_to_say_clears_what_the_editor_shows(quick: Editor) -> None:
    """An empty list, not null: Neovim ignores null, keeps the item of an earlier place and inserts it there on Tab."""
    document = quick.open("TOKEN = ¦\n", uri=(quick.folder / ".env").as_uri())
    assert quick.client.wait(document.ask(1)) == {"items": []}
