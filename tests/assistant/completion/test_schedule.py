"""Supersede, share, wait: all in virtual time."""

from __future__ import annotations

import asyncio
import threading

import pytest

from assistant.cancel import Cancel
from assistant.completion.schedule import LONGEST_WAIT, Ended, Schedule
from tests.assistant.virtual_time import now, run


class Work:
    """Jobs that take ``seconds`` and remember when they began and whether they were stopped."""

    def __init__(self, seconds: float = 1.0) -> None:
        self.seconds = seconds
        self.began: list[float] = []
        self.stopped: list[Cancel] = []
        self.ended = 0

    async def __call__(self, cancel: Cancel) -> str:
        self.began.append(now())
        try:
            await asyncio.sleep(self.seconds)
        except asyncio.CancelledError:
            self.stopped.append(cancel)
            raise
        self.ended += 1
        return f"job {len(self.began)}"


def test_the_newest_position_wins_and_the_older_one_is_answered_at_once() -> None:
    async def main() -> None:
        schedule, work = Schedule[str](now), Work()
        first = asyncio.ensure_future(schedule.run("a", 1, 0.0, work, Cancel()))
        await asyncio.sleep(0.1)
        second = asyncio.ensure_future(schedule.run("a", 2, 0.0, work, Cancel()))
        assert await first is Ended.SUPERSEDED
        assert now() == pytest.approx(0.1)
        assert await second == "job 2"
        assert len(work.stopped) == 1
        assert work.stopped[0].is_set()

    run(main())


def test_documents_do_not_disturb_each_other() -> None:
    async def main() -> None:
        schedule, work = Schedule[str](now), Work()
        both = await asyncio.gather(*(schedule.run(uri, 1, 0.0, work, Cancel()) for uri in "ab"))
        assert both == ["job 2", "job 2"]
        assert work.ended == 2

    run(main())


def test_the_same_place_asked_twice_shares_one_run() -> None:
    async def main() -> None:
        schedule, work = Schedule[str](now), Work()
        both = await asyncio.gather(*(schedule.run("a", 1, 0.0, work, Cancel()) for _ in range(2)))
        assert both == ["job 1", "job 1"]
        assert len(work.began) == 1

    run(main())


def test_who_asks_by_hand_ends_the_wait_of_the_same_place() -> None:
    async def main() -> None:
        schedule, work = Schedule[str](now), Work()
        typed = asyncio.ensure_future(schedule.run("a", 1, 0.2, work, Cancel()))
        await asyncio.sleep(0.05)
        assert await schedule.run("a", 1, 0.0, work, Cancel()) == "job 1"
        assert await typed == "job 1"
        assert work.began == [pytest.approx(0.05)]

    run(main())


def test_one_of_two_leaves_and_the_work_goes_on_both_leave_and_it_stops() -> None:
    async def main() -> None:
        schedule, work = Schedule[str](now), Work()
        cancels = [Cancel(), Cancel()]
        both = [asyncio.ensure_future(schedule.run("a", 1, 0.0, work, cancel)) for cancel in cancels]
        await asyncio.sleep(0.1)
        cancels[0].set()
        assert await both[0] is Ended.CANCELLED
        assert not work.stopped
        cancels[1].set()
        assert await both[1] is Ended.CANCELLED
        await asyncio.sleep(0)
        assert work.stopped
        assert now() == pytest.approx(0.1)

    run(main())


def test_a_cancelled_caller_stops_the_work() -> None:
    async def main() -> None:
        schedule, work = Schedule[str](now), Work()
        task = asyncio.ensure_future(schedule.run("a", 1, 0.0, work, Cancel()))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0)
        assert work.stopped[0].is_set()

    run(main())


def test_a_token_set_before_the_call_or_from_another_thread_counts() -> None:
    async def main() -> None:
        schedule, work, cancel = Schedule[str](now), Work(), Cancel()
        cancel.set()
        assert await schedule.run("a", 1, 0.0, work, cancel) is Ended.CANCELLED
        other = Cancel()
        task = asyncio.ensure_future(schedule.run("a", 2, 0.0, work, other))
        await asyncio.sleep(0.01)
        thread = threading.Thread(target=other.set)
        thread.start()
        thread.join()
        assert await task is Ended.CANCELLED
        assert work.ended == 0

    run(main())


def test_what_the_work_raises_reaches_every_caller_and_the_next_one_runs_anew() -> None:
    async def main() -> None:
        schedule = Schedule[str](now)

        async def broken(cancel: Cancel) -> str:
            await asyncio.sleep(0.1)
            raise ValueError("broken")

        both = await asyncio.gather(*(schedule.run("a", 1, 0.0, broken, Cancel()) for _ in range(2)), return_exceptions=True)
        assert [str(error) for error in both] == ["broken", "broken"]
        assert await schedule.run("a", 1, 0.0, Work(), Cancel()) == "job 1"

    run(main())


def test_a_document_that_is_forgotten_stops() -> None:
    async def main() -> None:
        schedule, work = Schedule[str](now), Work()
        task = asyncio.ensure_future(schedule.run("a", 1, 0.0, work, Cancel()))
        await asyncio.sleep(0.1)
        schedule.forget("a")
        assert await task is Ended.SUPERSEDED
        assert schedule.pace("a", 1, 0.075) == 0.0

    run(main())


@pytest.mark.parametrize(
    ("gap", "wait"),
    [
        (0.02, 0.075),
        (0.05, 0.075),
        (0.1, 0.15),
        (0.16, 0.24),
        (0.2, LONGEST_WAIT),
        (0.29, LONGEST_WAIT),
        (0.31, 0.0),
        (2.0, 0.0),
    ],
)
def test_the_wait_grows_with_the_users_pace(gap: float, wait: float) -> None:
    times = iter(gap * i for i in range(10))
    schedule = Schedule[str](lambda: next(times))
    assert schedule.pace("a", 0, 0.075) == 0.0
    for key in range(1, 10):
        assert schedule.pace("a", key, 0.075) == pytest.approx(wait)


def test_a_least_wait_above_the_longest_is_the_users_wish() -> None:
    times = iter((0.0, 0.1))
    schedule = Schedule[str](lambda: next(times))
    schedule.pace("a", 1, 0.5)
    assert schedule.pace("a", 2, 0.5) == 0.5


@pytest.mark.parametrize("times_asked", [1, 2, 3])
def test_thirty_keys_in_three_seconds_run_twice(times_asked: int) -> None:
    """Whether a client asks once for each key, or again for every event that a key causes."""

    async def main() -> None:
        schedule, work = Schedule[str](now), Work(seconds=0.06)
        keys = []
        for key in range(30):
            for _ in range(times_asked):
                wait = schedule.pace("a", key, 0.075)
                keys.append(asyncio.ensure_future(schedule.run("a", key, wait, work, Cancel())))
                await asyncio.sleep(0.001)
            await asyncio.sleep(0.1 - 0.001 * times_asked)
        answers = await asyncio.gather(*keys)
        assert len(work.began) == 2
        assert answers[-1] == "job 2"
        assert set(answers[times_asked:-times_asked]) == {Ended.SUPERSEDED}

    run(main())
