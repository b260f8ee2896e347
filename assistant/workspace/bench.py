"""What the workspace index costs on a folder: to build, to keep true while typing, to search, in memory; and how that grows.

Reports values, prints nothing. Wall-clock seconds unless a key says ``cpu``. Knows nothing of models or of what is found.
"""

from __future__ import annotations

import os
import random
import shutil
import statistics
import sys
import threading
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from assistant.config import Config
from assistant.workspace.index import WorkspaceIndex
from assistant.workspace.search import Place, Searcher
from assistant.workspace.walk import Found, Limits, walk

SEARCHES = 200
EDITS = 40
EDITED_BYTES = 240_000
"""The file that is typed into is the largest source file up to this size."""

_EVERY_S = 0.1
_SETTLE_S = 10.0


def measure(root: Path, cache: Path, searches: int = SEARCHES, edits: int = EDITS, seed: int = 0) -> dict[str, Any]:
    """Build an index of ``root`` in ``cache`` (an empty folder), type into its largest file, search from places all over it.

    ``index_s``/``index_cpu_s`` until the index is complete, its processes included; ``index_mb`` on disk; ``files`` and
    ``source_mb`` that are indexed; ``edit_visible_ms`` (median) and ``edit_cpu_ms`` from a changed text to the record that
    searches read, in a file of ``edited_kb``; ``search_ms`` with ``p50`` and ``p95``; ``rss_mb``: the most that this process
    and its children held in memory together, ``rss_before_mb`` before the start.
    """
    rnd = random.Random(seed)
    with _Memory() as memory:
        index = WorkspaceIndex([root], cache)
        began, cpu = time.perf_counter(), _cpu()
        index.scan()
        report: dict[str, Any] = {"index_s": time.perf_counter() - began, "index_cpu_s": _cpu() - cpu}
        try:
            found = list(walk(index.roots, index.config, index.limits))
            report["files"] = index.store.count()
            report["source_mb"] = sum(f.stamp.size for f in found) / 1e6
            report["index_mb"] = sum(f.stat().st_size for f in cache.iterdir()) / 1e6
            report |= _type(index, found, edits, rnd)
            report["search_ms"] = _search(index, found, searches, rnd)
        finally:
            index.close()
    report["rss_mb"], report["rss_before_mb"] = memory.most, memory.before
    return report


def grow(root: Path, sizes: Iterable[float], work: Path, **options: Any) -> Iterator[dict[str, Any]]:
    """`measure` on samples of ``root`` of so many megabytes each, drawn by a hash of their paths, copied into ``work``.

    A size above what ``root`` has is reached with further copies, each in a folder of its own; ``copies`` says how many.
    """
    top = os.path.realpath(root)
    found = sorted(walk([top], Config(), Limits()), key=lambda f: zlib.crc32(os.path.relpath(f.path, top).encode()))
    for size in sizes:
        tree, cache = work / "tree", work / "cache"
        cache.mkdir(parents=True)
        copies = _sample(found, top, tree, size * 1e6)
        try:
            yield {"asked_mb": size, "copies": copies, **measure(tree, cache, **options)}
        finally:
            shutil.rmtree(tree, ignore_errors=True)
            shutil.rmtree(cache, ignore_errors=True)


def _sample(found: Sequence[Found], top: str, tree: Path, size: float) -> int:
    left, copy = size, 0
    while left > 0 and found:
        copy += 1
        for path, stamp in found:
            target = tree / f"part{copy}" / os.path.relpath(path, top)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
            left -= stamp.size
            if left <= 0:
                break
    return copy


def _type(index: WorkspaceIndex, found: Sequence[Found], edits: int, rnd: random.Random) -> dict[str, Any]:
    """A letter put into a name, and taken out again."""
    small = [f for f in found if f.stamp.size <= EDITED_BYTES and f.path.endswith((".py", ".ts", ".js", ".go", ".rs", ".java"))]
    if not small or not edits:
        return {}
    path = max(small, key=lambda f: (f.stamp.size, f.path)).path
    known = index.store.known(path)
    text = index.store.text(known.id) if known is not None else ""
    letters = [i for i, character in enumerate(text) if character.isalpha()]
    if not letters:
        return {}
    index.open_buffer(path, text)
    index.buffers.settle(_SETTLE_S)
    walls: list[float] = []
    cpus: list[float] = []
    for _ in range((edits + 1) // 2):
        at = rnd.choice(letters)
        for changed in (text[:at] + "z" + text[at:], text):
            began, cpu = time.perf_counter(), time.process_time()
            index.open_buffer(path, changed)
            index.buffers.settle(_SETTLE_S)
            walls.append(1e3 * (time.perf_counter() - began))
            cpus.append(1e3 * (time.process_time() - cpu))
    index.close_buffer(path)
    return {
        "edit_visible_ms": statistics.median(walls),
        "edit_cpu_ms": {"p50": statistics.median(cpus), "p95": _percentile(cpus, 0.95)},
        "edited_kb": len(text) / 1e3,
    }


def _search(index: WorkspaceIndex, found: Sequence[Found], searches: int, rnd: random.Random) -> dict[str, float]:
    searcher = Searcher(index)
    times: list[float] = []
    for file in rnd.choices(found, k=searches) if found else ():
        text = Path(file.path).read_text("utf-8", "replace")
        place = Place(file.path, text, rnd.randrange(len(text) + 1))
        began = time.perf_counter()
        searcher.near(place)
        times.append(1e3 * (time.perf_counter() - began))
    return {"p50": statistics.median(times), "p95": _percentile(times, 0.95)} if times else {}


def _percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def _cpu() -> float:
    """Processor seconds of this process and of its children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


class _Memory:
    """The most memory that this process and those below it hold together, in MB, looked at ten times a second.

    What processes share is counted once. Where there is no ``/proc``, the largest that each ever was, as far as it is known.
    """

    def __init__(self) -> None:
        self.most = self.before = _held()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> _Memory:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()
        self.most = max(self.most, _held())

    def _watch(self) -> None:
        while not self._stop.wait(_EVERY_S):
            self.most = max(self.most, _held())


def _held() -> float:
    if not os.path.isdir("/proc/self/task"):
        return _largest()
    pending, total = [os.getpid()], 0
    while pending:
        process = pending.pop()
        try:
            total += _kilobytes(process)
            for task in os.listdir(f"/proc/{process}/task"):
                pending.extend(map(int, Path(f"/proc/{process}/task/{task}/children").read_text().split()))
        except (OSError, ValueError):  # it has just ended
            continue
    return total / 1e3


def _kilobytes(process: int) -> int:
    for name, field in (("smaps_rollup", "Pss:"), ("status", "VmRSS:")):
        try:
            lines = Path(f"/proc/{process}/{name}").read_text().split("\n")
        except OSError:
            continue
        for line in lines:
            if line.startswith(field):
                return int(line.split()[1])
    return 0


def _largest() -> float:
    try:
        import resource
    except ImportError:  # Windows
        return 0.0
    unit = 1e6 if sys.platform == "darwin" else 1e3
    return sum(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / unit
