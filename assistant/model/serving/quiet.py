"""When nobody asks: after a while memory is given back, and an engine without servers ends.

Knows a clock that is handed in, and how long is long. Does not know what is given back.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

RELEASE_S = 300.0
"""After so long the KV cache goes: to fill it again costs the next key one prefill (12 ms of the shipped model's)."""
LINGER_S = 120.0
"""An engine that no server uses any more waits so long for a window that is opened again."""


class Quiet:
    """``clock`` gives seconds."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, release_s: float = RELEASE_S, linger_s: float = LINGER_S
    ) -> None:
        self._clock, self._release_s, self._linger_s = clock, release_s, linger_s
        self._asked = self._used = clock()
        self._released = True

    def asked(self) -> None:
        """A request was answered."""
        self._asked, self._released = self._clock(), False

    def used(self) -> None:
        """A server is connected."""
        self._used = self._clock()

    def release(self) -> bool:
        """Whether memory is to be given back now; once for each time of quiet."""
        if self._released or self._clock() - self._asked < self._release_s:
            return False
        self._released = True
        return True

    @property
    def is_over(self) -> bool:
        """Whether no server has been connected for too long."""
        return self._clock() - self._used >= self._linger_s

    def patience(self, is_used: bool) -> float | None:
        """Seconds until one of these is to be asked again; ``None`` when only a request can change them."""
        now = self._clock()
        release = math.inf if self._released else self._asked + self._release_s - now
        over = math.inf if is_used else self._used + self._linger_s - now
        soonest = min(release, over)
        return None if soonest == math.inf else max(0.0, soonest)
