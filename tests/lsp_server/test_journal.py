"""Events as the store gets them, from snapshots and completions; the clock is a list of readings."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from assistant.types import Completion, Confidence, ModelInfo, Reason, Ruling, Snapshot, Source, Suggestion, Timings, Trigger
from lsp_server.journal import Journal
from telemetry.events import Event, Exits, Gate, Impression, Model, Opportunity, Outcome, Retention, Session, SessionEnd


class Recorder:
    """Stands in for the store: keeps what it is given."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.named: list[str] = []

    def record(self, event: Event) -> None:
        self.events.append(event)

    def file_key(self, path: str) -> str:
        self.named.append(path)
        return f"key{len(self.named)}"


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def store() -> Recorder:
    return Recorder()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def journal(store: Recorder, clock: Clock) -> Journal:
    numbers = itertools.count()
    return Journal(store, lambda: f"id{next(numbers)}", clock, lambda: clock.now + 1_000_000)


SNAPSHOT = Snapshot("file:///p/a.py", "python", "x = ", 4, path="/p/a.py", root="/p")
SUGGESTION = Suggestion("s1", "one\ntwo", "one\ntwo", 4, 4, Source.CACHE, Confidence(-0.5, -1.0, 3))
SHOWN = Completion(Reason.SHOWN, SUGGESTION, Timings(1, 2, 3, 4, 5), 6, 7, 8, {"f": 1.0})


def test_a_next_edit_is_of_its_own_kind_and_can_be_refused(journal: Journal, store: Recorder, clock: Clock) -> None:
    text = "x = old\n"
    edit = replace(SUGGESTION, text="new", inserted="new", start=4, end=7)
    journal.answered(replace(SNAPSHOT, text=text), replace(SHOWN, suggestion=edit), "next_edit")
    clock.now += 5
    journal.rejected("s1")
    opportunity, impression, outcome = store.events
    assert isinstance(opportunity, Opportunity)
    assert opportunity.kind == "next_edit"
    assert isinstance(impression, Impression)
    assert isinstance(outcome, Outcome)
    assert (outcome.impression, outcome.kind, outcome.how) == ("s1", "rejected", "notified")


def test_an_answer_is_an_opportunity_and_an_impression(journal: Journal, store: Recorder) -> None:
    journal.begin("editor", "1", "2")
    journal.model(ModelInfo("tiny", "sotto", 9, 10, "abc", "int8", 1, "", 0.0))
    journal.answered(SNAPSHOT, SHOWN)
    session, model, opportunity, impression = store.events
    assert isinstance(session, Session)
    assert (session.client, session.client_version, session.server_version) == ("editor", "1", "2")
    assert model == Model("abc", "tiny", "int8", 9)
    assert opportunity == Opportunity(
        id="id1",
        session=session.id,
        ts_ms=1_000_100_000,
        mono_ms=100_000.0,
        language="python",
        file_key="key1",
        model="abc",
        features={"f": 1.0},
        decision="show",
        reason="shown",
        t_wait=1,
        t_context=2,
        t_prefill=3,
        t_decode=4,
        t_total=5,
        prompt_tokens=6,
        reused_tokens=7,
        new_tokens=8,
    )
    assert impression == Impression("s1", "id1", 1_000_100_000, 100_000.0, 7, 2, 3, -0.5, -1.0, source="cache")


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_is_a_row(journal: Journal, store: Recorder, reason: Reason) -> None:
    journal.answered(SNAPSHOT, Completion(reason))
    (row,) = store.events
    assert isinstance(row, Opportunity)
    assert row.reason == reason.value
    assert row.decision in ("show", "hide", "skip", "suppressed_rule")
    assert row.cancelled is (reason in (Reason.CANCELLED, Reason.SUPERSEDED))


def test_an_excluded_file_is_never_named(journal: Journal, store: Recorder) -> None:
    journal.answered(replace(SNAPSHOT, language="dotenv"), Completion(Reason.EXCLUDED))
    (row,) = store.events
    assert isinstance(row, Opportunity)
    assert (row.file_key, row.language) == ("", "")
    assert store.named == []


def test_a_file_is_named_by_its_place_in_the_workspace(journal: Journal, store: Recorder) -> None:
    places = [("/home/me/p/a/b.py", "/home/me/p"), ("/tmp/p/a/b.py", "/tmp/p/"), ("C:\\p\\a\\b.py", "C:\\p"), ("/x.py", None)]
    for path, root in places:
        journal.answered(replace(SNAPSHOT, path=path, root=root, trigger=Trigger.INVOKED), Completion(Reason.EMPTY))
    assert store.named == ["p/a/b.py", "p/a/b.py", "p/a/b.py", "/x.py"]
    journal.answered(replace(SNAPSHOT, path=None), Completion(Reason.EMPTY))
    assert len(store.named) == 4


def test_acceptance_by_command(journal: Journal, store: Recorder, clock: Clock) -> None:
    journal.answered(SNAPSHOT, SHOWN)
    clock.now += 2
    journal.changed(SNAPSHOT.uri, "x = one\ntwo")
    journal.accepted("s1")
    clock.now += 29
    journal.tick()
    outcome = store.events[-1]
    assert isinstance(outcome, Outcome)
    assert (outcome.impression, outcome.kind, outcome.how) == ("s1", "accepted", "command")
    assert (outcome.accepted_chars, outcome.accepted_lines, outcome.visible_ms) == (7, 2, 2000.0)
    # The time of the fact, not of its being told.
    assert (outcome.mono_ms, outcome.ts_ms) == (102_000.0, 1_000_102_000)


def test_the_end_of_a_session_leaves_nothing_open(journal: Journal, store: Recorder) -> None:
    journal.answered(SNAPSHOT, SHOWN)
    journal.end("exit")
    outcome, end = store.events[-2:]
    assert isinstance(outcome, Outcome)
    assert outcome.kind == "censored"
    assert isinstance(end, SessionEnd)
    assert end.reason == "exit"


def test_what_the_gate_thought_is_written_with_the_opportunity(journal: Journal, store: Recorder) -> None:
    journal.gate("g1", "logistic", "{}", 210, {"auc": 0.78})
    ruling = Ruling("g1", 3, 0.2, 0.3, 0.4, 2, 0.95, True, 0.5, "gate")
    journal.answered(SNAPSHOT, Completion(Reason.GATED_HIDE, ruling=ruling))
    journal.answered(SNAPSHOT, Completion(Reason.UNSURE))
    gate, told, plain = store.events
    assert gate == Gate("g1", "logistic", "{}", 1_000_100_000, 210, {"auc": 0.78})
    assert isinstance(told, Opportunity)
    assert isinstance(plain, Opportunity)
    assert (told.gate, told.feature_version, told.p1, told.p2, told.threshold) == ("g1", 3, 0.2, 0.3, 0.4)
    assert (told.stage, told.decision, told.propensity, told.explored, told.draw) == (2, "hide", 0.95, True, 0.5)
    assert (told.why, plain.why) == ("gate", "")
    assert (plain.gate, plain.stage, plain.decision, plain.propensity, plain.p2) == ("", 0, "hide", 1.0, None)


def test_what_the_engine_left_out_is_written_where_it_says_so(journal: Journal, store: Recorder) -> None:
    journal.answered(SNAPSHOT, Completion(Reason.UNSURE, exits=(0, 5, 0, 2), saved_tokens=9))
    journal.answered(SNAPSHOT, Completion(Reason.UNSURE))
    first, *exits, second = store.events
    assert isinstance(first, Opportunity)
    assert isinstance(second, Opportunity)
    assert exits == [Exits(first.id, 2, 5), Exits(first.id, 4, 2)]
    assert (first.saved_tokens, second.saved_tokens) == (9, None)


def test_accepted_text_is_looked_at_again(journal: Journal, store: Recorder, clock: Clock) -> None:
    journal.answered(SNAPSHOT, SHOWN)
    clock.now += 2
    journal.changed(SNAPSHOT.uri, "x = one\ntwo")
    clock.now += 50
    journal.changed(SNAPSHOT.uri, "x = one\n")
    clock.now += 300
    journal.tick()
    kept = [event for event in store.events if isinstance(event, Retention)]
    assert [(event.horizon_s, event.retained_chars, event.accepted_chars) for event in kept] == [
        (30, 7, 7), (120, 4, 7), (300, 4, 7),
    ]  # fmt: skip
    assert (kept[0].impression, kept[0].mono_ms, kept[0].ts_ms) == ("s1", 132_000.0, 1_000_132_000)


def test_a_partial_outcome_is_not_final(journal: Journal, store: Recorder, clock: Clock) -> None:
    journal.answered(SNAPSHOT, SHOWN)
    clock.now += 1
    journal.partially_accepted("s1", 3)
    journal.end("exit")
    outcomes = [(event.kind, event.final, event.accepted_chars) for event in store.events if isinstance(event, Outcome)]
    assert outcomes == [("accepted_line", False, 3), ("accepted_line", True, 3)]


def test_a_listener_hears_every_fact(store: Recorder, clock: Clock) -> None:
    heard: list[str] = []
    numbers = itertools.count()
    journal = Journal(store, lambda: f"id{next(numbers)}", clock, listen=lambda fact: heard.append(type(fact).__name__))
    journal.answered(SNAPSHOT, SHOWN)
    clock.now += 2
    journal.changed(SNAPSHOT.uri, "x = one\ntwo")
    clock.now += 40
    journal.tick()
    assert heard == ["Seen", "Ended", "Retained"]
