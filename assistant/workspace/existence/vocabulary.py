"""Every word that a library writes: in its Python files, in its stubs, or in what was compiled where no stub says it.

Read off the path, once. Keeps sums of words, four bytes each; two words with one sum are taken for each other, which can only
silence. Knows folders, not which of them a file needs.
"""

from __future__ import annotations

import os
import queue
import re
import threading
import time
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Iterator

MAX_BYTES = 128_000_000
"""Of a library: what is larger stays unknown. 10 MB take 0.15 s."""
MAX_TOTAL = 256_000_000
"""Of all that is read: what is asked for later stays unknown."""
LEAST = 4  # letters of a word that counts
_PIECE = 1 << 16  # bytes looked through at a time: 1 ms, so that nobody waits long for the interpreter
_WORD = re.compile(rb"[A-Za-z_]\w{3,80}")
_COMPILED = (".so", ".pyd", ".dylib")
_LEFT_OUT = frozenset(("test", "tests", "idlelib", "site-packages", "dist-packages", "turtledemo", "__pycache__"))


class Vocabulary:
    """Safe from any thread. ``inline``: libraries are read at once, in the caller's thread (benchmarks, tests)."""

    def __init__(self, *, inline: bool = False) -> None:
        self._inline = inline
        self._sums: dict[str, array[int] | None] = {}
        self._asked: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._changed = threading.Condition()
        self._waiting = 0
        self._thread: threading.Thread | None = None
        self._closed = False
        self._left = MAX_TOTAL

    def has(self, word: str) -> bool:
        """Whether any library that has been read writes the word."""
        number = _sum(word.encode())
        with self._changed:
            known = [sums for sums in self._sums.values() if sums]
        return any(_holds(sums, number) for sums in known)

    def knows(self, place: str) -> bool:
        """Whether a folder (a package, the standard library) or a file has been read whole. If nobody has asked: it will be."""
        with self._changed:
            if place in self._sums:
                return self._sums[place] is not None
            if self._closed:
                return False
            self._sums[place] = None
            if not self._inline:
                self._waiting += 1
                self._asked.put(place)
                if self._thread is None:
                    self._thread = threading.Thread(target=self._work, name="sotto-vocabulary", daemon=True)
                    self._thread.start()
                return False
        return self._read(place)

    def settle(self, timeout: float) -> bool:
        """Wait until everything asked for has been read; whether that came true."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting, timeout)

    def close(self) -> None:
        """Stop reading."""
        self._closed = True
        self._asked.put("")

    def _work(self) -> None:
        while not self._closed:
            place = self._asked.get()
            if not place:
                return
            self._read(place)
            with self._changed:
                self._waiting -= 1
                self._changed.notify_all()

    def _read(self, place: str) -> bool:
        sums = self._words(place)
        with self._changed:
            self._sums[place] = sums
        return sums is not None

    def _words(self, place: str) -> array[int] | None:
        """The sums in order; ``None`` for what is too large or cannot be read."""
        found: set[int] = set()
        left = min(MAX_BYTES, self._left)
        try:
            for path in _files(place):
                size = os.path.getsize(path)
                left, self._left = left - size, self._left - size
                if left < 0 or self._closed:
                    return None
                with open(path, "rb") as file:
                    tail = b""
                    while piece := file.read(_PIECE):
                        words = set(_WORD.findall(tail + piece))
                        found.update(map(_sum, words))
                        tail = piece[-80:]
                        if not self._inline:
                            time.sleep(0)
        except OSError:
            return None
        return array("I", sorted(found))


def _files(place: str) -> Iterator[str]:
    """Python files and stubs, and compiled modules without a stub; a shared library that is no module has no say."""
    if not os.path.isdir(place):
        yield place
        return
    for folder, inner, names in os.walk(place):
        inner[:] = sorted(name for name in inner if name not in _LEFT_OUT)
        stubbed = {name[:-4] for name in names if name.endswith(".pyi")} | set(inner)
        for name in names:
            is_module = name.endswith(_COMPILED) and not name.startswith("lib") and name.partition(".")[0] not in stubbed
            if is_module or name.endswith((".py", ".pyi")):
                yield os.path.join(folder, name)


def _sum(word: bytes) -> int:
    return zlib.crc32(word.lower())


def _holds(sums: array[int], number: int) -> bool:
    at = bisect_left(sums, number)
    return at < len(sums) and sums[at] == number
