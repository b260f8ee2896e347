"""Copies of this process that take over a part of many jobs: they begin at the last one and come nearer until all is done.

Whoever made the crew takes jobs from the first on, so that what is first is there first; nobody waits but for the one job in
which they meet. Knows numbers of jobs and what is made of them, nothing of reviews. Linux only: elsewhere to copy a process is
not possible, or not safe.
"""

from __future__ import annotations

import mmap
import os
import pickle
import select
import signal
import struct
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, NoReturn, TypeVar

from assistant.cancel import Cancel

T = TypeVar("T")

MOST_HELPERS = 3
POLL_S = 0.05
_NUMBER, _HEAD = struct.Struct("<H"), struct.Struct("<HI")
"""A job; a job and the size of what was made of it."""

MOST_JOBS = 4096 // _NUMBER.size  # what a pipe surely holds before anybody reads it


def helpers() -> int:
    """How many more processes this machine has cores for; 0 where this one cannot be copied: a thread may hold a lock."""
    if sys.platform != "linux" or threading.active_count() > 1:
        return 0
    return min(MOST_HELPERS, len(os.sched_getaffinity(0)) - 1)


class Crew(Generic[T]):
    """Make it in a process that has no other threads yet, `close` it in the end. ``work`` makes something of a job."""

    def __init__(self, work: Callable[[int], T], jobs: int, count: int) -> None:
        self._claims = mmap.mmap(-1, max(1, jobs))  # shared: a byte for each job that somebody has begun
        self._made: dict[int, T] = {}
        self._pids: list[int] = []
        self._pipes: list[int] = []
        asked, ask = os.pipe()
        os.write(ask, b"".join(_NUMBER.pack(job) for job in range(jobs - 1, -1, -1)[:MOST_JOBS]))
        os.close(ask)
        for _ in range(count):
            told, tell = os.pipe()
            pid = os.fork()
            if pid == 0:
                self._help(work, asked, tell)
            os.close(tell)
            self._pids.append(pid)
            self._pipes.append(told)
        os.close(asked)

    def takes(self, job: int) -> bool:
        """Take a job for oneself; false when a helper has begun it."""
        if self._claims[job]:
            return False
        self._claims[job] = 1
        return True

    def made(self, job: int, cancel: Cancel) -> T | None:
        """What a helper made of a job that it has begun; ``None`` when it died over it. Raises `Cancelled`."""
        while job not in self._made and self._pipes:
            cancel.check()
            for pipe in select.select(self._pipes, [], [], POLL_S)[0]:
                self._hear(pipe)
        return self._made.pop(job, None)

    def close(self) -> None:
        """Nothing is wanted any more."""
        for pid in self._pids:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
            with suppress(OSError):
                os.waitpid(pid, 0)
        for pipe in self._pipes:
            os.close(pipe)
        self._pids, self._pipes = [], []

    def _hear(self, pipe: int) -> None:
        head = _exactly(pipe, _HEAD.size)
        job, size = _HEAD.unpack(head) if head else (0, 0)
        data = _exactly(pipe, size)
        if data:
            self._made[job] = pickle.loads(data)  # of a copy of this process
        else:
            self._pipes.remove(pipe)
            os.close(pipe)

    def _help(self, work: Callable[[int], T], asked: int, tell: int) -> NoReturn:
        """What a copy does instead of all that its original goes on to do."""
        try:
            while (number := os.read(asked, _NUMBER.size)) and self.takes(job := _NUMBER.unpack(number)[0]):
                data = pickle.dumps(work(job))
                rest = memoryview(_HEAD.pack(job, len(data)) + data)
                while rest:
                    rest = rest[os.write(tell, rest) :]
        finally:
            os._exit(0)  # no buffer of the original is written a second time, no handler of its end runs


def _exactly(pipe: int, size: int) -> bytes:
    """So many bytes; fewer, and then none, where the other end is closed."""
    data = b""
    while len(data) < size and (more := os.read(pipe, size - len(data))):
        data += more
    return data if len(data) == size else b""
