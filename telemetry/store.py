"""The door to the event store: `record` and forget. A daemon thread writes; the caller never waits, and nothing is raised.

Knows queues and threads; the file is `telemetry.writer`'s. Works the same with a broken disk, a corrupt file or four servers on
one file: what cannot be stored is dropped, counted in ``dropped``, and ``problem`` says why.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from pathlib import Path

from telemetry import disk, spool
from telemetry.events import Event
from telemetry.writer import FOLD_S, Writer

FILE_NAME = "telemetry.db"
QUEUE_LIMIT = 10_000
BATCH_S = 0.5


class Store:
    """One process's store. Use `open`. ``path`` is the database; ``problem`` is a sentence for the user, or empty."""

    def __init__(self, folder: Path, enabled: bool) -> None:
        self.path = folder / FILE_NAME
        self.dropped = 0
        self._enabled = False
        self._key = b""
        self._thread_problem = ""
        self._writer = Writer(self.path)
        self._lock = threading.Lock()
        self._queue: list[Event] = []
        self._in_hand: list[Event] = []
        self._waiters: list[threading.Event] = []
        self._wake = threading.Event()
        self._urgent = threading.Event()
        self._closing = False
        self._thread: threading.Thread | None = None
        self._ended = False
        self.enabled = enabled

    @classmethod
    def open(cls, folder: Path, enabled: bool = True) -> Store:
        """A store in ``folder``. Never raises, touches no database yet: that is the thread's, from the first event on.

        With ``enabled`` false nothing is made on the disk at all.
        """
        return cls(folder, enabled)

    @property
    def problem(self) -> str:
        return self._writer.problem or self._thread_problem

    @property
    def enabled(self) -> bool:
        return self._enabled

    @enabled.setter
    def enabled(self, value: bool) -> None:
        """The off switch: holds from the next `record` on. Switching on makes the folder and the key if need be.

        The user's pause (`disk.paused`) is the same for all servers at once, and leaves this as it is.
        """
        if value and not self._key:
            try:
                disk.private_folder(self.path.parent)
                self._key = disk.load_key(self.path.parent)
            except OSError as error:
                folder = self.path.parent
                self._thread_problem = f"telemetry is not being recorded ({error.strerror}): check that {folder} is writable"
        self._enabled = value

    def record(self, event: Event) -> None:
        """Queue ``event``; from any thread, returns at once. A full queue drops it."""
        if not self._enabled or self._closing:
            return
        with self._lock:
            if len(self._queue) + len(self._in_hand) >= QUEUE_LIMIT:
                self.dropped += 1
                return
            self._queue.append(event)
            if len(self._queue) > 1:
                return
        self._wake.set()
        self._start()

    def file_key(self, path: str) -> str:
        """16 hex digits that stand for ``path`` in this install's rows; they cannot be turned back without its key."""
        self._key = self._key or secrets.token_bytes(disk.KEY_BYTES)  # off, or no disk: a key that nobody will need again
        return hmac.new(self._key, path.encode("utf-8", "surrogatepass"), hashlib.sha256).digest()[:8].hex()

    def flush(self, timeout: float = 0.5) -> bool:
        """Wait until everything recorded before is committed, or given up and counted. False after ``timeout`` seconds."""
        done = threading.Event()
        with self._lock:
            if self._thread is None or self._ended:
                return not self._queue
            self._waiters.append(done)
        self._urgent.set()
        self._wake.set()
        return done.wait(timeout)

    def close(self, timeout: float = 0.5) -> bool:
        """Write what is queued and end the thread; later events are ignored.

        What cannot be committed within ``timeout`` seconds goes to the spool, for the next start. False when that failed too.
        """
        self._closing = True
        done = self.flush(timeout)
        if self._thread is not None and done:
            self._thread.join(timeout)
        if self._thread is not None and self._thread.is_alive():
            return self._spool()
        return done

    def _spool(self) -> bool:
        """Save what waits or is just being written; if the thread commits it after all, the second copy changes nothing."""
        with self._lock:
            left, self._queue = [*self._in_hand, *self._queue], []
        if disk.paused(self.path.parent):
            return True
        try:
            self.dropped += spool.put(self.path, left)
        except OSError:
            self.dropped += len(left)
            return False
        return True

    def _start(self) -> None:
        with self._lock:
            if self._thread is not None:
                return
            self._thread = threading.Thread(target=self._run, name="telemetry", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # no more threads, or the interpreter is ending
            self._end("telemetry is not being recorded: the system gives no more threads")

    def _run(self) -> None:
        """Batches of `BATCH_S`; asleep while there is nothing to write or to count."""
        problem = "telemetry ended early: please report this"
        try:
            while not self._closing:
                if self._wake.wait(FOLD_S if self._writer.behind else None):
                    self._urgent.wait(BATCH_S)
                    self._write_batch()
                if not self._closing:
                    self._writer.tend()
            self._write_batch()
            if self._queue:
                self._spool()
            self._writer.close()
            problem = ""
        finally:
            self._end(problem)

    def _end(self, problem: str) -> None:
        """Nothing will be written any more: say so to whoever waits, and take no more events."""
        with self._lock:
            self._thread_problem = problem or self._thread_problem
            self._ended = self._closing = True
            self.dropped += len(self._queue)
            self._queue = []
            waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter.set()

    def _write_batch(self) -> None:
        with self._lock:
            batch, self._queue = self._queue, []
            waiters, self._waiters = self._waiters, []
            self._in_hand = batch
            self._wake.clear()
            self._urgent.clear()
        if batch and disk.paused(self.path.parent):  # looked at here and not in `record`: this is not the caller's time
            batch = []
        waiting, lost = self._writer.write(batch) if batch else ([], 0)
        with self._lock:
            self._queue[:0] = waiting
            self._in_hand = []
            self.dropped += lost
            if waiting and not self._closing:
                self._waiters[:0] = waiters
                self._wake.set()
                return
        for waiter in waiters:
            waiter.set()
