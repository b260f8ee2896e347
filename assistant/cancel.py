"""A cancel token: set once, from any thread, seen by whoever asks and by whoever subscribed.

Knows nothing of what is being cancelled.
"""

from __future__ import annotations

import threading
from collections.abc import Callable


class Cancelled(Exception):  # noqa: N818 - a control signal, not an error
    """The work is no longer wanted; whoever catches it frees what it holds and answers nothing."""


class Cancel:
    """One request's token. ``set`` may be called often and from any thread; subscribers run once, in the caller's thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._set = False
        self._subscribers: list[Callable[[], None]] = []

    def is_set(self) -> bool:
        return self._set

    def check(self) -> None:
        """Raise `Cancelled` once the token is set."""
        if self._set:
            raise Cancelled

    def set(self) -> None:
        with self._lock:
            if self._set:
                return
            self._set = True
            subscribers, self._subscribers = self._subscribers, []
        for subscriber in subscribers:
            subscriber()

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call ``callback`` when the token is set, at once if it already is. Returns the function that unsubscribes."""
        with self._lock:
            if not self._set:
                self._subscribers.append(callback)
                return lambda: self._unsubscribe(callback)
        callback()
        return lambda: None

    def _unsubscribe(self, callback: Callable[[], None]) -> None:
        with self._lock:
            if callback in self._subscribers:
                self._subscribers.remove(callback)
