"""The helper thread: one piece at a time, and no more after one that failed."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

import pytest

from assistant.model.background import Background


class Owner:
    """The thread that starts pieces and hears when they are done."""

    def __init__(self) -> None:
        self.heard: queue.SimpleQueue[None] = queue.SimpleQueue()
        self.background = Background(lambda: self.heard.put(None))

    def run(self, piece: Callable[[], object]) -> None:
        self.background.start(lambda: piece)
        self.heard.get(timeout=10)
        self.background.rest()


class Source:
    """Has nothing to do, and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self) -> None:
        self.asked += 1


def test_pieces_run_one_after_another_in_one_other_thread() -> None:
    owner, threads = Owner(), list[int]()
    for _ in range(3):
        owner.run(lambda: threads.append(threading.get_ident()))
    assert len(threads) == 3
    assert set(threads) != {threading.get_ident()}
    assert len(set(threads)) == 1


def test_nothing_is_asked_for_while_a_piece_runs() -> None:
    owner, release, source = Owner(), threading.Event(), Source()
    owner.background.start(lambda: release.wait)
    owner.background.start(source)
    release.set()
    owner.heard.get(timeout=10)
    owner.background.start(source)  # its owner has not said that it took notice
    assert source.asked == 0
    owner.background.rest()
    owner.background.start(source)
    owner.background.start(source)
    assert source.asked == 2  # nothing to do is no piece


@pytest.mark.parametrize("where", ["the piece", "its source"])
def test_work_that_fails_is_the_last_and_is_told(caplog: pytest.LogCaptureFixture, where: str) -> None:
    owner, source = Owner(), Source()

    def fail() -> None:
        raise MemoryError("too little")

    if where == "the piece":
        owner.run(fail)
    else:
        owner.background.start(fail)
    owner.background.start(source)
    assert source.asked == 0
    assert "too little" in caplog.text
