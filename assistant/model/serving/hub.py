"""Whose request is next: all servers of one engine, what they sent and is not answered yet, and what interrupts what.

Knows frames, priorities and cancel words; not what a request computes, nor whether pipes or sockets carry it. Every method may
be called from any thread; requests are taken and answered by one.

One server asks for one thing at a time, but for what it teaches: so first come, first served among equals is fair between
windows, and a request that is more wanted than the one that runs interrupts it. That one begins again afterwards; what it had
computed lies in the KV cache.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assistant.types import JsonObject, Priority
from assistant.wire import CancelWord, encode

if TYPE_CHECKING:
    from assistant.model.caches import Caches

log = logging.getLogger("sotto.engine")

LAST = 100
"""Teaching the caches waits for every request of other servers; those of the same server keep their order."""
PRIORITIES = {"mark": Priority.NEXT_EDIT, "compare": Priority.NEXT_EDIT, "score": Priority.REVIEW}


class Peer:
    """One server. ``write`` sends bytes and raises `OSError` when nobody is there to read them."""

    def __init__(self, write: Callable[[bytes], None], word: CancelWord) -> None:
        self.word = word
        self.caches: Caches | None = None
        self.waiting: deque[Request] = deque()
        self.is_gone = False
        self._write = write
        self._lock = threading.Lock()

    def send(self, message: JsonObject) -> None:
        with self._lock:
            if not self.is_gone:
                try:
                    self._write(encode(message))
                except OSError:  # the reader of this connection hears of it, too, and ends it
                    self.is_gone = True


@dataclass(eq=False)
class Request:
    """A frame, and the moment it arrived: its budget runs from there."""

    peer: Peer
    frame: JsonObject
    received: float
    order: int
    interrupted: bool = False

    @property
    def op(self) -> object:
        return self.frame.get("op")

    @property
    def number(self) -> object:
        return self.frame.get("id")

    @property
    def priority(self) -> int:
        if self.op == "generate":
            asked = self.frame.get("priority", Priority.INLINE)
            return asked if isinstance(asked, int) else Priority.INLINE
        return PRIORITIES.get(str(self.op), LAST)

    @property
    def is_stopped(self) -> bool:
        """Whether the work on it must stop, for good or for now."""
        return isinstance(self.number, int) and (self.peer.word.is_cancelled(self.number) or self.peer.is_gone)

    @property
    def is_unwanted(self) -> bool:
        return isinstance(self.number, int) and (self.peer.word.is_unwanted(self.number) or self.peer.is_gone)


class Hub:
    """``clock`` gives seconds. Between `take` and the next one the request that was taken is running."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._peers: list[Peer] = []
        self._calls: deque[Callable[[], None]] = deque()
        self._running: Request | None = None
        self._said: JsonObject | None = None
        self._order = 0

    @property
    def peers(self) -> tuple[Peer, ...]:
        with self._changed:
            return tuple(self._peers)

    def join(self, peer: Peer) -> None:
        """A server has come; it hears what was said last."""
        with self._changed:
            self._peers.append(peer)
            if self._said is not None:
                peer.send(self._said)
            self._changed.notify()

    def leave(self, peer: Peer) -> None:
        """A server is gone: nobody waits for its answers, and what it taught is forgotten with it."""
        with self._changed:
            peer.is_gone = True
            peer.waiting.clear()
            if peer in self._peers:
                self._peers.remove(peer)
            running = self._running
            if running is not None and running.peer is peer:
                self._interrupt(running)
            peer.word.remove()
            self._changed.notify()

    def announce(self, message: JsonObject) -> None:
        """Tell all servers, and those to come."""
        with self._changed:
            self._said = message
            for peer in self._peers:
                peer.send(message)

    def tell(self, message: JsonObject) -> None:
        """Tell the server whose request is running, or all of them."""
        with self._changed:
            for peer in [self._running.peer] if self._running is not None else self._peers:
                peer.send(message)

    def push(self, peer: Peer, frame: JsonObject) -> None:
        """A frame has come."""
        with self._changed:
            if frame.get("op") == "cancel":
                self._drop(peer, frame.get("id"))
                return
            self._order += 1
            request = Request(peer, frame, self._clock(), self._order)
            peer.waiting.append(request)
            running = self._running
            if running is not None and running.peer is not peer and request.priority < running.priority < LAST:
                running.interrupted = True
                self._interrupt(running)
            self._changed.notify()

    def call(self, work: Callable[[], None]) -> None:
        """Let the thread that takes requests do this first."""
        with self._changed:
            self._calls.append(work)
            self._changed.notify()

    def take(self, patience: float | None = None) -> Request | None:
        """The next request; ``None`` after ``patience`` seconds without one, or when something was done for `call`."""
        with self._changed:
            self._running = None
            self._changed.wait_for(lambda: bool(self._calls) or any(peer.waiting for peer in self._peers), patience)
            work = self._calls.popleft() if self._calls else None
            if work is None:
                self._running = self._next()
                return self._running
        work()
        return None

    def again(self, request: Request) -> None:
        """The request was interrupted and begins again when it is its turn; its budget begins then, too."""
        with self._changed:
            assert request.interrupted
            request.interrupted, request.received = False, self._clock()
            request.peer.word.resume()
            if not request.peer.is_gone:
                request.peer.waiting.appendleft(request)

    @property
    def has_work(self) -> bool:
        with self._changed:
            return bool(self._calls) or any(peer.waiting for peer in self._peers)

    def show_life(self) -> None:
        """Whoever waits can see that the engine is at work."""
        for peer in self._peers:
            peer.word.show_life()

    def count_step(self) -> None:
        """A pass begins."""
        self.show_life()
        if self._running is not None:
            self._running.peer.word.count_step()

    def _next(self) -> Request | None:
        """The most wanted of all waiting ones, the oldest of equals, or what its server had sent before it."""
        ready = [min(peer.waiting, key=lambda one: (one.priority, one.order)) for peer in self._peers if peer.waiting]
        best = min(ready, key=lambda one: (one.priority, one.order), default=None)
        return best.peer.waiting.popleft() if best is not None else None

    def _drop(self, peer: Peer, number: object) -> None:
        for request in peer.waiting:
            if request.number == number:
                peer.waiting.remove(request)
                peer.send({"id": number, "error": "cancelled", "last": True})
                return

    @staticmethod
    def _interrupt(request: Request) -> None:
        if isinstance(request.number, int):
            request.peer.word.interrupt(request.number)
