"""How many threads the engine uses: never more than there are idle physical cores, and one core is left to the editor.

Knows the operating system's counters. Does not know the model. The reason is from measurement: with another process on one
of two cores, a two-thread step went from 3 ms to 180 ms, because every operator waits at a barrier for the slower thread.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

SAMPLE_S = 0.1
"""Ten ticks of Linux' CPU clock, so a core counts as idle with up to two busy ones."""
IDLE = 0.75
MOST = 8
"""Small matrices gain nothing from more threads than this."""

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
    load = getattr(os, "getloadavg", None)  # not on Windows
    if load is not None:
        return max(0, len(cores) - round(load()[0])), "load average"
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
