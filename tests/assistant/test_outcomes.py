"""Scripted traces of a user at a keyboard give exactly these facts; random ones never end an impression twice."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import pytest

from assistant.impression import Ended, Seen
from assistant.outcomes import Fact, OutcomeTracker
from assistant.types import Snapshot, Source, Suggestion

URI = "file:///a.py"


@dataclass
class Desk:
    """A document, a cursor, a clock and the tracker; collects the facts in order."""

    text: str = "def f(x):\n    \n\ny = 1\n"
    at: int = 14
    now: float = 1000.0
    uri: str = URI
    tracker: OutcomeTracker = field(default_factory=OutcomeTracker)
    facts: list[Fact] = field(default_factory=list)
    ids: itertools.count[int] = field(default_factory=itertools.count)

    def offer(self, ghost: str, start: int | None = None, end: int | None = None, inserted: str | None = None) -> str:
        start, end = self.at if start is None else start, self.at if end is None else end
        new = f"s{next(self.ids)}"
        suggestion = Suggestion(new, ghost, ghost if inserted is None else inserted, start, end, Source.MODEL, None)
        self.facts += self.tracker.offered(Snapshot(self.uri, "python", self.text, self.at), suggestion, f"o-{new}", self.now)
        return new

    def type(self, text: str, pause: float = 100.0) -> Desk:
        for char in text:
            self.insert(char, pause)
        return self

    def insert(self, text: str, pause: float = 100.0, behind: str = "") -> Desk:
        self.set(self.text[: self.at] + text + behind + self.text[self.at :], pause)
        self.at += len(text)
        return self

    def set(self, text: str, pause: float = 100.0) -> Desk:
        self.wait(pause)
        self.text = text
        self.facts += self.tracker.changed(self.uri, text, self.now)
        return self

    def wait(self, ms: float) -> Desk:
        self.now += ms
        return self

    def say(self, facts: list[Fact]) -> Desk:
        self.facts += facts
        return self

    def finish(self) -> list[tuple[str, str, str, float, int]]:
        """The session ends now. Every outcome as (id, kind, how, visible ms, characters)."""
        self.facts += self.tracker.finish(self.now)
        return [(f.suggestion, f.kind, f.how, f.visible_ms, f.accepted_chars) for f in self.facts if isinstance(f, Ended)]

    def seen(self) -> list[tuple[str, str]]:
        return [(fact.suggestion.id, fact.how) for fact in self.facts if isinstance(fact, Seen)]


def test_inserted_in_one_step_is_accepted_by_inference() -> None:
    desk = Desk()
    desk.offer("return x + 1")
    assert desk.insert("return x + 1", pause=800).finish() == [("s0", "accepted", "inferred", 800.0, 12)]
    assert desk.seen() == [("s0", "inferred")]


@pytest.mark.parametrize("command_first", [True, False])
def test_the_accept_command_wins_over_inference_in_either_order(command_first: bool) -> None:
    desk = Desk()
    desk.offer("return x")
    desk.wait(500)
    if command_first:
        desk.say(desk.tracker.accepted("s0", desk.now)).insert("return x", pause=0)
    else:
        desk.insert("return x", pause=0).say(desk.tracker.accepted("s0", desk.now))
    assert desk.finish() == [("s0", "accepted", "command", 500.0, 8)]


def test_a_command_rescues_what_looked_like_a_rejection() -> None:
    """An editor that indents anew while it accepts gives a text that is not the suggestion's."""
    desk = Desk()
    desk.offer("return x")
    desk.insert("    return x").say(desk.tracker.accepted("s0", desk.now + 5))
    assert [row[:3] for row in desk.finish()] == [("s0", "accepted", "command")]


def test_typed_to_the_end_key_by_key_is_typed_through() -> None:
    desk = Desk()
    desk.offer("pass")
    assert desk.type("pass").finish() == [("s0", "typed_through", "inferred", 400.0, 4)]


def test_most_of_it_typed_is_typed_through_whatever_comes_then() -> None:
    desk = Desk()
    desk.offer("abcdefghij")
    assert desk.type("abcdefghX").finish() == [("s0", "typed_through", "inferred", 900.0, 8)]


def test_typing_something_else_is_a_rejection_that_remembers_how_far_it_went() -> None:
    desk = Desk()
    desk.offer("return x + 1")
    assert desk.type("re").type("X", pause=500).finish() == [("s0", "rejected", "inferred", 700.0, 2)]


def test_erasing_before_the_cursor_is_a_rejection() -> None:
    desk = Desk()
    desk.offer("return x")
    assert desk.set(desk.text[:13] + desk.text[14:], pause=900).finish() == [("s0", "rejected", "inferred", 900.0, 0)]


def test_a_remainder_from_the_cache_is_the_same_impression() -> None:
    desk = Desk()
    desk.offer("return x + 1")
    desk.type("ret")
    desk.offer("urn x + 1")
    desk.type("urn ")
    last = desk.offer("x + 1")
    desk.wait(300).insert("x + 1", pause=0).say(desk.tracker.accepted(last, desk.now))
    assert desk.finish() == [("s0", "accepted", "command", 1000.0, 12)]
    assert desk.seen() == [("s0", "inferred")]


def test_the_same_answer_asked_for_again_is_the_same_impression_and_starts_the_timeout_anew() -> None:
    desk = Desk()
    desk.offer("return x")
    desk.wait(9000).offer("return x")
    assert desk.wait(9000).finish() == [("s0", "censored", "inferred", 18000.0, 0)]


def test_another_answer_supersedes() -> None:
    desk = Desk()
    desk.offer("return x")
    desk.wait(400).offer("yield x")
    assert desk.finish() == [("s0", "superseded", "inferred", 400.0, 0), ("s1", "censored", "inferred", 0.0, 0)]


def test_no_action_for_ten_seconds_is_ignored_however_late_the_tick() -> None:
    desk = Desk()
    desk.offer("return x")
    assert desk.say(desk.tracker.tick(desk.now + 59_000)).facts[1:] == []
    assert [(f.kind, f.visible_ms) for f in desk.tracker.tick(desk.now + 60_000) if isinstance(f, Ended)] == [
        ("ignored", 10_000.0)
    ]


def test_taken_after_long_reading_is_still_accepted() -> None:
    desk = Desk()
    desk.offer("return x")
    assert desk.insert("return x", pause=15_000).finish() == [("s0", "accepted", "inferred", 15_000.0, 8)]


def test_offered_again_after_a_long_silence_is_still_the_same_impression() -> None:
    desk = Desk()
    desk.offer("return x")
    desk.wait(15_000).offer("return x")
    assert desk.wait(100).finish() == [("s0", "censored", "inferred", 15_100.0, 0)]
    assert desk.seen() == [("s0", "inferred")]


def test_undo_right_after_the_acceptance() -> None:
    desk = Desk()
    before = desk.text
    desk.offer("return x")
    assert desk.insert("return x").set(before).finish() == [("s0", "undone", "inferred", 100.0, 0)]


def test_undo_after_the_command_that_came_before_the_change() -> None:
    desk = Desk()
    before = desk.text
    desk.offer("return x")
    desk.say(desk.tracker.accepted("s0", desk.now)).insert("return x").set(before)
    assert [row[:3] for row in desk.finish()] == [("s0", "undone", "inferred")]


def test_a_late_undo_leaves_the_acceptance() -> None:
    desk = Desk()
    before = desk.text
    desk.offer("return x")
    assert [row[1] for row in desk.insert("return x").set(before, pause=5_001).finish()] == ["accepted"]


def test_closing_the_document_is_ignoring_and_the_end_of_the_session_is_censored() -> None:
    desk = Desk()
    desk.offer("return x")
    desk.wait(50).say(desk.tracker.closed(URI, desk.now))
    other = Desk(tracker=desk.tracker, uri="untitled:1", ids=desk.ids, facts=desk.facts, now=desk.now)
    other.offer("return x")
    assert other.wait(70).finish() == [("s0", "ignored", "inferred", 50.0, 0), ("s1", "censored", "inferred", 70.0, 0)]


def test_partial_acceptances_grow_and_precede_the_end() -> None:
    desk = Desk()
    id = desk.offer("one two\nthree four")
    for chars in (3, 3, 7, 5):
        desk.say(desk.tracker.partially_accepted(id, chars, desk.wait(100).now))
    desk.insert("one two", pause=0).say(desk.tracker.partially_accepted(id, 18, desk.wait(100).now))
    assert [(f.kind, f.accepted_chars, f.accepted_lines, f.final) for f in desk.facts if isinstance(f, Ended)] == [
        ("accepted_word", 3, 1, False),
        ("accepted_line", 7, 1, False),
    ]
    assert desk.finish()[2:] == [("s0", "accepted", "notified", 500.0, 18)]


def test_a_partial_acceptance_told_after_the_end_is_no_news() -> None:
    desk = Desk()
    id = desk.offer("pass")
    desk.type("pass").say(desk.tracker.partially_accepted(id, 2, desk.now)).say(desk.tracker.rejected(id, desk.now))
    assert desk.finish() == [("s0", "typed_through", "inferred", 400.0, 4)]


def test_a_partial_length_counts_from_the_start_of_the_replaced_range() -> None:
    desk = Desk(text="x = foo", at=7)
    id = desk.offer("x = foobar(1)", start=0, end=7, inserted="bar(1)")
    desk.say(desk.tracker.partially_accepted(id, 10, desk.now))
    assert desk.finish()[0] == ("s0", "accepted_word", "notified", 0.0, 3)


def test_dismissed_by_the_client() -> None:
    desk = Desk()
    id = desk.offer("return x")
    desk.wait(800).say(desk.tracker.rejected(id, desk.now))
    assert desk.finish() == [("s0", "rejected", "notified", 800.0, 0)]


@pytest.mark.parametrize(
    ("ghost", "ms", "kind"),
    [("x", 319, "unread"), ("x", 320, "rejected"), ("x" * 60, 799, "unread"), ("x" * 60, 800, "rejected")],
)
@pytest.mark.parametrize("told", [True, False])
def test_a_rejection_faster_than_reading_is_told_apart(ghost: str, ms: float, kind: str, told: bool) -> None:
    """0.3 s and 20 ms for each character, 0.8 s at most."""
    desk = Desk()
    id = desk.offer(ghost)
    if told:
        desk.wait(ms).say(desk.tracker.rejected(id, desk.now))
    else:
        desk.insert("!", pause=ms)
    assert desk.finish() == [("s0", kind, "notified" if told else "inferred", ms, 0)]


def test_what_was_taken_in_part_is_no_rejection_however_fast() -> None:
    desk = Desk()
    id = desk.offer("one two three")
    desk.say(desk.tracker.partially_accepted(id, 3, desk.wait(100).now)).insert("one", pause=0).type("!")
    assert desk.finish() == [("s0", "accepted_word", "notified", 100.0, 3), ("s0", "accepted_word", "notified", 200.0, 3)]


def test_whole_words_in_one_step_are_a_partial_acceptance_by_inference() -> None:
    desk = Desk()
    desk.offer("open(name)\nnext")
    desk.insert("open(").insert("name)").wait(400).say(desk.tracker.closed(URI, desk.now))
    assert desk.finish() == [
        ("s0", "accepted_word", "inferred", 100.0, 5),
        ("s0", "accepted_line", "inferred", 200.0, 10),
        ("s0", "accepted_line", "inferred", 600.0, 10),
    ]
    assert [fact.final for fact in desk.facts if isinstance(fact, Ended)] == [False, False, True]


@pytest.mark.parametrize("step", ["ope", "open(n", "re"])
def test_some_letters_in_one_step_are_typing(step: str) -> None:
    """A client that gathers keystrokes, or the editor's own popup finishing a word."""
    desk = Desk()
    desk.offer("open(name)" if step != "re" else "return x")
    assert desk.insert(step).type("!", pause=900).finish() == [("s0", "rejected", "inferred", 1000.0, len(step))]


def test_a_notification_confirms_an_inferred_part() -> None:
    desk = Desk()
    id = desk.offer("open name")
    desk.insert("open").say(desk.tracker.partially_accepted(id, 4, desk.now)).wait(50)
    assert desk.finish() == [
        ("s0", "accepted_word", "inferred", 100.0, 4),
        ("s0", "accepted_word", "notified", 100.0, 4),
        ("s0", "accepted_word", "notified", 150.0, 4),
    ]


def test_once_a_client_reports_displays_only_reported_ones_count() -> None:
    desk = Desk()
    desk.say(desk.tracker.shown(desk.offer("return x"), desk.now))
    desk.offer("yield x")
    third = desk.offer("raise x")
    assert desk.seen() == [("s0", "inferred")]
    desk.wait(20).say(desk.tracker.shown(third, desk.now))
    desk.insert("raise x", pause=200)
    assert desk.finish() == [("s0", "superseded", "inferred", 20.0, 0), ("s2", "accepted", "inferred", 200.0, 7)]
    assert desk.seen() == [("s0", "inferred"), ("s2", "notified")]


def test_an_unreported_answer_that_is_taken_was_seen_after_all() -> None:
    desk = Desk()
    desk.say(desk.tracker.shown("unknown", desk.now))
    id = desk.offer("return x")
    desk.insert("return x").say(desk.tracker.accepted(id, desk.now))
    assert desk.seen() == [("s0", "inferred")]
    assert [row[:3] for row in desk.finish()] == [("s0", "accepted", "command")]


def test_mid_line_where_the_suggestion_repeats_the_rest_of_the_line() -> None:
    text = "print()\n"
    desk = Desk(text=text, at=6)
    desk.offer("a, b)", end=7, inserted="a, b")
    assert [row[1::3] for row in desk.set("print(a, b)\n").finish()] == [("accepted", 4)]
    desk = Desk(text=text, at=6)
    desk.offer("a, b)", end=7, inserted="a, b")
    assert [row[1] for row in desk.type("a, b").finish()] == ["typed_through"]


def test_overtyping_what_the_suggestion_replaces_in_the_middle() -> None:
    desk = Desk(text="def f()\n", at=6)
    desk.offer("x): return x", end=7, inserted="x): return x")
    desk.set("def f(x)\n").set("def f(x):\n").set("def f(x): \n")
    assert [row[1] for row in desk.set("def f(x): return x\n").finish()] == ["accepted"]


def test_brackets_that_the_editor_closes_are_no_divergence() -> None:
    desk = Desk()
    desk.offer("print(x[0])")
    desk.type("print").insert("(", behind=")").type("x").insert("[", behind="]").type("0")
    assert [row[1] for row in desk.finish()] == ["typed_through"]


def test_a_closing_bracket_of_the_users_own_is_a_divergence() -> None:
    desk = Desk()
    desk.offer("print x, y, z")
    assert [row[1] for row in desk.type("print)").finish()] == ["rejected"]


def test_edits_on_other_lines_move_the_suggestion() -> None:
    desk = Desk()
    desk.offer("return x")
    desk.set("import os\n" + desk.text).set(desk.text.replace("y = 1", "y = 22"))
    desk.at += len("import os\n")
    assert [row[1] for row in desk.type("ret").insert("urn x").finish()] == ["accepted"]


def test_edits_elsewhere_on_the_line_are_divergences() -> None:
    desk = Desk(text="a = \nb\n", at=4)
    desk.offer("1 + 2")
    assert [row[1] for row in desk.set("aa = \nb\n", pause=800).finish()] == ["rejected"]


def test_lines_and_characters_beyond_the_basic_plane() -> None:
    desk = Desk(text='s = "é🙂', at=7)
    desk.offer('🙂🙂"\nnext("é")')
    desk.type("🙂")
    desk.insert('🙂"\nnext("é")')
    assert desk.finish() == [("s0", "accepted", "inferred", 200.0, 13)]
    ended = desk.facts[-1]
    assert isinstance(ended, Ended)
    assert ended.accepted_lines == 2


def test_unknown_ids_and_documents_say_nothing() -> None:
    tracker = OutcomeTracker()
    assert tracker.accepted("x", 1) + tracker.shown("x", 2) + tracker.partially_accepted("x", 3, 3) == []
    assert tracker.rejected("x", 4) + tracker.changed(URI, "t", 5) + tracker.closed(URI, 6) + tracker.finish(7) == []
