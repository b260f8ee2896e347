"""The rules before the learned gate, and its decisions: who is shown what, with which chance, and what keeps it from harm."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.gate.features import STAGE_ONE, STAGE_TWO
from assistant.gate.model import Gate, Stage
from assistant.gate.policy import SETTINGS, Decision, Policy, chance, is_sure, skip
from assistant.gate.rows import GateRow
from assistant.gate.safety import EXPLORE, EXPLORE_ALARMED, LONGEST_SILENCE, PAUSE_S, SHOW_FIRST
from assistant.types import Confidence
from tests.assistant.buffers import site
from tests.assistant.gate.made import prior

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("marked", "skipped"),
    [
        ("retu|rn x\n", True),
        ("x = |value\n", True),
        ("x = |_value\n", True),
        ("x = |größe\n", True),
        ("x = |(value)\n", False),
        ("x = | + 1\n", False),
        ("foo(|)\n", False),
        ("if a:\n  |  (b)\n", True),
        ("foo(\n    |)\n", False),
        ("if a:|\n    b()\n", True),
        ("if a:|\n", False),
        ("if a:|\nb()\n", False),
        ("x = {\n    1:|\n        2}\n", False),
        ("return |\n", False),
        ("|", True),
        ("\n\n  |\n", True),
        ("i|", True),
        ("|\nimport os\n", False),
    ],
)
def test_places_not_worth_a_run(marked: str, skipped: bool) -> None:
    assert skip(site(marked)) is skipped


def test_the_mean_probability_decides() -> None:
    half = Confidence(math.log(0.5), -3.0, 4)
    assert is_sure(half, 0.49)
    assert not is_sure(half, 0.51)
    assert is_sure(None, 1.0)


class Scripted:
    """Draws in order, then 0.99: nothing is explored."""

    def __init__(self, *draws: float) -> None:
        self.left = list(draws)

    def __call__(self) -> float:
        return self.left.pop(0) if self.left else 0.99


def stage(p: float) -> Stage:
    """A stage that always says ``p``."""
    return Stage(("chars",), (0.0,), math.log(p / (1 - p)), ())


def gate(p1: float = 0.9, p2: float = 0.9, bound: float = 1.0, decided: int = 1000) -> Gate:
    bounds = {name: dict.fromkeys(("0.02", "0.05", "0.1"), bound) for name in ("one", "two")}
    return Gate(stage(p1), stage(p2), bounds, decided)


def policy(*draws: float, taken: float = 1e6, setting: str = "balanced", **how: Any) -> Policy:
    """A policy with a history of ``taken`` suggestions, so that its budget allows any hide."""
    made = Policy(gate(**how), Scripted(*draws), setting)
    made.budget.taken = taken
    return made


def decide(made: Policy, invoked: bool = False, chars: float = 25.0) -> Decision:
    one = made.before({}, invoked)
    return one if one.action == "skip" else made.after({"chars": chars}, invoked, one)


def test_likely_is_shown_unlikely_is_hidden_and_hopeless_is_not_computed() -> None:
    shown = decide(policy())
    assert (shown.action, shown.reason, shown.propensity) == ("show", "sure", 1.0)
    assert (shown.p, shown.threshold) == pytest.approx((0.9, 0.186), abs=0.001)
    hidden = decide(policy(p2=0.05))
    assert (hidden.action, hidden.reason, hidden.propensity) == ("hide", "gate", 0.95)
    skipped = decide(policy(p1=0.05))
    assert (skipped.action, skipped.reason, skipped.propensity) == ("skip", "gate", 0.95)


def test_a_request_by_hand_is_never_gated() -> None:
    assert decide(policy(p1=0.001, p2=0.001), invoked=True).action == "show"


def test_a_new_user_sees_everything_for_thirty_decisions() -> None:
    made = policy(p1=0.01, p2=0.01, decided=0)
    for _ in range(SHOW_FIRST):
        shown = decide(made)
        assert (shown.reason, shown.propensity) == ("new", 1.0)
        made.ended(shown, 0.0)
    assert decide(made).action == "skip"


def test_a_refit_in_between_does_not_shorten_that() -> None:
    made = policy(p1=0.01, decided=0)
    for _ in range(20):
        made.ended(decide(made), 1.0)
    made.gate = gate(p1=0.01, decided=20)
    assert decide(made).reason == "new"


@pytest.mark.parametrize("unlikely", [{"p1": 0.05}, {"p2": 0.05}])
def test_an_explored_hide_is_shown_with_its_chance(unlikely: dict[str, Any]) -> None:
    shown = decide(policy(0.01, **unlikely))
    assert (shown.action, shown.reason, shown.propensity) == ("show", "explored", EXPLORE)
    assert shown.explored


def test_an_explored_skip_is_not_hidden_by_stage_two() -> None:
    shown = decide(policy(0.01, p1=0.05, p2=0.05))
    assert (shown.action, shown.propensity) == ("show", EXPLORE)
    assert shown.p == pytest.approx(0.05)


@pytest.mark.parametrize("unlikely", [{"p1": 0.05}, {"p2": 0.05}])
def test_silence_has_an_end(unlikely: dict[str, Any]) -> None:
    made = policy(**unlikely)
    actions = [decide(made) for _ in range(3 * LONGEST_SILENCE)]
    shown = [index for index, decision in enumerate(actions) if decision.action == "show"]
    assert shown == [LONGEST_SILENCE, 2 * LONGEST_SILENCE + 1]
    assert {actions[index].reason for index in shown} == {"silence"}


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_silence_ends_after_ten_minutes_of_work_too() -> None:
    """Someone who types little: one moment every forty seconds."""
    clock = Clock()
    made = Policy(gate(p2=0.05), Scripted(), clock=clock)
    made.budget.taken = 1e6
    reasons = []
    for _ in range(40):
        clock.now += 40
        reasons.append(decide(made).reason)
    shown = [index for index, reason in enumerate(reasons) if reason == "silence"]
    assert shown == [14, 29], "fifteen times forty seconds"
    assert len(shown) + reasons.count("gate") == len(reasons)


def test_being_away_is_no_silence() -> None:
    """A gap counts as a minute, however long: the first moment after a night is decided like any other."""
    clock = Clock()
    made = Policy(gate(p2=0.05), Scripted(), clock=clock)
    made.budget.taken = 1e6
    assert decide(made).reason == "gate"
    clock.now += 8 * 3600
    assert decide(made).reason == "gate"
    assert made.quiet_s == PAUSE_S


def test_forgetting_begins_anew() -> None:
    made = policy(p2=0.05, decided=0)
    for _ in range(SHOW_FIRST):
        made.ended(decide(made), 1.0)
    assert decide(made).reason == "gate"
    made.forget()
    assert (made.decisions, decide(made).reason) == (0, "new")


def test_a_skip_that_silence_prevents_is_not_hidden_either() -> None:
    made = policy(p1=0.05, p2=0.05)
    reasons = [decide(made).reason for _ in range(LONGEST_SILENCE + 1)]
    assert reasons == ["gate"] * LONGEST_SILENCE + ["silence"]


def test_hiding_stops_when_its_estimated_cost_reaches_the_share() -> None:
    made = policy(p2=0.1, taken=10.0)
    assert [decide(made).action for _ in range(8)] == ["hide"] * 5 + ["show"] * 3  # 5 % of 10 taken is about 0.5
    made.budget.taken += 10
    assert decide(made).action == "hide"


def test_explored_hides_that_are_taken_make_hiding_dearer() -> None:
    made = policy(0.01, 0.01, 0.01, p2=0.05, taken=10.0)
    for _ in range(3):
        made.ended(decide(made), 1.0)
    assert made.budget.correction > 2
    calm = policy(p2=0.05, taken=13.0)
    assert sum(decide(made).action == "hide" for _ in range(20)) < sum(decide(calm).action == "hide" for _ in range(20))


def test_eager_hides_least_and_quiet_most() -> None:
    def hides(setting: str) -> list[str]:
        return [decide(policy(p2=p / 100, setting=setting)).action for p in range(1, 99)]

    counts = [hides(setting).count("hide") for setting in ("eager", "balanced", "quiet")]
    assert counts == sorted(counts)
    assert counts[0] < counts[1] < counts[2]


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("chars", [1, 5, 25, 200, 2000])
def test_who_is_surer_is_never_hidden_first(setting: str, chars: float) -> None:
    actions = [decide(policy(p2=p / 100, setting=setting), chars=chars).action for p in range(1, 99)]
    assert actions == sorted(actions)  # hide, then show


def test_the_bound_on_lost_suggestions_wins_over_utility() -> None:
    assert decide(policy(p2=0.1, bound=0.05)).action == "show"
    assert decide(policy(p2=0.04, bound=0.05)).action == "hide"


def test_a_broken_gate_shows(caplog: pytest.LogCaptureFixture) -> None:
    made = policy()
    made.gate = replace(made.gate, bounds={})
    shown = decide(made)
    assert (shown.action, shown.reason) == ("show", "error")
    assert "the gate failed" in caplog.text


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.sampled_from((*STAGE_ONE, *STAGE_TWO)), st.floats()),
    st.floats(0, 1, exclude_max=True),
    st.sampled_from(list(SETTINGS)),
    st.booleans(),
)
def test_every_decision_has_a_possible_chance(features: dict[str, float], draw: float, setting: str, invoked: bool) -> None:
    made = Policy(replace(prior(), decided=100), lambda: draw, setting)
    made.budget.taken = 1e6
    one = made.before(features, invoked)
    for decision in (one, made.after(features, invoked, one)):
        assert 0 < decision.propensity <= 1
        assert decision.action in ("show", "hide", "skip")
        assert decision.p is None or 0 < decision.p < 1
        assert not (invoked and decision.action != "show")


def test_an_alarm_makes_the_gate_curious() -> None:
    made = policy(*[0.99] * 3, 0.07, p2=0.05)
    made.alarmed = 10
    assert decide(made).propensity == 1 - EXPLORE_ALARMED
    assert made.alarmed == 9


def test_recorded_rows_bring_the_budget_back() -> None:
    first = policy(p2=0.1, taken=0.0, decided=1000)
    rows = [GateRow(str(i), i, {}, "show", "accepted", p2=0.8, visible_ms=2000.0) for i in range(40)]
    first.recall(rows)
    assert first.budget.taken == pytest.approx(40, rel=0.05)
    first.recall([GateRow("h", 50, {}, "hide", p2=0.1), GateRow("i", 51, {}, "hide", p2=0.1, trigger="invoked")])
    assert first.budget.hidden == pytest.approx(0.1)
    assert decide(first).action == "hide"


def test_the_chance_of_a_candidate() -> None:
    assert chance(gate(), "balanced", 0.9, 0.9, 25) == 1.0
    assert chance(gate(), "balanced", 0.9, 0.01, 25) == EXPLORE
    assert chance(gate(), "balanced", 0.01, 0.9, 25) == EXPLORE


def test_the_server_side_of_the_gate_loads_no_numpy() -> None:
    code = (
        "import sys, assistant.gate.policy, assistant.gate.history, assistant.gate.features; sys.exit('numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
