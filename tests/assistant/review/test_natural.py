"""The model's part: it orders findings and weighs fixes, and nothing waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from assistant.cancel import Cancel
from assistant.review.natural import MOST_FINDINGS, opinions
from assistant.review.rank import Panel
from assistant.review.types import Finding, TextEdit
from assistant.types import EngineError, ModelInfo, Score, ScoreRequest
from tests.assistant.fakes import FakeModel
from tests.assistant.review.findings import finding

TEXT = "a = total(b)\nc = totl(d)\ne = 3\n"


class Judge(FakeModel):
    """Finds one word surprising, and tells what it was asked."""

    def __init__(self, word: str, fails: bool = False, slow: bool = False) -> None:
        super().__init__()
        self.word, self.fails, self.slow = word, fails, slow
        self.asked: list[ScoreRequest] = []

    async def score(self, request: ScoreRequest) -> Score:
        self.asked.append(request)
        if self.fails:
            raise EngineError("gone")
        if self.slow:
            await asyncio.sleep(60)
        strange = self.word in request.target
        return Score(40.0 if strange else 8.0, len(request.target), 5, worst=18.0 if strange else 2.0)


def ask(model: Judge | None, findings: list[Finding], budget_s: float = 5.0) -> dict[int, dict[str, float]]:
    found = asyncio.run(opinions(findings, lambda path: TEXT, model, Cancel(), budget_s))
    return {i: dict(features) for i, features in found.items()}


def test_a_surprising_line_ranks_before_an_ordinary_one() -> None:
    findings = [finding(line=line, severity="medium", confidence=0.72) for line in (0, 1)]
    found = ask(Judge("totl"), findings)
    assert found[1]["surprise"] > 1 > -1 > found[0]["surprise"]
    panel = Panel(10, lambda rule: (0, 0), lambda rule: False)
    panel.offer(findings)
    more, _ = panel.decide(found)
    assert [one.finding.line for one in more] == [1]


def test_a_fix_is_compared_with_the_lines_it_replaces() -> None:
    better, worse = (TextEdit("m.py", 17, 21, "total"),), (TextEdit("m.py", 4, 9, "totl"),)
    found = ask(Judge("totl"), [finding(line=1, fix=better), finding(line=0, fix=worse)])
    assert (found[0]["fix_gain"], found[0]["fix_loss"]) == (1.0, 0.0)
    assert (found[1]["fix_gain"], found[1]["fix_loss"]) == (0.0, 1.0)


def test_what_is_asked_is_the_line_in_its_place() -> None:
    model = Judge("")
    ask(model, [finding(line=1)])
    (request,) = model.asked
    assert request.target == "c = totl(d)"
    texts = [part.text for part in request.parts if part.text]
    assert texts[-2:] == ["\ne = 3\n", "a = total(b)\n"]


def test_without_a_model_with_a_broken_or_a_slow_one_there_are_no_features() -> None:
    makers: list[Callable[[], Judge | None]] = [lambda: None, lambda: Judge("", fails=True), lambda: Judge("", slow=True)]
    for make in makers:
        assert ask(make(), [finding()], budget_s=0.05) == {}


def test_the_number_of_questions_is_bounded() -> None:
    model = Judge("")
    ask(model, [finding(line=0)] * 50)
    assert len(model.asked) == MOST_FINDINGS


def test_the_fake_speaks_for_a_family_with_a_layout() -> None:
    info = Judge("").info
    assert isinstance(info, ModelInfo)
    assert info.family == "sotto"
