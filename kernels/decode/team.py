"""Helper threads of a pass: they spin for a moment after each one, so that the next begins at once, and sleep otherwise.

Knows threads and words in memory; does not know what they compute. A pass never waits for a helper that is asleep or late
to come: it takes those that stand ready. Between two parts of a pass all meet, spinning: a wait takes a tenth of a
microsecond as long as each has a core of its own. Who waits much longer has lost its core to another program; then the
helpers rest, longer each time, for nothing is slower than waiting for a thread that does not run.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba import njit
from numba.core import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from kernels.decode.pack import LINE
from kernels.decode.vector import I64

PATIENCE_S = 1e-3
"""A helper that has waited so long for a pass goes to sleep."""
LATE_S = 3e-4
"""Who waits so long in one meeting waits for a thread that has lost its core. Threads of the same work differ by a tenth."""
LOOKS = 20_000
"""Looks at a word whose time is taken once: a pause takes 10 to 50 ns, by the CPU."""
SHORTEST_REST_S, LONGEST_REST_S = 0.02, 2.0
ASLEEP, READY, TAKEN, WAKING = 0, 1, -1, -2
"""A helper's state; above `READY` it is told its rank plus one."""
STATE, PIPE, BYTE, ARRIVED, WAITED = 0, 8, 16, 64, 128
STOPPED, PATIENT, LATE, CLOSED = 192, 200, 208, 216
"""Bytes from the beginning of a thread's line; the last four are of the first thread's only."""
_AT = types.intp
_where: Callable[[], int] | None = getattr(ctypes.CDLL(None), "sched_getcpu", None) if sys.platform == "linux" else None
_X86 = "x86_64" in binding.get_default_triple() or "i686" in binding.get_default_triple()


@intrinsic  # type: ignore[untyped-decorator]
def load(_: Any, address: Any) -> Any:
    """The word at ``address``, and with it whatever its writer wrote before."""

    def code(_c: Any, builder: Any, _s: Any, given: Any) -> Any:
        return builder.load_atomic(builder.inttoptr(given[0], I64.as_pointer()), "acquire", 8)

    return _AT(_AT), code


@intrinsic  # type: ignore[untyped-decorator]
def store(_: Any, address: Any, value: Any) -> Any:
    """Write the word at ``address``; who loads it sees all that was written before."""

    def code(_c: Any, builder: Any, _s: Any, given: Any) -> Any:
        builder.store_atomic(given[1], builder.inttoptr(given[0], I64.as_pointer()), "release", 8)
        return ir.Constant(I64, 0)

    return _AT(_AT, _AT), code


@intrinsic  # type: ignore[untyped-decorator]
def swap(_: Any, address: Any, expected: Any, value: Any) -> Any:
    """Put ``value`` in place of ``expected``; 1 if it was there."""

    def code(_c: Any, builder: Any, _s: Any, given: Any) -> Any:
        pointer = builder.inttoptr(given[0], I64.as_pointer())
        done = builder.extract_value(builder.cmpxchg(pointer, given[1], given[2], "acq_rel", "acquire"), 1)
        return builder.zext(done, I64)

    return _AT(_AT, _AT, _AT), code


@intrinsic  # type: ignore[untyped-decorator]
def pause(_: Any) -> Any:
    """Tell the CPU that this is a loop of waiting."""

    def code(_c: Any, builder: Any, _s: Any, _g: Any) -> Any:
        name = "llvm.x86.sse2.pause" if _X86 else "llvm.aarch64.hint"
        kind = ir.FunctionType(ir.VoidType(), [] if _X86 else [ir.IntType(32)])
        function = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
        builder.call(function, [] if _X86 else [ir.Constant(ir.IntType(32), 1)])
        return ir.Constant(I64, 0)

    return _AT(), code


@intrinsic  # type: ignore[untyped-decorator]
def give_way(_: Any) -> Any:
    """Let another thread have this core, which may be the one that is waited for."""

    def code(_c: Any, builder: Any, _s: Any, _g: Any) -> Any:
        if os.name == "posix":
            kind = ir.FunctionType(ir.IntType(32), [])
            builder.call(builder.module.globals.get("sched_yield") or ir.Function(builder.module, kind, "sched_yield"), [])
        return ir.Constant(I64, 0)

    return _AT(), code


@njit(nogil=True)
def meet(lines, rank, team, number):  # type: ignore[no-untyped-def]
    """Go on when every rank of the team has come to meeting ``number``; numbers only grow."""
    if team == 1:
        return
    store(lines + rank * LINE + ARRIVED, number)
    for other in range(team):
        looks = 0
        while load(lines + other * LINE + ARRIVED) < number:
            pause()
            looks += 1
            if looks > load(lines + LATE):
                give_way()
        if looks > load(lines + LATE):
            store(lines + rank * LINE + WAITED, looks)


@njit(nogil=True)
def look(lines):  # type: ignore[no-untyped-def]
    """As long as `LOOKS` looks take."""
    for _ in range(LOOKS):
        if load(lines + CLOSED):
            break
        pause()


@njit(nogil=True)
def gather(lines, most):  # type: ignore[no-untyped-def]
    """Take the helpers that stand ready, at most ``most`` of them; how many there are now, oneself included."""
    team = 1
    for slot in range(1, most + 1):
        if load(lines + slot * LINE + STATE) == READY and swap(lines + slot * LINE + STATE, READY, TAKEN):
            team += 1
    return team


@njit(nogil=True)
def tell(lines, most):  # type: ignore[no-untyped-def]
    """Send those who were taken off, each with a rank."""
    rank = 1
    for slot in range(1, most + 1):
        if load(lines + slot * LINE + STATE) == TAKEN:
            rank += 1
            store(lines + slot * LINE + STATE, rank)


@intrinsic  # type: ignore[untyped-decorator]
def _sleep(_: Any, pipe: Any, place: Any) -> Any:
    """Read one byte from a pipe into ``place``: sleeps until there is one; 0 when the other end is closed."""

    def code(_c: Any, builder: Any, _s: Any, given: Any) -> Any:
        kind = ir.FunctionType(I64, [ir.IntType(32), ir.IntType(8).as_pointer(), I64])
        function = builder.module.globals.get("read") or ir.Function(builder.module, kind, "read")
        place = builder.inttoptr(given[1], ir.IntType(8).as_pointer())
        return builder.call(function, [builder.trunc(given[0], ir.IntType(32)), place, ir.Constant(I64, 1)])

    return _AT(_AT, _AT), code


@njit(nogil=True)
def await_rank(lines, slot):  # type: ignore[no-untyped-def]
    """A helper's rank in the next pass, however long it takes; 0 when there will be none."""
    mine, looks = lines + slot * LINE, 0
    while True:
        told = load(mine + STATE)
        if told > READY:
            return told - 1
        if told in (ASLEEP, WAKING):
            while _sleep(load(mine + PIPE), mine + BYTE) != 1:
                if load(lines + CLOSED):
                    return 0
            store(mine + STATE, READY)
            looks = 0
        looks += 1
        if load(lines + CLOSED):
            return 0
        if looks > load(lines + PATIENT):
            swap(mine + STATE, READY, ASLEEP)
        pause()


@njit(nogil=True)
def finish(lines, slot, rank, number):  # type: ignore[no-untyped-def]
    """A helper's last meeting of a pass: it stands ready before anybody can ask for it again."""
    store(lines + slot * LINE + STATE, READY)
    store(lines + rank * LINE + ARRIVED, number)


class Team:
    """Up to ``threads`` threads for one who makes passes; on systems without POSIX there are no helpers."""

    def __init__(self, threads: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.most = threads - 1 if os.name == "posix" else 0
        self.lines = np.zeros(threads * LINE // 8, np.int64)
        self.lines[PATIENT // 8] = self.lines[LATE // 8] = LOOKS
        self._states = self.lines[LINE // 8 :: LINE // 8]
        self._waits = self.lines[WAITED // 8 :: LINE // 8]
        self._bells: list[int] = []
        self._helpers: list[threading.Thread] = []
        self._clock, self._until, self._rest, self._clean = clock, 0.0, SHORTEST_REST_S, 0

    def start(self, assist: Callable[[NDArray[np.int64], int], object], table: NDArray[np.int64]) -> None:
        """Make the helpers, each a thread in ``assist(table, slot)``, which compiled code does not leave; they sleep.

        With a slot below zero ``assist`` only does `look`.
        """
        if not self.most:
            return
        seconds = min(_timed(lambda: assist(table, -1)) for _ in range(3)) / LOOKS
        self.lines[PATIENT // 8], self.lines[LATE // 8] = PATIENCE_S / seconds, LATE_S / seconds
        for slot in range(1, self.most + 1):
            pipe, bell = os.pipe()
            self.lines[(slot * LINE + PIPE) // 8] = pipe
            self._bells.append(bell)
            helper = threading.Thread(
                target=_help, args=(assist, table, slot, self.lines, pipe), name=f"decode-{slot}", daemon=True
            )
            helper.start()
            self._helpers.append(helper)
        weakref.finalize(self, _close, self.lines, self._bells)

    def wake(self, wanted: int) -> int:
        """How many helpers the next pass may take, at most ``wanted``; those of them that sleep are woken."""
        if not wanted or self._clock() < self._until:
            return 0
        for slot in range(min(wanted, self.most)):
            if self._states[slot] == ASLEEP:
                self._states[slot] = WAKING
                _place_elsewhere(self._helpers[slot])
                os.write(self._bells[slot], b"!")
        return min(wanted, self.most)

    def judge(self) -> None:
        """After a pass: whether somebody waited too long in it, and what follows."""
        if not self._waits.any():
            self._clean += 1
            if self._clean == 500:
                self._rest = SHORTEST_REST_S
            return
        self._waits[:] = 0
        self._clean = 0
        self._until = self._clock() + self._rest
        self._rest = min(2 * self._rest, LONGEST_REST_S)


def _help(
    assist: Callable[[NDArray[np.int64], int], object], table: NDArray[np.int64], slot: int, lines: NDArray[np.int64], pipe: int
) -> None:
    """``lines`` are held as long as the thread looks at them."""
    assist(table, slot)
    os.close(pipe)


def _close(lines: NDArray[np.int64], bells: list[int]) -> None:
    lines[CLOSED // 8] = 1
    for bell in bells:
        os.close(bell)


def _place_elsewhere(helper: threading.Thread) -> None:
    """Not on this thread's own CPU: there Linux likes to wake whom one wakes, and the helper would spin in its way."""
    if _where is None or helper.native_id is None:
        return
    others = os.sched_getaffinity(0) - {_where()}
    if others:
        os.sched_setaffinity(helper.native_id, others)


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
