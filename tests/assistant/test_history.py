"""The record of edits: what joins, what splits, what is forgotten."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.history import MOST_STATES, History
from assistant.next_edit.types import Change

URI = "file:///a.py"
TEXT = "".join(f"line {number}\n" for number in range(40))


class Typist:
    """One document, edited; the history hears of it. Each edit comes ``gap`` seconds after the one before."""

    def __init__(self, text: str = TEXT, history: History | None = None, uri: str = URI) -> None:
        self.text, self.uri = text, uri
        self.history = history or History()
        self.now = 0.0

    def edit(self, start: int, end: int, new: str, gap: float = 0.1, accepted: bool = False) -> None:
        self.now += gap
        before, self.text = self.text, self.text[:start] + new + self.text[end:]
        self.history.changed(self.uri, before, self.text, start, end, self.now, accepted)

    def type(self, at: int, keys: str, gap: float = 0.1) -> int:
        for key in keys:
            self.edit(at, at, key, gap)
            at += 1
        return at

    def replace(self, old: str, new: str, gap: float = 0.1) -> None:
        at = self.text.index(old)
        self.edit(at, at + len(old), new, gap)

    @property
    def pairs(self) -> list[tuple[str, str]]:
        return [(change.removed, change.inserted) for change in self.history.changes]


def test_keystrokes_are_one_change() -> None:
    typist = Typist()
    typist.type(0, "new ")
    (change,) = typist.history.changes
    assert change == Change(URI, TEXT, 0, "", "new ", change.at)
    assert change.after == typist.text
    assert change.at == pytest.approx(0.4)


def test_a_pause_splits_and_rows_join() -> None:
    typist = Typist()
    typist.replace("line 3", "row 3")
    typist.replace("line 9", "row 9")  # six rows below
    assert len(typist.history.changes) == 1
    typist.replace("line 10", "row 10", gap=1.0)
    assert len(typist.history.changes) == 2
    typist.replace("line 19", "row 19")  # nine rows below
    assert len(typist.history.changes) == 3
    assert [change.after for change in typist.history.changes][-1] == typist.text


def test_joined_edits_above_and_below_cover_what_lies_between() -> None:
    typist = Typist()
    typist.replace("line 5", "five")
    typist.replace("line 3", "three")
    typist.replace("line 8", "eight")
    (change,) = typist.history.changes
    assert change.before == TEXT
    assert change.after == typist.text
    assert change.removed.startswith("line 3")
    assert change.removed.endswith("line 8")


def test_a_thought_within_a_word_does_not_split() -> None:
    typist = Typist("def f(value): pass\n")
    typist.edit(6, 11, "")
    at = typist.type(6, "tot", gap=2.0)
    typist.type(at, "al", gap=5.0)
    assert typist.pairs == [("value", "total")]
    typist.type(at + 2, ", other", gap=2.0)  # another word
    assert len(typist.history.changes) > 1


def test_a_change_that_comes_to_nothing_is_dropped() -> None:
    typist = Typist()
    at = typist.type(5, "xy")
    typist.edit(at - 1, at, "")
    typist.edit(at - 2, at - 1, "")
    assert typist.history.changes == ()
    typist.type(5, "z")
    assert typist.pairs == [("", "z")]


def test_undo_takes_the_change_back_and_redo_brings_it_again() -> None:
    typist = Typist()
    typist.replace("line 1\n", "one\n")
    typist.replace("line 30", "thirty", gap=3)
    after = typist.text
    both = typist.history.changes
    at = typist.text.index("thirty")
    typist.edit(at, at + 6, "line 30", gap=9)
    assert typist.history.changes == both[:1]
    typist.edit(at, at + 7, "thirty", gap=9)
    assert (typist.text, typist.history.changes) == (after, both)
    typist.replace("line 20", "twenty", gap=9)
    assert len(typist.history.changes) == 3


def test_undo_of_several_changes_at_once() -> None:
    typist = Typist()
    for number in (1, 15, 35):
        typist.replace(f"line {number}\n", f"row {number}\n", gap=2)
    typist.edit(0, len(typist.text), TEXT, gap=5)
    assert typist.history.changes == ()


def test_undo_in_one_document_leaves_the_others_alone() -> None:
    one = Typist()
    other = Typist("a\nb\n", one.history, "file:///b.py")
    one.replace("line 1\n", "one\n")
    other.now = 5.0
    other.replace("a", "x")
    one.now = 9.0
    one.edit(0, len(one.text), TEXT)
    assert [change.uri for change in one.history.changes] == ["file:///b.py"]


def test_accepted_suggestions_are_marked_and_stand_alone() -> None:
    typist = Typist()
    typist.type(0, "a")
    typist.edit(1, 1, "bc", accepted=True)
    typist.type(3, "d")
    assert [change.accepted for change in typist.history.changes] == [False, True, False]
    assert typist.pairs == [("", "a"), ("", "bc"), ("", "d")]


def test_the_number_of_changes_and_of_characters_is_bounded() -> None:
    typist = Typist(history=History(most=5, most_characters=4 * len(TEXT)))
    for number in range(39):
        typist.replace(f"line {number}\n", f"LINE {number}\n", gap=2)
    assert len(typist.history.changes) == 3  # the fourth is over the characters
    assert typist.history.changes[-1].after == typist.text
    small = Typist(history=History(most=5))
    for number in range(39):
        small.replace(f"line {number}\n", f"row {number}\n", gap=2)
    assert len(small.history.changes) == 5


def test_a_text_over_the_limit_leaves_nothing() -> None:
    typist = Typist(history=History(most_characters=10))
    typist.type(0, "x")
    assert typist.history.changes == ()


def test_what_was_not_told_joins_nothing() -> None:
    typist = Typist()
    typist.type(0, "a")
    typist.history.reset(URI)
    typist.type(1, "b")
    assert typist.pairs == [("", "a"), ("", "b")]


def test_old_states_are_forgotten() -> None:
    typist = Typist()
    typist.type(0, "x" * (MOST_STATES + 10))
    typist.edit(0, MOST_STATES + 10, "", gap=3)
    assert typist.history.changes == ()  # nothing is left of it all the same: net zero against the first text
    typist = Typist()
    typist.replace("line 1\n", "one\n")
    typist.type(0, ". " * MOST_STATES, gap=0.1)
    typist.edit(0, 2 * MOST_STATES, "", gap=3)
    assert len(typist.history.changes) == 2  # the state is not remembered: an edit like any other


edits = st.lists(
    st.tuples(
        st.integers(0, 60), st.integers(0, 6), st.sampled_from(["", "a", "\n", "ab\n", "é😀"]), st.sampled_from([0.1, 2.0])
    ),
    max_size=40,
)


@given(edits)
def test_every_change_leads_from_its_before_to_its_after(steps: list[tuple[int, int, str, float]]) -> None:
    """Whatever is typed: changes are never empty, have their text at their place, and the last one ends in the document."""
    typist = Typist("one\ntwo\nthree\nfour\n" * 3)
    for start, length, new, gap in steps:
        start = min(start, len(typist.text))
        typist.edit(start, min(start + length, len(typist.text)), new, gap)
        for change in typist.history.changes:
            assert change.before[change.start : change.start + len(change.removed)] == change.removed
            assert change.removed != change.inserted
            assert change.removed[:1] != change.inserted[:1] or not (change.removed and change.inserted)
        if typist.history.changes and typist.history.changes[-1].at == typist.now:
            assert typist.history.changes[-1].after == typist.text
