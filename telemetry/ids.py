"""Ids for events: ULIDs, 26 characters that sort by the time they were made. Knows nothing of what they name."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: no I, L, O, U
_RANDOM_BITS = 80


class Ulids:
    """A source of ULIDs that only grow, from any thread, also within one millisecond and when the wall clock jumps back."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._last = 0

    def new(self) -> str:
        """The next id: 48 bits of UTC milliseconds, 80 random bits; one more than the last where time did not move."""
        with self._lock:
            fresh = (int(self._clock() * 1000) << _RANDOM_BITS) | secrets.randbits(_RANDOM_BITS)
            same_time = fresh >> _RANDOM_BITS <= self._last >> _RANDOM_BITS
            self._last = self._last + 1 if same_time else fresh
            return _encode(self._last)


def milliseconds(ulid: str) -> int:
    """The UTC milliseconds at which ``ulid`` was made."""
    return sum(_ALPHABET.index(char) << (5 * place) for place, char in enumerate(reversed(ulid))) >> _RANDOM_BITS


def _encode(value: int) -> str:
    return "".join(_ALPHABET[(value >> shift) & 31] for shift in range(125, -5, -5))


new_id = Ulids().new
