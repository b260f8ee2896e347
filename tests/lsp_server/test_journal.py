"""Events as the store gets them, from snapshots and completions; the clock is a list of readings."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from assistant.types import Completion, Confidence, ModelInfo, Reason, Snapshot, Source, Suggestion, Timings, Trigger
from lsp_server.journal import Journal
from telemetry.events import Event, Impression, Model, Opportunity, Outcome, Session, SessionEnd


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
    clock.now += 60
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
