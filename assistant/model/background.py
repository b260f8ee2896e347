"""One helper thread that does one piece of work at a time and says when it is done.

Knows functions; not what they do, nor when it is a good time for the next one.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable

log = logging.getLogger("sotto.engine")


class Background:
    """``done`` is called in the helper thread after each piece; the owner then calls `rest` in its own."""

    def __init__(self, done: Callable[[], None]) -> None:
        self._done = done
        self._pieces: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self._busy = self._broken = False
        threading.Thread(target=self._run, name="background", daemon=True).start()

    def start(self, next_piece: Callable[[], Callable[[], object] | None]) -> None:
        """Ask for the next piece and run it, unless one is running, or one has failed: it would fail again."""
        if self._busy or self._broken:
            return
        try:
            piece = next_piece()
        except Exception:
            self._fail()
            return
        if piece is not None:
            self._busy = True
            self._pieces.put(piece)

    def rest(self) -> None:
        """What was started is done."""
        self._busy = False

    def _run(self) -> None:
        while True:
            try:
                self._pieces.get()()
            except Exception:
                self._fail()
            self._done()

    def _fail(self) -> None:
        log.exception("background work failed; there is none until the engine is started again")
        self._broken = True
