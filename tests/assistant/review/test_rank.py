"""Which few are shown, and how sure one has to be."""

from __future__ import annotations

import pytest

from assistant.review.rank import THRESHOLD, Panel, most, probability
from assistant.review.types import Evidence, Severity
from tests.assistant.review.findings import finding


def nobody(rule: str) -> tuple[int, int]:
    return 0, 0


def panel(lines: int = 10, **judged: tuple[int, int]) -> Panel:
    return Panel(lines, lambda rule: judged.get(rule, (0, 0)), lambda rule: False)


def test_three_comments_and_one_more_for_150_changed_lines() -> None:
    assert [most(0), most(149), most(150), most(2_000)] == [3, 3, 4, 16]
    made = panel(10)
    found = [finding(line=100 * i, confidence=0.9 - i / 100) for i in range(6)]
    admitted = made.offer(found)
    more, hidden = made.decide()
    assert [one.finding.line for one in [*admitted, *more]] == [0, 100, 200]
    assert {one.why_hidden for one in hidden} == {"3 comments are enough for a change of this size"}


def test_one_in_ten_lines_the_likeliest() -> None:
    made = panel()
    made.offer([finding(line=5, severity="medium", confidence=0.8), finding(line=14, severity="medium", confidence=0.9)])
    more, hidden = made.decide()
    assert [one.finding.line for one in more] == [14]
    assert [one.why_hidden for one in hidden] == ["there is another comment close by"]
    made.offer([finding("other.py", 14, severity="medium"), finding(line=24, severity="medium")])
    assert {one.finding.path for one in made.decide()[0]} == {"other.py", "m.py"}


@pytest.mark.parametrize("severity", ["high", "medium", "low"])
def test_each_severity_has_its_threshold(severity: Severity) -> None:
    for delta, shown in ((0.02, 1), (-0.02, 0)):
        made = panel()
        made.offer([finding(severity=severity, confidence=THRESHOLD[severity] + delta)])
        assert len(made.decide()[0]) == shown


def test_the_users_judgements_move_the_probability() -> None:
    one = finding(confidence=0.7)
    assert probability(one, nobody) == pytest.approx(0.7)
    assert probability(one, lambda rule: (8, 0)) > 0.8
    assert probability(one, lambda rule: (0, 8)) < 0.4


def test_evidence_agreement_and_the_model_move_it_too_and_nothing_leaves_the_unit_interval() -> None:
    one = finding(confidence=0.7)
    seen = finding(confidence=0.7, evidence=tuple(Evidence("a.py", i, "x") for i in range(3)))
    assert probability(seen, nobody) > probability(one, nobody)
    assert probability(one, nobody, {"agreed": 1.0}) > probability(one, nobody, {"surprise": 1.0}) > probability(one, nobody)
    assert probability(one, nobody, {"fix_loss": 1.0}) < probability(one, nobody)
    for confidence in (0.0, 1.0):
        assert 0 < probability(finding(confidence=confidence), nobody, {"surprise": 1e9}) < 1


def test_only_what_is_grave_and_likely_is_shown_before_the_rest_is_known() -> None:
    made = panel()
    found = [finding(line=0), finding(line=50, severity="medium"), finding(line=90, confidence=0.6)]
    assert [one.finding.line for one in made.offer(found)] == [0]
    assert [one.line for one in made.waiting] == [90, 50]
    assert [one.finding.line for one in made.decide({1: {"fix_loss": 3.0}})[0]] == [90]


def test_a_silent_rule_says_nothing() -> None:
    made = Panel(10, nobody, lambda rule: rule == "r")
    assert made.offer([finding()]) == []
    assert [one.why_hidden for one in made.decide()[1]] == ["you have dismissed this rule too often"]
