"""Whose request is next, and what interrupts what, when several servers use one engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from assistant.model.serving.hub import Hub, Peer, Request
from assistant.types import JsonObject, Priority
from assistant.wire import CancelWord

Connect = Callable[[], Peer]
KEY: JsonObject = {"op": "generate"}
EDIT: JsonObject = {"op": "mark"}
AHEAD: JsonObject = {"op": "generate", "priority": Priority.AHEAD}
REVIEW: JsonObject = {"op": "score"}
LEARN: JsonObject = {"op": "learn"}


@pytest.fixture
def hub() -> Hub:
    return Hub()


@pytest.fixture
def connect(hub: Hub, tmp_path: Path) -> Iterator[Connect]:
    """Make a server with a cancel word of its own; what it is sent is thrown away."""
    words: list[CancelWord] = []

    def make(write: Callable[[bytes], None] = lambda data: None) -> Peer:
        words.append(CancelWord(str(tmp_path / f"word{len(words)}"), create=True))
        peer = Peer(write, words[-1])
        hub.join(peer)
        return peer

    yield make
    for word in words:
        word.close()


def order(hub: Hub) -> list[object]:
    """The ids of all that waits, in the order they are taken."""
    taken = []
    while (request := hub.take(0)) is not None:
        taken.append(request.number)
    return taken


def push(hub: Hub, peer: Peer, frame: JsonObject, number: int) -> None:
    hub.push(peer, {**frame, "id": number})


def took(hub: Hub) -> Request:
    request = hub.take(0)
    assert request is not None
    return request


def test_the_most_wanted_first_over_all_windows(hub: Hub, connect: Connect) -> None:
    for number, frame in enumerate((LEARN, REVIEW, AHEAD, EDIT, KEY)):
        push(hub, connect(), frame, number)
    assert order(hub) == [4, 3, 2, 1, 0]


def test_windows_that_ask_for_the_same_take_turns(hub: Hub, connect: Connect) -> None:
    a, b, c = connect(), connect(), connect()
    for number in range(4):
        push(hub, a, KEY, number)
    push(hub, b, KEY, 10)
    push(hub, c, KEY, 20)
    assert order(hub) == [0, 1, 2, 3, 10, 20]  # the oldest first: a window has one request at a time
    push(hub, a, KEY, 5)
    push(hub, b, KEY, 11)
    assert took(hub).number == 5
    push(hub, a, KEY, 6)
    assert order(hub) == [11, 6]


def test_what_one_window_sends_keeps_its_order(hub: Hub, connect: Connect) -> None:
    """A key behind a hundred documents takes them with it: they cost nothing when they are only taken in."""
    a, b = connect(), connect()
    for number in range(3):
        push(hub, a, LEARN, number)
    push(hub, b, EDIT, 10)
    push(hub, a, KEY, 3)
    assert order(hub) == [0, 1, 2, 3, 10]


@pytest.mark.parametrize(("running", "comes"), [(EDIT, KEY), (AHEAD, KEY), (REVIEW, KEY), (REVIEW, EDIT), (REVIEW, AHEAD)])
def test_a_more_wanted_request_of_another_window_interrupts(
    hub: Hub, connect: Connect, running: JsonObject, comes: JsonObject
) -> None:
    a, b = connect(), connect()
    push(hub, a, running, 1)
    request = took(hub)
    assert not request.is_stopped
    push(hub, b, comes, 2)
    assert request.is_stopped
    assert request.interrupted
    assert not request.is_unwanted
    hub.again(request)
    assert not request.is_stopped
    assert order(hub) == [2, 1]


@pytest.mark.parametrize(("running", "comes"), [(KEY, KEY), (EDIT, EDIT), (EDIT, REVIEW), (KEY, EDIT), (LEARN, KEY)])
def test_nothing_else_interrupts(hub: Hub, connect: Connect, running: JsonObject, comes: JsonObject) -> None:
    a, b = connect(), connect()
    push(hub, a, running, 1)
    request = took(hub)
    push(hub, b, comes, 2)
    assert not request.is_stopped


def test_an_interrupted_request_goes_before_what_its_window_sent_later(hub: Hub, connect: Connect) -> None:
    a, b = connect(), connect()
    push(hub, a, REVIEW, 1)
    request = took(hub)
    push(hub, a, REVIEW, 2)
    push(hub, b, KEY, 10)
    hub.again(request)
    assert order(hub) == [10, 1, 2]


def test_an_interrupted_request_has_its_whole_budget_again(tmp_path: Path) -> None:
    now = 10.0
    hub = Hub(lambda: now)
    peers = [Peer(lambda data: None, CancelWord(str(tmp_path / name), create=True)) for name in "ab"]
    for peer in peers:
        hub.join(peer)
    push(hub, peers[0], REVIEW, 1)
    request = took(hub)
    assert request.received == 10
    push(hub, peers[1], KEY, 2)
    now = 15.0
    hub.again(request)
    assert took(hub).number == 2
    assert took(hub).received == 15


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_cancel_outlives_an_interruption(hub: Hub, connect: Connect, when: str) -> None:
    a, b = connect(), connect()
    push(hub, a, REVIEW, 1)
    request = took(hub)
    if when == "before":
        a.word.cancel(1)
    push(hub, b, KEY, 2)
    hub.again(request)
    if when == "after":
        a.word.cancel(1)
    assert request.is_stopped
    assert request.is_unwanted


def test_a_cancelled_request_that_waits_is_answered_at_once(hub: Hub, connect: Connect) -> None:
    said: list[bytes] = []
    a, b = connect(), connect(said.append)  # type: ignore[call-arg]
    push(hub, a, KEY, 1)
    took(hub)
    push(hub, b, KEY, 2)
    hub.push(b, {"op": "cancel", "id": 2})
    hub.push(b, {"op": "cancel", "id": 2})
    assert len(said) == 1
    assert b'"id":2' in said[0]
    assert b"cancelled" in said[0]
    assert order(hub) == []


def test_a_window_that_is_gone_is_waited_for_by_nobody(hub: Hub, connect: Connect) -> None:
    a, b = connect(), connect()
    push(hub, a, KEY, 1)
    request = took(hub)
    push(hub, a, LEARN, 2)
    push(hub, b, REVIEW, 3)
    hub.leave(a)
    assert request.is_stopped
    assert hub.peers == (b,)
    assert order(hub) == [3]
    assert not Path(a.word.path).exists()


def test_who_comes_later_hears_what_was_said_last(hub: Hub, connect: Connect) -> None:
    hub.announce({"event": "loading"})
    hub.announce({"event": "ready"})
    said: list[bytes] = []
    connect(said.append)  # type: ignore[call-arg]
    assert len(said) == 1
    assert b"ready" in said[0]


def test_every_window_sees_that_the_engine_works_but_counts_its_own_steps(hub: Hub, connect: Connect) -> None:
    a, b = connect(), connect()
    push(hub, a, KEY, 1)
    took(hub)
    before = b.word.alive
    hub.count_step()
    assert b.word.alive != before
    assert (a.word.steps, b.word.steps) == (1, 0)


def test_work_is_done_between_requests(hub: Hub, connect: Connect) -> None:
    done: list[int] = []
    push(hub, connect(), KEY, 1)
    hub.call(lambda: done.append(1))
    assert hub.take(0) is None
    assert done == [1]
    assert took(hub).number == 1
