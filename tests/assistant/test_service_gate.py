"""The pipeline with the real policy and a fake model: what the learned gate may hide, and what it must never do."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest

from assistant.gate.features import VERSION
from assistant.gate.model import Gate, Stage
from assistant.gate.policy import Policy
from assistant.gate.safety import LONGEST_SILENCE, SHOW_FIRST
from assistant.gate.weigher import Weigher
from assistant.service import Completer
from assistant.types import Completion, Reason, Trigger
from tests.assistant.asking import CONFIG, ask
from tests.assistant.buffers import snapshot
from tests.assistant.fakes import Canned, FakeModel, numbered
from tests.assistant.gate.made import prior
from tests.assistant.virtual_time import now, run


def gloomy(one: float = 0.0, two: float = 0.0, decided: int = 500) -> Gate:
    """The prior, with a bias of so many log-odds in each stage, for a user it knows, and bounds that leave it to utility."""
    gate = prior()

    def biased(stage: Stage, bias: float) -> Stage:
        return replace(stage, bias=bias)

    free = {name: {alpha: 0.9 for alpha in shares} for name, shares in gate.bounds.items()}
    if not one:
        free["one"] = dict.fromkeys(free["one"], 0.0)
    return replace(gate, one=biased(gate.one, one), two=biased(gate.two, two), bounds=free, decided=decided)


class User:
    """Meets one place after another, and takes or refuses what is shown there."""

    def __init__(self, gate: Gate, draw: Callable[[], float] = lambda: 0.99) -> None:
        self.policy = Policy(gate, draw)
        self.weigher = Weigher(self.policy, now)
        self.model = FakeModel()
        self.service = Completer(self.model, clock=now, new_id=numbered(), weigher=self.weigher)
        self.places = 0

    async def meets(self, trigger: Trigger = Trigger.AUTOMATIC) -> Completion:
        self.places += 1
        self.model.add("compute(first, second)")
        place = snapshot(f"import os\nvalue{self.places} = |\n", uri=f"file:///project/m{self.places}.py", trigger=trigger)
        answer = await ask(self.service, place)
        self.model.queue.clear()
        if answer.suggestion is not None:
            self.weigher.shown(answer.suggestion.id)
        return answer

    async def judges(self, count: int, kind: str) -> list[Completion]:
        """Meets ``count`` places; whatever is shown ends as ``kind``."""
        answers = []
        for _ in range(count):
            answers.append(answer := await self.meets())
            if answer.suggestion is not None:
                self.weigher.ended(answer.suggestion.id, kind, 2000.0)
        return answers


def silences(answers: list[Completion]) -> list[int]:
    """The lengths of runs of places at which nothing was shown."""
    words = "".join("x" if answer.suggestion is None else " " for answer in answers)
    return [len(word) for word in words.split()]


@pytest.mark.parametrize(("one", "two", "reason"), [(-6.0, 0.0, Reason.GATED_SKIP), (0.0, -6.0, Reason.GATED_HIDE)])
def test_who_refuses_forty_in_a_row_is_not_met_with_silence(one: float, two: float, reason: Reason) -> None:
    async def main() -> None:
        user = User(gloomy(one, two))
        user.policy.budget.taken = 100.0  # so that the bound on lost suggestions is not what speaks
        answers = []
        refused = 0
        while refused < 40:
            answers += await user.judges(1, "rejected")
            refused += answers[-1].suggestion is not None
        assert {answer.reason for answer in answers} == {Reason.SHOWN, reason}
        assert max(silences(answers)) == LONGEST_SILENCE
        assert user.weigher.hidden == sum(answer.suggestion is None for answer in answers) > 500

    run(main())


def test_the_bound_on_what_is_lost_shows_what_a_gloomy_gate_would_hide() -> None:
    async def main() -> None:
        user = User(gloomy(two=-6.0))
        answers = await user.judges(40, "rejected")
        assert {answer.reason for answer in answers} == {Reason.SHOWN}
        assert {answer.ruling.why for answer in answers if answer.ruling} == {"budget"}

    run(main())


def test_a_new_user_sees_the_first_thirty_above_the_floor() -> None:
    async def main() -> None:
        user = User(gloomy(-6.0, -6.0, decided=0))
        answers = await user.judges(SHOW_FIRST, "accepted")
        assert {answer.reason for answer in answers} == {Reason.SHOWN}
        assert {answer.ruling.why for answer in answers if answer.ruling} == {"new"}
        assert (await user.meets()).reason is Reason.GATED_SKIP
        user.model.add(Canned("foo", logprob=math.log(0.3)))
        fresh = User(gloomy(decided=0))
        fresh.model.add(Canned("foo", logprob=math.log(0.3)))
        unsure = await ask(fresh.service, snapshot("import os\nvalue = |\n"))
        assert (unsure.reason, unsure.ruling is not None) == (Reason.UNSURE, True)

    run(main())


def test_who_asks_by_hand_is_always_answered() -> None:
    async def main() -> None:
        user = User(gloomy(-9.0, -9.0))
        user.policy.budget.taken = 100.0
        assert (await user.meets()).reason is Reason.GATED_SKIP
        for _ in range(10):
            answer = await user.meets(Trigger.INVOKED)
            assert answer.suggestion is not None
            assert answer.ruling is not None
            assert (answer.ruling.why, answer.ruling.propensity) == ("invoked", 1.0)

    run(main())


def test_a_skip_saves_the_run_and_says_so() -> None:
    async def main() -> None:
        user = User(gloomy(one=-6.0))
        user.policy.budget.taken = 100.0
        answer = await user.meets()
        assert not user.model.requests
        ruling = answer.ruling
        assert ruling is not None
        assert ruling.p1 is not None
        assert ruling.threshold is not None
        assert ruling.p1 < ruling.threshold
        assert (ruling.p2, ruling.stage, ruling.why) == (None, 1, "gate")
        assert (ruling.propensity, ruling.explored, ruling.draw) == (0.95, False, 0.99)
        assert "chars" not in answer.features

    run(main())


def test_a_hide_has_both_probabilities_and_the_features_of_the_text() -> None:
    async def main() -> None:
        user = User(gloomy(two=-6.0))
        user.policy.budget.taken = 100.0
        answer = await user.meets()
        assert answer.reason is Reason.GATED_HIDE
        assert len(user.model.requests) == 1
        ruling = answer.ruling
        assert ruling is not None
        assert ruling.p1 is not None
        assert ruling.p2 is not None
        assert ruling.p2 < 0.05 < ruling.p1
        assert (ruling.stage, ruling.gate, ruling.feature_version) == (2, prior().id, VERSION)
        assert answer.features["chars"] == len("compute(first, second)")
        assert "last_code" not in answer.features

    run(main())


@pytest.mark.parametrize(("one", "two"), [(-6.0, 0.0), (0.0, -6.0), (-6.0, -6.0)])
def test_chance_shows_a_hide_and_its_chance_is_written_down(one: float, two: float) -> None:
    async def main() -> None:
        user = User(gloomy(one, two), draw=lambda: 0.01)
        user.policy.budget.taken = 100.0
        answer = await user.meets()
        assert answer.reason is Reason.SHOWN
        ruling = answer.ruling
        assert ruling is not None
        assert (ruling.explored, ruling.propensity, ruling.draw) == (True, 0.05, 0.01)

    run(main())


def test_what_the_user_is_looking_at_is_not_gated_again() -> None:
    async def main() -> None:
        user = User(gloomy(decided=500))
        user.model.add("compute(1)")
        assert (await ask(user.service, snapshot("import os\nx = |\n"))).suggestion is not None
        user.policy.gate = gloomy(-9.0, -9.0)
        user.policy.budget.taken = 100.0
        answer = await ask(user.service, snapshot("import os\nx = comp|\n"))
        assert answer.suggestion is not None
        assert answer.suggestion.inserted == "ute(1)"
        assert answer.ruling is not None
        assert (answer.ruling.why, answer.ruling.propensity) == ("standing", 1.0)
        assert user.weigher.hidden == 0

    run(main())


def test_a_text_that_was_hidden_is_weighed_anew_without_another_run() -> None:
    async def main() -> None:
        user = User(gloomy(two=-6.0))
        user.policy.budget.taken = 100.0
        user.model.add("compute(1)")
        assert (await ask(user.service, snapshot("import os\nx = |\n"))).reason is Reason.GATED_HIDE
        user.policy.gate = gloomy()
        answer = await ask(user.service, snapshot("import os\nx = comp|\n"))
        assert answer.suggestion is not None
        assert answer.ruling is not None
        assert answer.ruling.p1 is not None
        assert answer.ruling.p2 is not None
        assert len(user.model.requests) == 1

    run(main())


def test_a_gate_that_fails_shows() -> None:
    async def main() -> None:
        gate = gloomy(-9.0, -9.0)
        user = User(replace(gate, bounds={}))
        answer = await user.meets()
        assert answer.reason is Reason.SHOWN
        assert answer.ruling is not None
        assert answer.ruling.why == "error"

    run(main())


def test_outcomes_reach_the_features_of_the_next_place() -> None:
    async def main() -> None:
        user = User(gloomy())
        before = await user.meets()
        await user.judges(3, "rejected")
        after = await user.meets()
        assert before.features["past_refusals"] == 0 < after.features["past_refusals"]
        assert before.features["text_refused"] == 0 < after.features["text_refused"]

    run(main())


def test_no_gate_no_ruling() -> None:
    async def main() -> None:
        service = Completer(FakeModel("foo(1)"), clock=now, new_id=numbered())
        answer = await ask(service, snapshot("x = |\n"), CONFIG)
        assert answer.suggestion is not None
        assert answer.ruling is None
        assert {"line_before", "chars", "mean_logprob"} <= set(answer.features)

    run(main())
