"""Documents come and go by key, the open file is never in the workspace, and nothing is tokenised while a request waits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from assistant.model import caches
from assistant.model.caches import Caches
from assistant.model.checkpoint import Checkpoint, default_folder
from assistant.model.mixture import Gate, Mixture, softmax
from assistant.model.tokenizer import CodeTokenizer

FIRST = "def first(items):\n    return items[0] if items else None\n"
SECOND = "class Reader:\n    def __init__(self, path):\n        self.path = path\n"


@pytest.fixture
def make(loaded: Checkpoint) -> Callable[[], Caches]:
    end = loaded.tokenizer.specials["end"]
    return lambda: Caches(loaded.tokenizer, loaded.config.vocab_size, Mixture(Gate.load(), end))


def finish(cache: Caches) -> None:
    while cache.work():
        pass


def known(cache: Caches, loaded: Checkpoint, text: str) -> int:
    """Length of the longest match of the last tokens of ``text``."""
    return cache.workspace.look_up(loaded.tokenizer.encode(text)).length


def test_a_document_counts_once_it_was_worked_on_and_until_it_is_dropped(
    make: Callable[[], Caches], loaded: Checkpoint
) -> None:
    cache = make()
    cache.put("a", FIRST)
    assert known(cache, loaded, "    return items") == 0
    finish(cache)
    assert known(cache, loaded, "    return items") > 1
    cache.put("a", SECOND)
    finish(cache)
    assert known(cache, loaded, "    return items") <= 1
    assert known(cache, loaded, "        self.path =") > 2
    cache.drop("a")
    cache.drop("never")
    assert known(cache, loaded, "        self.path =") == 0


@pytest.mark.parametrize("change", ["drop", "put", "enter"])
def test_a_change_while_a_document_is_being_tokenised_wins(
    make: Callable[[], Caches], loaded: Checkpoint, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    monkeypatch.setattr(caches, "SLICE_CHARACTERS", 20)
    cache = make()
    cache.put("a", FIRST)
    assert cache.work()
    if change == "drop":
        cache.drop("a")
    elif change == "put":
        cache.put("a", SECOND)
    else:
        cache.enter("a", "", "")
    finish(cache)
    assert known(cache, loaded, "    return items") <= 1
    assert ("a" in cache.workspace) == (change == "put")


def test_the_open_file_leaves_the_workspace_and_comes_back_as_it_was_last_seen(
    make: Callable[[], Caches], loaded: Checkpoint
) -> None:
    cache = make()
    cache.put("a", FIRST)
    cache.put("b", FIRST)
    finish(cache)
    hole = cache.enter("a", FIRST + "x = it", "\n")
    assert "a" not in cache.workspace
    cache.put("a", "the file on disk, older than the buffer\n")
    finish(cache)
    assert "a" not in cache.workspace
    assert min(match.length for match in hole.look_up(loaded.tokenizer.encode("    return items"))) > 1
    cache.enter("b", SECOND, "")
    assert "a" not in cache.workspace
    assert "b" not in cache.workspace
    finish(cache)
    assert known(cache, loaded, FIRST + "x = it") > 5


def test_nothing_matches_across_the_cursor_and_what_is_half_typed_is_not_in_the_file(
    make: Callable[[], Caches], loaded: Checkpoint
) -> None:
    hole = make().enter("a", "alpha = beta\ngamma = del", "\nomega = psi\n")
    assert not hole.look_up(loaded.tokenizer.encode("del"))[1]
    assert hole.look_up(loaded.tokenizer.encode("\nomega ="))[1].length >= 2
    assert not any(hole.look_up([]))


def test_mixing_and_drafting_follow_the_file(make: Callable[[], Caches], loaded: Checkpoint) -> None:
    tokenizer, line = loaded.tokenizer, "        self.encoding = encoding\n"
    hole = make().enter("a", line * 4, "")
    ids = tokenizer.encode(line)
    unsure = softmax(np.zeros(loaded.config.vocab_size, np.float32))
    assert hole.draft(tokenizer.encode(line + line) + ids[:4], 3) == ids[4:7]
    mixed = hole.mix(unsure, tokenizer.encode(line + line) + ids[:4])
    assert mixed.argmax() == ids[4]
    assert mixed.sum(dtype=np.float64) == pytest.approx(1.0, abs=1e-5)
    assert hole.mix(unsure, tokenizer.encode("§")) is unsure


def test_long_texts_are_taken_in_slices_and_a_huge_line_is_cut(
    make: Callable[[], Caches], loaded: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caches, "SLICE_CHARACTERS", 100)
    cache = make()
    cache.put("a", SECOND * 20 + "x" * 5_000_000 + "\n" + SECOND)
    slices = 1
    while cache.work():
        slices += 1
    assert slices > 10
    assert cache.workspace.tokens < 21 * len(SECOND) + caches.LONGEST_LINE + 2
    tokens = loaded.tokenizer.encode(SECOND)
    assert cache.workspace.look_up(tokens[:-1]).top == tokens[-1]


def test_slices_give_the_tokens_of_the_whole_text() -> None:
    """With the shipped tokenizer, on this repository's own files: lines are independent."""
    tokenizer = CodeTokenizer(default_folder() / "tokenizer.json", {})
    for file in sorted(Path(caches.__file__).parent.glob("*.py")):
        text = file.read_text("utf-8") + "\n\n\t \n  x\r\n\f\n"
        joined = [token for piece in caches._pieces(text) for token in tokenizer._encode_line_uncached(piece)]
        assert joined == tokenizer.encode(text)
