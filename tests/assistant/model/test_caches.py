"""Documents come and go by key, the open file is never in the workspace, and nothing is tokenised while a request waits."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from assistant import wire
from assistant.model import caches
from assistant.model.caches import Caches, Hole
from assistant.model.checkpoint import Checkpoint, default_folder
from assistant.model.mixture import Gate, Mixture, softmax
from assistant.model.tokenizer import CodeTokenizer
from assistant.types import OpenFile
from assistant.wire import nearby

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


@pytest.mark.parametrize("change", ["drop", "put"])
def test_a_change_while_a_document_is_being_tokenised_wins(
    make: Callable[[], Caches], loaded: Checkpoint, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    monkeypatch.setattr(caches, "SLICE_CHARACTERS", 20)
    cache = make()
    cache.put("a", FIRST)
    assert cache.work()
    if change == "drop":
        cache.drop("a")
    else:
        cache.put("a", SECOND)
    finish(cache)
    assert known(cache, loaded, "    return items") <= 1
    assert ("a" in cache.workspace) == (change == "put")


def said(hole: Hole, loaded: Checkpoint, text: str) -> list[int]:
    """Lengths of what the workspace and the file find after ``text``."""
    return [match.length for match in hole.look_up(loaded.tokenizer.encode(text))]


def test_a_hole_does_not_see_its_own_file_in_the_workspace(make: Callable[[], Caches], loaded: Checkpoint) -> None:
    cache = make()
    cache.put("a", FIRST)
    finish(cache)
    assert said(cache.enter(OpenFile("a", "", "")), loaded, "    return items")[0] == 0
    assert said(cache.enter(OpenFile("b", "", "")), loaded, "    return items")[0] > 1
    cache.put("a", SECOND)  # saved, while it is open
    cache.put("b", FIRST)
    finish(cache)
    own = cache.enter(OpenFile("a", SECOND, ""))
    assert said(own, loaded, "    return items")[0] > 1
    assert said(own, loaded, "        self.path =")[0] <= 1 < said(own, loaded, "        self.path =")[1]
    other = cache.enter(OpenFile("b", FIRST, ""))
    assert said(other, loaded, "        self.path =")[0] > 2
    assert said(other, loaded, "    return items")[0] <= 1


def test_a_file_that_nobody_put_in_is_not_kept(make: Callable[[], Caches], loaded: Checkpoint) -> None:
    cache = make()
    cache.enter(OpenFile("a", FIRST, ""))
    cache.enter(OpenFile("b", "", ""))
    finish(cache)
    assert len(cache.workspace) == 0
    cache.put("c", SECOND)
    finish(cache)
    cache.enter(OpenFile("c", FIRST, ""))
    cache.enter(OpenFile("b", "", ""))
    finish(cache)
    assert known(cache, loaded, "    return items") <= 1  # whoever put "c" in keeps it up to date
    assert known(cache, loaded, "        self.path =") > 2


def test_keys_typed_one_by_one_give_the_tokens_of_the_whole_text(make: Callable[[], Caches], loaded: Checkpoint) -> None:
    """What is kept from key to key must not show: insertions, deletions, jumps, another file."""
    cache, text = make(), (FIRST + SECOND) * 40
    rng, at = random.Random(0), len(text) // 2
    above, below = text[:at], text[at:]
    for _ in range(120):
        choice = rng.random()
        if choice < 0.6:
            above += rng.choice(["x", "\n", " ", "self", "]", "é"])
        elif choice < 0.8:
            above = above[: -rng.randrange(1, 30)]
        elif choice < 0.9:
            whole, at = above + below, rng.randrange(2000)
            above, below = whole[:at], whole[at:]
        else:
            below = rng.choice(["", ")", "]", "\n"]) + below
        file = OpenFile(rng.choice("ab"), above, below)
        kept, anew = cache.enter(file), make().enter(file)
        assert tokens_of(kept) == tokens_of(anew)
        whole_lines = below[: below.rfind("\n") + 1] or below
        assert tokens_of(kept) == [loaded.tokenizer.heal(above)[0], loaded.tokenizer.encode(whole_lines)]


def tokens_of(hole: Hole) -> list[list[int]]:
    file = hole._models[1]
    assert file is not None
    return [ids.tolist() for ids in file._fresh.values()]


def test_the_window_of_a_long_file_stands_still_while_a_user_types() -> None:
    lines = "".join(f"line {number}\n" for number in range(20_000))
    starts = set()
    for typed in range(300):
        near = nearby(OpenFile("k", lines[: 150_000 + typed], lines[150_000 + typed :]))
        assert wire.ABOVE <= len(near.above) <= wire.ABOVE + wire.STEP
        assert len(near.below) == wire.BELOW
        assert nearby(near) == near
        starts.add(near.above[:40])
    assert len(starts) <= 2


def test_too_much_is_left_out_and_said_once(
    make: Callable[[], Caches], loaded: Checkpoint, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(caches, "WAITING", 4 * len(SECOND))
    cache = make()
    cache.put("a", FIRST)
    finish(cache)
    cache.put("b", SECOND * 3)
    for key in "acd":
        cache.put(key, SECOND * 2)
    finish(cache)
    assert "b" in cache.workspace
    assert "a" not in cache.workspace  # its old text would be wrong
    cache.put("c", SECOND * 2)
    finish(cache)
    assert "c" in cache.workspace  # what waits is what is bounded, not what has been
    monkeypatch.setattr(cache.workspace, "_limit", cache.workspace.tokens)
    cache.put("e", SECOND)
    finish(cache)
    assert "e" not in cache.workspace
    assert caplog.text.count("is full") == 1


def test_nothing_matches_across_the_cursor_and_what_is_half_typed_is_not_in_the_file(
    make: Callable[[], Caches], loaded: Checkpoint
) -> None:
    hole = make().enter(OpenFile("a", "alpha = beta\ngamma = del", "\nomega = psi\n"))
    assert not hole.look_up(loaded.tokenizer.encode("del"))[1]
    assert hole.look_up(loaded.tokenizer.encode("\nomega ="))[1].length >= 2
    assert not any(hole.look_up([]))


def test_mixing_and_drafting_follow_the_file(make: Callable[[], Caches], loaded: Checkpoint) -> None:
    tokenizer, line = loaded.tokenizer, "        self.encoding = encoding\n"
    hole = make().enter(OpenFile("a", line * 4, ""))
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
        joined = [token for piece in caches._pieces(text) for token in tokenizer.encode_afresh(piece)]
        assert joined == tokenizer.encode(text)
