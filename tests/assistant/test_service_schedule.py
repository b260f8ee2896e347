"""Supersede, wait and cancel, through the whole pipeline and in virtual time."""

from __future__ import annotations

import asyncio

import pytest

from assistant.cancel import Cancel
from assistant.types import Finish, Reason, Trigger
from tests.assistant.asking import CONFIG, ask, completer
from tests.assistant.buffers import snapshot
from tests.assistant.fakes import FakeModel
from tests.assistant.virtual_time import now, run


def test_a_burst_of_a_client_that_never_cancels_costs_two_runs() -> None:
    async def main() -> None:
        model = FakeModel(*["foo(bar, baz, qux)"] * 30, step_seconds=0.02)
        service = completer(model)
        keys = []
        for count in range(30):
            keys.append(asyncio.ensure_future(ask(service, snapshot(f"z{'q' * count}|\n"))))
            await asyncio.sleep(0.1)
        answers = await asyncio.gather(*keys)
        assert len(model.requests) <= 2
        assert answers[-1].suggestion is not None
        assert all(answer.suggestion is None for answer in answers[1:-1])
        assert {answer.reason for answer in answers[1:-1]} == {Reason.SUPERSEDED}
        assert max(answer.timings.total for answer in answers[:-1]) <= 150.0

    run(main())


def test_a_newer_position_stops_the_older_decode_at_once() -> None:
    async def main() -> None:
        model = FakeModel("a b c d e f g h i j", "1", step_seconds=0.1)
        service = completer(model)
        old = asyncio.ensure_future(ask(service, snapshot("x = |\n")))
        await asyncio.sleep(0.25)
        new = asyncio.ensure_future(ask(service, snapshot("y = |\n", trigger=Trigger.INVOKED)))
        answer = await old
        assert answer.reason is Reason.SUPERSEDED
        assert now() == pytest.approx(0.25)
        assert model.steps == 2
        assert (await new).reason is Reason.SHOWN
        assert model.finished[0] is Finish.CANCELLED

    run(main())


@pytest.mark.parametrize("newer", ["val|ue\n", "x = |\n"])
def test_a_position_that_needs_no_model_supersedes_as_well(newer: str) -> None:
    async def main() -> None:
        model = FakeModel("foo", "a b c d e f g h i j", step_seconds=0.1)
        service = completer(model)
        await ask(service, snapshot("x = |\n"))
        old = asyncio.ensure_future(ask(service, snapshot("y = |\n", trigger=Trigger.INVOKED)))
        await asyncio.sleep(0.25)
        await ask(service, snapshot(newer))
        assert (await old).reason is Reason.SUPERSEDED

    run(main())


def test_the_same_place_asked_twice_at_once_is_one_run_and_two_answers() -> None:
    async def main() -> None:
        model = FakeModel("foo", step_seconds=0.1)
        service = completer(model)
        both = await asyncio.gather(*(ask(service, snapshot("x = |\n")) for _ in range(2)))
        assert [answer.reason for answer in both] == [Reason.SHOWN] * 2
        assert len(model.requests) == 1
        assert len({answer.suggestion.id for answer in both if answer.suggestion}) == 2

    run(main())


def test_the_first_key_after_a_pause_and_a_request_by_hand_never_wait() -> None:
    async def main() -> None:
        model = FakeModel("1", "2", "3", "4")
        service = completer(model)
        assert (await ask(service, snapshot("a = |\n"))).timings.wait == 0.0
        await asyncio.sleep(0.1)
        assert (await ask(service, snapshot("b = |\n"))).timings.wait == pytest.approx(150.0)
        await asyncio.sleep(0.1)
        assert (await ask(service, snapshot("c = |\n", trigger=Trigger.INVOKED))).timings.wait == 0.0
        await asyncio.sleep(0.4)
        assert (await ask(service, snapshot("d = |\n"))).timings.wait == 0.0

    run(main())


def test_a_cancelled_request_stops_the_engine() -> None:
    async def main() -> None:
        model, cancel = FakeModel("a b c d e f", step_seconds=0.1), Cancel()
        service = completer(model)
        task = asyncio.ensure_future(service.complete(snapshot("x = |\n"), CONFIG, cancel))
        await asyncio.sleep(0.25)
        cancel.set()
        assert (await task).reason is Reason.CANCELLED
        await asyncio.sleep(0)
        assert model.finished == [Finish.CANCELLED]
        assert model.steps == 2

    run(main())


def test_a_cancelled_handler_stops_the_engine() -> None:
    async def main() -> None:
        model = FakeModel("a b c d e f", step_seconds=0.1)
        task = asyncio.ensure_future(ask(completer(model), snapshot("x = |\n")))
        await asyncio.sleep(0.25)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0)
        assert model.finished == [Finish.CANCELLED]
        assert model.steps == 2

    run(main())
