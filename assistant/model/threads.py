"""How many threads the engine uses: never more than there are idle physical cores.

Knows the operating system's counters. Does not know the model. The reason is from measurement: with another process on one
of two cores, a two-thread step of torch's went from 3 ms to 180 ms, because every operator waits at a barrier for the slower
thread. So torch's threads, chosen once, leave a core to the editor; those of the fused step follow the load (`Free`).
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

SAMPLE_S = 0.1
"""Ten ticks of Linux' CPU clock, so a core counts as idle with up to two busy ones."""
IDLE = 0.75
MOST = 8
"""Small matrices gain nothing from more threads than this."""

TICKS_PER_S = float(os.sysconf("SC_CLK_TCK")) if hasattr(os, "sysconf") else 100.0
MOST_FUSED = 4
"""A product of 192 outputs is twelve vectors: three for each of four threads."""
LOOK_S = 0.5
"""Between two looks at the clocks, 0.1 ms each; shorter, a tick of 10 ms says little."""

Ticks = Mapping[int, tuple[int, int]]
"""CPU number -> (idle ticks, all ticks) since boot."""


def choose(asked: int = 0, sleep: Callable[[float], None] = time.sleep) -> tuple[int, str]:
    """The number of threads, and why in one sentence. ``asked`` above 0 is taken as it is."""
    if asked > 0:
        return asked, f"{asked} as set"
    cores = _physical_cores(_allowed_cpus())
    idle, how = _idle_cores(cores, sleep)
    quota = _quota()
    threads = max(1, min(idle, len(cores) - 1, quota, MOST))
    limit = f", quota of {quota}" if quota < len(cores) else ""
    return threads, f"{threads} of {len(cores)} cores: {idle} idle ({how}){limit}, one left to the editor"


class Free:
    """How many threads find a core of their own, as the load changes; ``asked`` above 0 is always the answer."""

    def __init__(self, asked: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        cores = _physical_cores(_allowed_cpus())
        self._cpus, self._cores = set().union(*cores), len(cores)
        self.most = asked or max(1, min(len(cores), _quota(), MOST_FUSED))
        self._clock = clock
        self._looked = -math.inf
        self._fixed = asked > 0 or self.most == 1
        self._before: tuple[float, float, float] | None = None
        self._free = 1
        if not self._fixed:
            self._look()

    def now(self) -> int:
        """By what others than this process used of the CPUs since the last look, if that is long enough ago."""
        if self._fixed:
            return self.most
        moment = self._clock()
        if moment - self._looked >= LOOK_S:
            self._looked = moment
            self._free = self._look()
        return self._free

    def _look(self) -> int:
        ticks = _read_ticks()
        if ticks is None:
            return max(1, min(self.most, _unloaded(self._cores) or 1))
        mine = [ticks[cpu] for cpu in self._cpus if cpu in ticks]
        now = float(sum(idle for idle, _ in mine)), float(sum(total for _, total in mine)), TICKS_PER_S * time.process_time()
        before, self._before = self._before, now
        if before is None or now[1] <= before[1]:
            return self._free
        idle, total, own = (new - old for new, old in zip(now, before, strict=True))
        cores = self._cores * (1.0 - max(0.0, total - idle - own) / total)
        return max(1, min(self.most, int(cores + 1.0 - IDLE)))


def _unloaded(cores: int) -> int | None:
    """Cores less the load average; None where the system has none (Windows)."""
    load = getattr(os, "getloadavg", None)
    return max(0, cores - round(load()[0])) if load is not None else None


def _allowed_cpus() -> set[int]:
    affinity = getattr(os, "sched_getaffinity", None)  # Linux only
    return set(affinity(0)) if affinity else set(range(os.cpu_count() or 1))


def _physical_cores(cpus: Iterable[int], root: Path = Path("/sys/devices/system/cpu")) -> list[set[int]]:
    """Group logical CPUs that share a core; where the system does not say, each counts as one."""
    cores: dict[str, set[int]] = {}
    for cpu in sorted(cpus):
        try:
            key = (root / f"cpu{cpu}/topology/thread_siblings_list").read_text("ascii").strip()
        except OSError:
            key = str(cpu)
        cores.setdefault(key, set()).add(cpu)
    return list(cores.values())


def _idle_cores(cores: list[set[int]], sleep: Callable[[float], None]) -> tuple[int, str]:
    """Cores none of whose CPUs is busy, and how that was found out."""
    before = _read_ticks()
    if before is not None:
        sleep(SAMPLE_S)
        after = _read_ticks() or before
        return sum(all(_is_idle(cpu, before, after) for cpu in core) for core in cores), "CPU clocks"
    unloaded = _unloaded(len(cores))
    if unloaded is not None:
        return unloaded, "load average"
    return max(1, len(cores) // 2), "half of the logical ones"


def _is_idle(cpu: int, before: Ticks, after: Ticks) -> bool:
    if cpu not in before or cpu not in after:
        return False
    idle, total = (after[cpu][i] - before[cpu][i] for i in (0, 1))
    return total <= 0 or idle >= IDLE * total


def _read_ticks(path: Path = Path("/proc/stat")) -> dict[int, tuple[int, int]] | None:
    """`/proc/stat`: ``cpuN user nice system idle iowait irq softirq steal ...``; ``None`` where there is none."""
    try:
        lines = path.read_text("ascii").splitlines()
    except OSError:
        return None
    ticks = {}
    for name, *fields in (line.split() for line in lines if line.startswith("cpu") and line[3].isdigit()):
        numbers = [int(field) for field in fields[:8]]
        ticks[int(name[3:])] = (numbers[3] + numbers[4], sum(numbers))
    return ticks


def _quota(path: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """Whole CPUs that a container may use; a large number where there is no limit."""
    try:
        most, period = path.read_text("ascii").split()
        return max(1, int(most) // int(period))
    except (OSError, ValueError):
        return 1 << 16
