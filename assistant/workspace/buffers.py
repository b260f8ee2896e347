"""Open buffers as the index sees them: what the editor holds wins over the disk, and is visible a few milliseconds after a key.

Kept in memory, so that another editor on the same folder never sees unsaved text and a crash leaves none behind. One
thread reads the newest text of each buffer; texts that are overtaken are never read. Knows nothing of the store.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from assistant.text import first_difference
from assistant.workspace.live import LiveFile
from assistant.workspace.record import Record

MAX_EDITS = 64
_MAX_PAUSE_S = 1.0


@dataclass(frozen=True)
class Edit:
    """Where a buffer was changed: an offset into its text at that time, and the monotonic second."""

    path: str
    offset: int
    at: float


class Buffers:
    """``reader(path, language)`` reads the texts of one buffer, one after the other; ``clock`` is monotonic, in seconds."""

    def __init__(self, reader: Callable[[str, str], LiveFile] = LiveFile, clock: Callable[[], float] = time.monotonic) -> None:
        self._reader = reader
        self._clock = clock
        self._changed = threading.Condition()
        self._texts: dict[str, tuple[str, str]] = {}
        self._waiting: dict[str, None] = {}
        self._records: dict[str, Record] = {}
        self._files: dict[str, tuple[str, LiveFile]] = {}  # with their languages; only the thread uses what is in it
        self._reading = ""
        self._edits: deque[Edit] = deque(maxlen=MAX_EDITS)
        self._thread: threading.Thread | None = None
        self._closed = False

    def records(self) -> dict[str, Record]:
        """Every open buffer that has been read, by path: a copy."""
        with self._changed:
            return dict(self._records)

    def paths(self) -> set[str]:
        """Every open buffer, read or not: their files on disk are out of sight."""
        with self._changed:
            return set(self._texts)

    def edits(self) -> list[Edit]:
        """The latest edits, newest first."""
        with self._changed:
            return list(reversed(self._edits))

    def put(self, path: str, text: str, language: str) -> None:
        """The buffer's text now. Returns at once."""
        with self._changed:
            old = self._texts.get(path)
            if old is not None and old[0] != text:
                self._edits.append(Edit(path, first_difference(old[0], text), self._clock()))
            self._texts[path] = (text, language)
            self._waiting[path] = None
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._work, name="sotto-buffers", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def drop(self, path: str) -> None:
        """The buffer is closed."""
        with self._changed:
            self._texts.pop(path, None)
            self._waiting.pop(path, None)
            self._records.pop(path, None)
            self._files.pop(path, None)

    def settle(self, timeout: float) -> bool:
        """Wait until every buffer's newest text has been read; whether that came true."""
        with self._changed:
            return self._changed.wait_for(lambda: self._closed or not (self._waiting or self._reading), timeout)

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(2.0)

    def _file(self, path: str, language: str) -> LiveFile:
        known = self._files.get(path)
        if known is None or known[0] != language:
            known = self._files[path] = (language, self._reader(path, language))
        return known[1]

    def _try(self, file: LiveFile, text: str) -> Record | None:
        try:
            return file.read(text)
        except Exception:  # a mistake of ours in one text: the buffer stays as it was last understood
            return None

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or bool(self._waiting))
                if self._closed:
                    return
                path = next(iter(self._waiting))
                del self._waiting[path]
                text, language = self._texts[path]
                file = self._file(path, language)
                self._reading = path
            began = time.perf_counter()
            made = self._try(file, text)
            with self._changed:
                if path in self._texts and made is not None:
                    self._records[path] = made
                self._reading = ""
                self._changed.notify_all()
                cost = time.perf_counter() - began
                # Where reading takes long (a huge file), a burst of typing must not keep the interpreter busy all the time.
                if cost > 0.05 and not self._closed:
                    self._changed.wait_for(lambda: self._closed, min(_MAX_PAUSE_S, 2 * cost))
