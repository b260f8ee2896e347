"""Reading the model: what is kept, what it cost, that it stops, and what it thought of its words."""

from __future__ import annotations

import asyncio

import pytest

from assistant.cancel import Cancel
from assistant.completion.generate import confidence, generate
from assistant.completion.multiline import LINE, Mode, Shape
from assistant.completion.stop import Stopper
from assistant.types import EngineError, Finish, GenerateRequest, Part
from tests.assistant.buffers import site
from tests.assistant.fakes import Canned, FakeModel
from tests.assistant.virtual_time import now, run

REQUEST = GenerateRequest((Part(text="x"),), max_tokens=50)


def test_the_engine_is_stopped_as_soon_as_the_block_is_complete() -> None:
    async def main() -> None:
        said = "\n    return 1\nprint(1)\n" + "more()\n" * 20
        model = FakeModel(said)
        answer = await generate(model, REQUEST, Stopper(site("def f():|"), Mode(Shape.BLOCK)), Cancel(), now)
        assert answer.text == "\n    return 1"
        assert model.finished == [Finish.CANCELLED]
        assert model.steps <= 7
        assert answer.new_tokens == model.steps
        assert not answer.hurried

    run(main())


def test_the_costs_are_the_engines_own_or_by_our_clock_where_the_answer_was_stopped() -> None:
    async def main() -> None:
        model = FakeModel("foo(a)", "x = 1\ny", step_seconds=0.1)
        whole = await generate(model, REQUEST, Stopper(site("x = |"), LINE), Cancel(), now)
        assert (whole.costs.prompt_tokens, whole.costs.prefill_ms, whole.costs.decode_ms) == (100, 2.0, 3.0)
        stopped = await generate(model, REQUEST, Stopper(site("a\n|"), Mode(Shape.STATEMENT)), Cancel(), now)
        assert stopped.costs.prompt_tokens == 0
        assert (round(stopped.costs.prefill_ms), round(stopped.costs.decode_ms)) == (100, 400)

    run(main())


def test_setting_the_token_ends_the_decode_within_a_step() -> None:
    async def main() -> None:
        model, cancel = FakeModel("a b c d e f g h", step_seconds=0.1), Cancel()
        task = asyncio.ensure_future(generate(model, REQUEST, Stopper(site("x = |"), LINE), cancel, now))
        await asyncio.sleep(0.25)
        cancel.set()
        await task
        assert model.finished == [Finish.CANCELLED]
        assert model.steps == 2
        assert now() <= 0.35

    run(main())


def test_a_cancelled_reader_closes_the_stream() -> None:
    async def main() -> None:
        model = FakeModel("a b c d e f g h", step_seconds=0.1)
        task = asyncio.ensure_future(generate(model, REQUEST, Stopper(site("x = |"), LINE), Cancel(), now))
        await asyncio.sleep(0.25)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert model.finished == [Finish.CANCELLED]
        assert model.steps == 2

    run(main())


def test_an_engine_that_cannot_answer_says_so() -> None:
    async def main() -> None:
        with pytest.raises(EngineError, match="loading"):
            await generate(FakeModel(Canned("", error="loading")), REQUEST, Stopper(site("x = |"), LINE), Cancel(), now)

    run(main())


def test_an_answer_ended_by_the_clock_is_hurried() -> None:
    async def main() -> None:
        model = FakeModel(Canned("foo(b", finish=Finish.BUDGET))
        answer = await generate(model, REQUEST, Stopper(site("x = |"), LINE), Cancel(), now)
        assert (answer.text, answer.hurried) == ("foo(", True)

    run(main())


TOKENS = ((0, -0.1), (3, -0.2), (4, -0.4), (7, -0.8))  # foo ( bar )


@pytest.mark.parametrize(
    ("skip", "shown", "mean", "least", "count"),
    [
        ("", "foo(bar)", -0.375, -0.8, 4),
        ("", "foo(bar", -0.7 / 3, -0.4, 3),
        ("", "foo", -0.1, -0.1, 1),
        ("foo", "(bar)", -1.4 / 3, -0.8, 3),
        ("foo(b", "ar)", -0.6, -0.8, 2),
        ("foo(ba", "r", -0.4, -0.4, 1),
    ],
)
def test_confidence_is_that_of_the_shown_tokens(skip: str, shown: str, mean: float, least: float, count: int) -> None:
    sure = confidence("foo(bar)", TOKENS, skip, shown)
    assert sure is not None
    assert (round(sure.mean_logprob, 6), sure.min_logprob, sure.tokens) == (round(mean, 6), least, count)


def test_white_space_that_was_rewritten_does_not_shift_it() -> None:
    sure = confidence("\n    a\n", ((0, -1.0), (5, -2.0), (6, -4.0)), "", "\n\ta")
    assert sure is not None
    assert (sure.mean_logprob, sure.tokens) == (-1.5, 2)


def test_no_tokens_no_confidence() -> None:
    assert confidence("foo", (), "", "foo") is None


CUTS = {
    "before a bracket": ("x = |", LINE, "foo(bar)", 1, "foo"),
    "the half word goes too": ("x = |", LINE, "first.second_name", 3, "first."),
    "a half of the only word is nothing": ("x = |", LINE, "second_name", 1, ""),
    "what was typed is no word of the suggestion": ("x = sec|", LINE, "ond(a, b)", 3, "ond(a"),
    "the first token is never cut": ("x = |", LINE, "foo(bar)", 0, "foo(bar)"),
    "whole lines of several": ("def f(x):|", Mode(Shape.BLOCK), "\n    a = 1\n    b = x.go()\n", 8, "\n    a = 1"),
    "whole words of the first of several": ("def f(x):|", Mode(Shape.BLOCK), "\n    b = x.go(1)\n", 7, "\n    b = x.go"),
    "no open string of several lines": ("x = |", LINE, 'f("""ab cd', 5, ""),
}


@pytest.mark.parametrize(("text", "mode", "said", "doubted", "kept"), CUTS.values(), ids=CUTS)
def test_what_is_doubted_is_cut_off_and_the_engine_stops_there(
    text: str, mode: Mode, said: str, doubted: int, kept: str
) -> None:
    async def main() -> None:
        model = FakeModel(Canned(said, doubts=(doubted,)))
        answer = await generate(model, REQUEST, Stopper(site(text), mode), Cancel(), now, least=0.4)
        assert answer.text == kept
        assert answer.doubted == (doubted > 0)
        if doubted:
            assert model.finished == [Finish.CANCELLED]
            assert model.steps == doubted + 1

    run(main())


def test_nothing_is_cut_off_unless_asked() -> None:
    async def main() -> None:
        model = FakeModel(Canned("foo(bar)", doubts=(1,)))
        answer = await generate(model, REQUEST, Stopper(site("x = |"), LINE), Cancel(), now)
        assert (answer.text, answer.doubted) == ("foo(bar)", False)

    run(main())
