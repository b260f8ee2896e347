"""The gate in the server: which one is in force, what it takes up, and when and what it learns from a real store."""

from __future__ import annotations

import asyncio
import dataclasses
import random
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from assistant.completion.context import Windows, look
from assistant.gate.model import PRIOR_PATH, load
from assistant.gate.safety import PERSONAL_FROM
from assistant.impression import Ended, Seen
from assistant.types import Completion, Reason, Ruling, Snapshot, Source, Suggestion, Trigger
from lsp_server import gate_file
from lsp_server.gatekeeper import FOLLOW_S, IDLE_S, LESSON, Gatekeeper
from lsp_server.journal import Journal
from telemetry import queries
from telemetry.events import Gate, Impression, Opportunity, Outcome
from telemetry.store import Store
from tests.assistant.gate.made import features


class Clock:
    now = 10_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(tmp_path)
    yield opened
    opened.close()


def remember(store: Store, count: int, reason: str = "shown", outcome: str = "rejected", model: str = "m1") -> None:
    """``count`` opportunities of an hour ago."""
    rng = random.Random(count)
    then = int(time.time() * 1000) - 3_600_000
    for index in range(count):
        id, at = f"{reason}{model}{index:04}", then + index * 1000
        decision = {"shown": "show", "gated_hide": "hide"}.get(reason, "skip")
        numbers = features(rng)
        store.record(
            Opportunity(
                id,
                "S",
                at,
                float(index),
                decision=decision,
                reason=reason,
                features=numbers,
                p1=0.4,
                p2=0.3,
                stage=2,
                model=model,
            )
        )
        if decision == "show":
            store.record(Impression(f"I{id}", id, at, float(index), 20, 1))
            store.record(Outcome(f"I{id}", outcome, at + 2000, float(index), 2000.0))
    assert store.flush(10)


def keeper(store: Store, warned: list[str], clock: Callable[[], float] = time.monotonic) -> Gatekeeper:
    return Gatekeeper(store.path.parent, store.path, "balanced", warned.append, lambda: 0.5, clock)


def test_a_damaged_gate_gives_the_prior_and_one_warning(store: Store) -> None:
    async def main() -> None:
        (store.path.parent / "gate.json").write_text(PRIOR_PATH.read_text()[:-100])
        warned: list[str] = []
        gate = keeper(store, warned)
        assert gate.status()["kind"] == "prior"
        assert gate.status()["id"] == load(PRIOR_PATH).id
        (text,) = warned
        assert "sotto gate reset" in text
        gate.close()

    asyncio.run(main())


def test_it_takes_up_what_earlier_sessions_knew(store: Store) -> None:
    async def main() -> None:
        remember(store, 40, outcome="accepted")
        remember(store, 10, "gated_hide")
        remember(store, 30, "unsure")  # the quality floor's, not the gate's
        gate = keeper(store, [])
        await gate.recall()
        policy = gate.weigher.policy
        assert policy is not None
        assert gate.status()["decisions"] == 40
        assert 0 < policy.budget.taken <= 40
        assert policy.budget.hidden == pytest.approx(3.0, abs=0.2)
        gate.close()

    asyncio.run(main())


def test_it_learns_from_the_store_in_another_process_and_puts_it_in_force(store: Store) -> None:
    async def main() -> None:
        remember(store, 80)
        warned: list[str] = []
        gate = keeper(store, warned)
        journal = Journal(store, lambda: "session")
        gate.begin(journal)
        prior = gate.status()["id"]
        await gate.learn()
        status = gate.status()
        assert (status["kind"], status["decisions"]) == ("personal", 80)
        assert status["id"] != prior
        assert load(store.path.parent / "gate.json").id == status["id"]
        assert gate.weigher.policy is not None
        assert gate.weigher.policy.gate.two.bias < 0, "this user refuses everything"
        gate.close()
        again = keeper(store, warned)
        assert again.status()["id"] == status["id"]
        assert warned == []
        again.close()

    asyncio.run(main())


def test_a_lesson_that_fails_leaves_the_gate(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        remember(store, 40)
        gate = keeper(store, [])
        before = gate.status()["id"]
        monkeypatch.setattr("lsp_server.gatekeeper.python_command", lambda _: ["python-that-is-not-there"])
        await gate.learn()
        assert gate.status()["id"] == before
        assert not (store.path.parent / "gate.json").exists()
        gate.close()

    asyncio.run(main())


def test_few_judgements_change_nothing(store: Store) -> None:
    async def main() -> None:
        remember(store, PERSONAL_FROM - 1)
        gate = keeper(store, [])
        await gate.learn()
        assert gate.weigher.policy is not None
        assert gate.weigher.policy.gate.two.bias == 0
        gate.close()

    asyncio.run(main())


def test_another_model_starts_from_the_prior_and_an_old_one_is_known_again(store: Store) -> None:
    async def main() -> None:
        clock = Clock()
        remember(store, 80)
        gate = keeper(store, [], clock)
        gate.model("m1")
        await gate.learn()
        learned = gate.status()["id"]
        assert gate.status()["kind"] == "personal"
        assert load(store.path.parent / "gate.json").record["model"] == "m1"
        gate.model("m2")
        assert gate.status()["kind"] == "prior"
        clock.now += FOLLOW_S
        await gate.follow()
        assert gate.status()["kind"] == "prior", "the file is of the other model"
        gate.model("m1")
        clock.now += FOLLOW_S
        await gate.follow()
        assert gate.status()["id"] == learned
        gate.close()

    asyncio.run(main())


def test_a_lesson_is_of_this_models_rows_only(store: Store) -> None:
    async def main() -> None:
        remember(store, 80, model="m1")
        remember(store, 20, reason="shown", model="m2")
        gate = keeper(store, [])
        gate.model("m2")
        await gate.learn()
        assert gate.status()["kind"] == "personal"
        assert gate.weigher.policy is not None
        assert gate.weigher.policy.gate.record["yours"]["rows"] == 20
        gate.close()

    asyncio.run(main())


def test_a_reset_from_outside_reaches_a_server_that_runs(store: Store) -> None:
    async def main() -> None:
        clock = Clock()
        remember(store, 80)
        gate = keeper(store, [], clock)
        await gate.learn()
        assert (gate.status()["kind"], gate.status()["decisions"]) == ("personal", 80)
        assert gate_file.forget(store.path.parent)
        await gate.follow()
        assert gate.status()["kind"] == "personal", "it looks every few seconds only"
        clock.now += FOLLOW_S
        await gate.follow()
        assert (gate.status()["kind"], gate.status()["decisions"]) == ("prior", 0)
        for model in ("", "m2", "m1"):
            gate.model(model)
            await gate.learn()
            assert gate.weigher.policy is not None
            assert gate.weigher.policy.gate.decided == 0, "what was forgotten is not learned again"
            assert gate_file.since(gate_file.current(store.path.parent)[0]) > 0
        gate.close()

    asyncio.run(main())


def test_a_gate_that_another_server_learned_is_taken_up(store: Store) -> None:
    async def main() -> None:
        clock = Clock()
        remember(store, 80)
        first, second = keeper(store, []), keeper(store, [], clock)
        await first.learn()
        clock.now += FOLLOW_S
        await second.follow()
        assert second.status()["id"] == first.status()["id"]
        (store.path.parent / "gate.json").write_text("no gate")
        clock.now += FOLLOW_S
        await second.follow()
        assert second.status()["id"] == first.status()["id"], "a broken file changes nothing"
        (store.path.parent / "gate.json").unlink()
        clock.now += FOLLOW_S
        await second.follow()
        assert (second.status()["kind"], second.status()["decisions"]) == ("prior", 0)
        first.close()
        second.close()

    asyncio.run(main())


def test_next_edits_and_reviews_are_no_lessons(store: Store) -> None:
    for number, kind in enumerate(("inline", "next_edit", "review")):
        store.record(Opportunity(f"K{number}", "S", number, 1.0, kind=kind, decision="show", reason="shown", p2=0.5))
    assert store.flush(10)
    assert [row.id for row in gate_file.judged(store.path)] == ["K0"]


def test_a_refused_lesson_is_told_and_not_kept(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        remember(store, 80)
        gate = keeper(store, [])
        before = gate.status()["id"]
        refused = "import sys; from assistant.gate import promote, refit; promote.MARGIN = -1.0; sys.exit(refit.main())"
        monkeypatch.setattr("lsp_server.gatekeeper.python_command", lambda _: [sys.executable, "-c", refused])
        await gate.learn()
        assert gate.status()["id"] == before
        assert gate.status()["lastLesson"]["promoted"] is False
        assert not (store.path.parent / "gate.json").exists()
        gate.close()

    asyncio.run(main())


def judge(gate: Gatekeeper, count: int) -> None:
    """Displays that are refused, as the journal tells of them."""
    site = look(Snapshot("file:///p/a.py", "python", "x = ", 4, path="/p/a.py"), Windows.of(1024, 96))
    for index in range(count):
        suggestion = Suggestion(f"s{index}", "one", "one", 4, 4, Source.MODEL, None)
        case = gate.weigher.case(site, Trigger.AUTOMATIC, False, False)
        assert case.runs()
        case.tells(suggestion, 100.0)
        assert case.shows(standing=False)
        case.offered(suggestion)
        gate.hear(Seen(suggestion, f"o{index}", 0.0, "inferred"))
        gate.hear(Ended(suggestion.id, "rejected", "inferred", 2000.0, 2000.0, 0, 0))


def test_it_learns_when_there_is_enough_that_is_old_enough_and_the_user_rests(store: Store) -> None:
    async def main() -> None:
        clock = Clock()
        gate = keeper(store, [], clock)
        judge(gate, LESSON - 1)
        clock.now += 3600
        assert not gate.due(), "one is missing"
        judge(gate, 1)
        clock.now += IDLE_S
        assert not gate.due(), "an undo may still come"
        clock.now += 15 * 60
        gate.asked()
        assert not gate.due(), "the user is at work"
        clock.now += IDLE_S
        assert gate.due()
        assert not gate.due(), "once is enough"
        gate.close()

    asyncio.run(main())


def test_the_gate_in_force_stands_in_the_record_without_words(store: Store) -> None:
    async def main() -> None:
        gate = keeper(store, [])
        journal = Journal(store, lambda: "session", listen=gate.hear)
        gate.begin(journal)
        snapshot = Snapshot("file:///p/a.py", "python", "x = ", 4, path="/p/a.py")
        ruling = Ruling(gate.status()["id"], 1, 0.4, 0.3, 0.1, 2, 0.05, True, 0.01, "explored")
        journal.answered(snapshot, Completion(Reason.GATED_SKIP, ruling=ruling))
        assert store.flush(10)
        (row,) = queries.gate_rows(store.path)
        assert (row.p1, row.p2, row.threshold, row.propensity, row.explored) == (0.4, 0.3, 0.1, 0.05, True)
        (told,) = gate_file.last(store.path, 5)
        assert (told.decision, told.reason) == ("skip", "explored")
        gate.close()

    asyncio.run(main())


def test_what_is_told_of_a_gate_is_numbers(store: Store) -> None:
    async def main() -> None:
        class Listener:
            def __init__(self) -> None:
                self.events: list[object] = []

            def record(self, event: object) -> None:
                self.events.append(event)

            def file_key(self, path: str) -> str:
                return path

        heard = Listener()
        gate = keeper(store, [])
        gate.begin(Journal(heard, lambda: "id"))
        (event,) = heard.events
        assert isinstance(event, Gate)
        assert (event.id, event.kind, event.n) == (load(PRIOR_PATH).id, "prior", 0)
        assert "http" not in event.json
        assert "github" not in event.json
        assert dataclasses.asdict(event)["metrics"] == {}
        gate.close()

    asyncio.run(main())
