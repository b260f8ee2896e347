"""ULIDs only grow: across threads, within a millisecond, when the clock jumps back."""

from __future__ import annotations

import threading

from telemetry.ids import Ulids, milliseconds, new_id


def test_shape_and_time() -> None:
    id = Ulids(lambda: 1_469_918_176.385).new()
    assert len(id) == 26
    assert id.startswith("01ARYZ6S41")  # the example of the ULID specification
    assert milliseconds(id) == 1_469_918_176_385


def test_grows_while_the_clock_stands_or_jumps_back() -> None:
    times = iter([5.0, 5.0, 5.0, 3.0, 3.0, 6.0])
    source = Ulids(lambda: next(times))
    ids = [source.new() for _ in range(6)]
    assert ids == sorted(set(ids))


def test_unique_and_growing_in_every_thread() -> None:
    made: list[list[str]] = []

    def work() -> None:
        made.append([new_id() for _ in range(2000)])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(ids == sorted(ids) for ids in made)
    assert len({id for ids in made for id in ids}) == 8000
