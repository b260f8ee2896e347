"""Accepted texts, looked at again after 30, 120 and 300 seconds: scripted edits give exact character counts."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.outcomes import OutcomeTracker
from assistant.retained import Retained, Watches, still_there
from tests.assistant.test_outcomes import URI, Desk

LINE = "return x + 1"


def accepted_desk(text: str = LINE) -> Desk:
    desk = Desk()
    desk.offer(text)
    return desk.insert(text, pause=1000)


def looked(desk: Desk) -> list[tuple[int, int, int]]:
    return [(f.horizon_s, f.chars, f.accepted_chars) for f in desk.facts if isinstance(f, Retained)]


def ticks(desk: Desk, seconds: int) -> Desk:
    for _ in range(seconds):
        desk.wait(1000).say(desk.tracker.tick(desk.now))
    return desk


def test_untouched_text_is_all_there_three_times() -> None:
    desk = accepted_desk()
    assert looked(ticks(desk, 29)) == []
    assert looked(ticks(desk, 1)) == [(30, 12, 12)]
    assert looked(ticks(desk, 300)) == [(30, 12, 12), (120, 12, 12), (300, 12, 12)]
    (first, *_) = [fact for fact in desk.facts if isinstance(fact, Retained)]
    assert (first.suggestion, first.at_ms) == ("s0", 32_000.0), "thirty seconds after it was accepted, at 2 s"


def edited(edit: Callable[[str], str]) -> list[tuple[int, int, int]]:
    desk = accepted_desk()
    return looked(ticks(desk.set(edit(desk.text), pause=6000), 30))


@pytest.mark.parametrize(
    ("name", "edit", "chars"),
    [
        ("a line above", lambda text: "import os\n" + text, 12),
        ("more behind it", lambda text: text.replace(LINE, LINE + " + 2"), 12),
        ("a comment before it", lambda text: text.replace(LINE, "# so\n    " + LINE), 12),
        ("deleted", lambda text: text.replace(LINE, ""), 0),
        ("replaced by something else", lambda text: text.replace(LINE, "pass"), 0),
        ("a name changed", lambda text: text.replace("return x", "return y"), 11),
        ("a word put in", lambda text: text.replace("x + 1", "x * 2 + 1"), 12),
        ("the end cut off", lambda text: text.replace(" + 1", ""), 8),
        ("everything deleted", lambda text: "", 0),
        ("moved by one edit", lambda text: text.replace(LINE, "pass") + "\n" * 2000 + LINE, 12),
    ],
)
def test_edits(name: str, edit: Callable[[str], str], chars: int) -> None:
    assert edited(edit) == [(30, chars, 12)], name


def test_the_same_text_written_elsewhere_is_another_text() -> None:
    desk = accepted_desk()
    desk.set(desk.text.replace(LINE, "pass"), pause=6000)
    assert looked(ticks(desk.set(desk.text + "\n" * 20 + LINE), 30)) == [(30, 0, 12)]


def test_a_deletion_that_is_undone_is_still_there() -> None:
    desk = accepted_desk()
    before = desk.text
    desk.wait(6000).set(before.replace(LINE, "")).set(before)
    assert looked(ticks(desk, 30)) == [(30, 12, 12)]


def test_typed_again_at_its_edge_is_still_there() -> None:
    desk = accepted_desk()
    before = desk.text
    desk.wait(6000).set(before.replace(LINE, LINE[:-1])).set(before)
    assert looked(ticks(desk, 30)) == [(30, 12, 12)]


def test_a_formatter_costs_the_white_space_it_changes() -> None:
    text = "if x:\n      y = 1\n      z = 2"
    desk = accepted_desk(text)
    formatted = desk.text.replace("      ", "    ").replace("def f(x)", "def f( x )")
    desk.set(formatted, pause=6000)
    assert looked(ticks(desk, 30)) == [(30, len(text) - 12, len(text))]


def test_an_edit_counts_from_its_time_on() -> None:
    desk = accepted_desk()
    ticks(desk, 60).set(desk.text.replace(LINE, "pass"))
    assert looked(ticks(desk, 300)) == [(30, 12, 12), (120, 0, 12), (300, 0, 12)]


def test_a_late_tick_answers_for_the_time_that_was_due() -> None:
    """A laptop slept; the first change afterwards comes after the answer."""
    desk = accepted_desk()
    desk.set(desk.text.replace(LINE, "pass"), pause=200_000)
    assert looked(desk) == [(30, 12, 12), (120, 12, 12)]


def test_a_command_that_comes_before_its_insertion() -> None:
    desk = Desk()
    desk.offer(LINE)
    desk.wait(1000).say(desk.tracker.accepted("s0", desk.now))
    assert looked(ticks(desk.insert(LINE, pause=10), 30)) == [(30, 12, 12)]


def test_a_command_whose_insertion_never_comes_left_nothing() -> None:
    desk = Desk()
    desk.offer(LINE)
    desk.wait(1000).say(desk.tracker.accepted("s0", desk.now))
    assert looked(ticks(desk, 31)) == [(30, 0, 12)]


def test_what_was_taken_or_typed_in_part_is_followed_too() -> None:
    desk = Desk()
    id = desk.offer("one two three")
    desk.insert("one two", pause=900).say(desk.tracker.partially_accepted(id, 7, desk.now)).insert("!")
    assert looked(ticks(desk, 31)) == [(30, 7, 7)]
    desk = Desk()
    desk.offer("pass")
    assert looked(ticks(desk.type("pass", pause=300), 31)) == [(30, 4, 4)]


def test_what_was_typed_and_at_once_deleted_is_gone() -> None:
    """The deletion is what ends it, and nothing is edited afterwards."""
    desk = Desk()
    desk.offer("abcdefghij")
    desk.type("abcdefgh")
    assert looked(ticks(desk.set("def f(x):\n    \n\ny = 1\n"[:14] + "\n\ny = 1\n" + "z"), 31)) == [(30, 0, 8)]


@pytest.mark.parametrize("how", ["undone", "rejected", "closed", "finished"])
def test_what_was_not_accepted_or_is_out_of_sight_gives_no_row(how: str) -> None:
    desk = Desk()
    desk.offer(LINE)
    before = desk.text
    if how == "rejected":
        desk.type("!", pause=900)
    else:
        desk.insert(LINE, pause=900)
    if how == "undone":
        desk.set(before)
    elif how == "closed":
        desk.say(desk.tracker.closed(URI, desk.now))
    elif how == "finished":
        desk.finish()
    assert looked(ticks(desk, 301)) == []


def test_documents_are_kept_apart_and_let_go() -> None:
    tracker = OutcomeTracker()
    one = Desk(tracker=tracker, uri="file:///one.py")
    two = Desk(tracker=tracker, uri="file:///two.py", ids=one.ids, facts=one.facts)
    for desk in (one, two):
        desk.offer(LINE)
        desk.insert(LINE, pause=900)
    one.set(one.text.replace(LINE, "pass"), pause=6000)
    two.now = one.now
    assert [f.chars for f in ticks(two, 301).facts if isinstance(f, Retained)] == [0, 12, 0, 12, 0, 12]
    assert tracker._watches._documents == {}


def test_several_in_one_document_move_with_each_other() -> None:
    desk = Desk()
    for text in ("alpha = 1", "beta = 2", "gamma = 3"):
        desk.offer(text)
        desk.insert(text, pause=1000).insert("\n", pause=1000)
    desk.set(desk.text.replace("beta = 2\n", ""), pause=6000)
    assert {f.suggestion: f.chars for f in ticks(desk, 40).facts if isinstance(f, Retained)} == {"s0": 9, "s1": 0, "s2": 9}


@pytest.mark.parametrize(
    ("accepted", "region", "chars"),
    [
        ("", "abc", 0),
        ("foo(bar)", "foo(baz)", 5),
        ("foo(bar)", "bar(foo)", 4),
        ("a b c", "a  b  c", 3),
        ("xx yy", "", 0),
        ("é🙂 = 1", "x é🙂 = 2", 5),
    ],
)
def test_the_longest_common_sequence_of_pieces(accepted: str, region: str, chars: int) -> None:
    assert still_there(accepted, region) == chars


def test_long_texts_are_compared_line_by_line() -> None:
    lines = [f"value_{number} = compute({number}, {number})\n" for number in range(60)]
    kept = [line for number, line in enumerate(lines) if number % 3]
    assert still_there("".join(lines), "".join(kept)) == len("".join(kept))


@given(st.text("ab\n ", max_size=12), st.lists(st.tuples(st.integers(0, 30), st.integers(0, 5), st.text("abc\n", max_size=4))))
def test_places_stay_within_the_text_whatever_is_edited(accepted: str, edits: list[tuple[int, int, str]]) -> None:
    text = "x = 1\n" + accepted + "\ny = 2\n"
    watches = Watches()
    watches.add("s", URI, text, accepted, (6, 6 + len(accepted)), 0.0)
    for at, removed, added in edits:
        text = text[:at] + added + text[at + removed :]
        watches.changed(URI, text)
        for document in watches._documents.values():
            for watch in document.watches:
                assert 0 <= watch.start <= watch.end <= len(text)
    for fact in watches.due(300_000.0):
        assert 0 <= fact.chars <= fact.accepted_chars == len(accepted)
        assert fact.chars == 0 or set(accepted) & set(text)
