"""Bring the store to what the disk says: find what changed by stamp, decide by content, read it, put it.

A scan that is cut short loses nothing: the next one goes on where it ended. Two at once do some work twice and agree.
Knows nothing of threads, processes or open buffers; `load` is what a worker process runs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field

from assistant.cancel import Cancel
from assistant.config import Config
from assistant.workspace.record import digest, record, rows
from assistant.workspace.store import Known, Store, Update
from assistant.workspace.walk import Limits, Stamp, decode, is_written_by_hand, read, walk

_BATCH_FILES = 24
_BATCH_BYTES = 400_000  # a batch is one transaction, half of a tenth of a second, and 4 MB in the worker that reads it
_RACY_NS = 2_000_000_000
"""A file changed so shortly before it was read may have changed again within its clock's tick (FAT counts in 2 s)."""

SMALL_TREE = 3_000
SMALL_FILES = 40
SMALL_BYTES = 400_000
"""To look at so many files takes a tenth of a second, to read so many half of one; processes for it need a second to start."""

Batch = list[tuple[str, bytes]]
"""Paths to read, each with the digest the index has for it (b"" for none)."""


@dataclass(frozen=True)
class Job:
    """What to scan, and how to hear of it. ``clock``: wall-clock nanoseconds; it may jump."""

    roots: tuple[str, ...]
    config: Config
    limits: Limits
    clock: Callable[[], int]
    cancel: Cancel = field(default_factory=Cancel)
    on_skip: Callable[[str, str], None] = lambda kind, path: None
    on_progress: Callable[[int, int], None] = lambda done, found: None


class Loaded:
    """What became of one batch: updates, and paths that hold nothing to index."""

    def __init__(self, updates: list[Update], gone: list[str], forbidden: list[str]) -> None:
        self.updates = updates
        self.gone = gone
        self.forbidden = forbidden
        self.failed: list[str] = []


def is_trusted(known: Known, stamp: Stamp) -> bool:
    """Whether an equal stamp means equal content: not when the change was too close to the reading, or lies after it, as when
    the clock jumped.
    """
    return known.stamp == stamp and max(stamp.mtime, stamp.ctime) < known.read_at - _RACY_NS


def load(batch: Batch, limits: Limits, now: int) -> Loaded:
    """Read the files of a batch. Never raises on what a file holds."""
    loaded = Loaded([], [], [])
    for path, old in batch:
        try:
            found = read(path, limits)
        except PermissionError:
            loaded.forbidden.append(path)
            found = None
        text = decode(found[1]) if found else None
        if found is None or not text or not is_written_by_hand(text):
            loaded.gone.append(path)
        elif digest(text) == old:
            loaded.updates.append(Update(path, found[0], now, None))
        else:
            _read_into(loaded, path, text, found[0], now)
    return loaded


def _read_into(loaded: Loaded, path: str, text: str, stamp: Stamp, now: int) -> None:
    try:
        loaded.updates.append(Update(path, stamp, now, rows(record(path, text))))
    except Exception:  # a mistake of ours in one file must not cost the others
        loaded.failed.append(path)
        loaded.gone.append(path)


def scan(store: Store, job: Job, executor: Executor | None = None, workers: int = 1) -> int:
    """Make ``store`` mirror the disk; how many files were read. Raises `Cancelled`.

    With an ``executor`` files are read by its workers, at most two batches for each in flight. All files are found before the
    first is read, so that progress has an end to count to.
    """
    known = store.files()
    todo = []
    for path, stamp in walk(job.roots, job.config, job.limits, job.cancel, job.on_skip):
        old = known.pop(path, None)
        if old is None or not is_trusted(old, stamp):
            todo.append((path, old.digest if old else b"", stamp.size))
    flight: deque[Future[Loaded]] = deque()
    done = 0

    def finish(most: int) -> None:
        nonlocal done
        while len(flight) > most:
            done += apply(store, job, flight.popleft().result())
            job.on_progress(done, len(todo))

    if todo:
        job.on_progress(0, len(todo))
    for batch in _batches(todo):
        flight.append(_submit(executor, batch, job))
        finish(2 * workers if executor else 0)
    finish(0)
    for at in range(0, len(paths := list(known)), _BATCH_FILES):
        job.cancel.check()
        store.remove(paths[at : at + _BATCH_FILES])
    return done


def is_small(store: Store, job: Job) -> bool:
    """Whether a scan has so little to look at and to read that processes for it would cost more. Raises `Cancelled`."""
    if store.count() > SMALL_TREE:
        return False
    known = store.files()
    files, room = 0, SMALL_BYTES
    for seen, (path, stamp) in enumerate(walk(job.roots, job.config, job.limits, job.cancel)):
        old = known.get(path)
        if old is None or not is_trusted(old, stamp):
            files, room = files + 1, room - stamp.size
        if seen > SMALL_TREE or files > SMALL_FILES or room < 0:
            return False
    return True


def _batches(todo: Iterable[tuple[str, bytes, int]]) -> Iterator[Batch]:
    """Path, digest and size of each file, in pieces of one transaction."""
    batch: Batch = []
    room = _BATCH_BYTES
    for path, known, size in todo:
        batch.append((path, known))
        room -= size
        if len(batch) == _BATCH_FILES or room <= 0:
            yield batch
            batch, room = [], _BATCH_BYTES
    if batch:
        yield batch


def _submit(executor: Executor | None, batch: Batch, job: Job) -> Future[Loaded]:
    job.cancel.check()
    if executor is not None:
        return executor.submit(load, batch, job.limits, job.clock())
    future: Future[Loaded] = Future()
    future.set_result(load(batch, job.limits, job.clock()))
    return future


def update(store: Store, job: Job, paths: Iterable[str]) -> None:
    """The same for some files that are known to deserve indexing; those that do not exist any more are removed."""
    batch = [(path, old.digest if (old := store.known(path)) else b"") for path in paths]
    for at in range(0, len(batch), _BATCH_FILES):
        apply(store, job, load(batch[at : at + _BATCH_FILES], job.limits, job.clock()))


def apply(store: Store, job: Job, loaded: Loaded) -> int:
    """Write a batch; how many files it had."""
    job.cancel.check()
    for path in loaded.forbidden:
        job.on_skip("permission", path)
    for path in loaded.failed:
        job.on_skip("failed", path)
    if loaded.updates:
        store.put(loaded.updates)
    store.remove(loaded.gone)
    return len(loaded.updates) + len(loaded.gone)


def under(paths: Iterable[str], folders: Sequence[str]) -> list[str]:
    """The paths that are one of ``folders`` or below one."""
    prefixes = tuple(folder.rstrip("/\\") + separator for folder in folders for separator in ("/", "\\"))
    return [path for path in paths if path in folders or path.startswith(prefixes)]
