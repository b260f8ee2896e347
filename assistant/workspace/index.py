"""The workspace index: a store that mirrors the disk, open buffers over it, and a thread that keeps both true.

`rebuild` is the oracle: after any history of edits, renames, deletes and buffers, `contents` equals that of an index built
afresh. Works without a watcher: whoever knows of a change calls `notify`, and `scan` finds all of them. Knows nothing of
LSP, of ranking, or of how a change is noticed.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from assistant.cancel import Cancel, Cancelled
from assistant.config import Config
from assistant.workspace import builder, schema
from assistant.workspace.buffers import Buffers
from assistant.workspace.ignore import Excluder
from assistant.workspace.record import Record, Rows, rows
from assistant.workspace.related import learn
from assistant.workspace.scan import Job, is_small, scan, under, update
from assistant.workspace.store import Store
from assistant.workspace.walk import Judge, Limits, language_by_name

QUIET_S = 0.1
LONGEST_S = 1.0
"""Changes on disk are taken up when none came for ``QUIET_S``, but at the latest after ``LONGEST_S``."""

MANY = 100
"""More changed paths than this are a checkout: one scan, in processes of their own, is cheaper."""

_RULES = frozenset((".gitignore", "exclude", ".git", "pyvenv.cfg", "CACHEDIR.TAG"))
"""Names whose change may bring any file in or out of sight."""


class WorkspaceIndex:
    """``roots`` are folders; ``cache_folder`` is the user's own, outside of them.

    ``in_process`` scans in this process, however much there is to read. ``report(kind, sentence)`` hears of each kind of
    trouble once. ``on_progress(done, found)`` counts files of a scan. ``on_change(paths)`` hears, in the index's thread, what
    has just been taken up: the paths that were told of, or ``None`` after a scan of everything.
    """

    def __init__(
        self,
        roots: Iterable[str | Path],
        cache_folder: Path,
        config: Config | None = None,
        limits: Limits | None = None,
        *,
        in_process: bool = False,
        clock: Callable[[], int] = time.time_ns,
        report: Callable[[str, str], None] = lambda kind, text: None,
        on_progress: Callable[[int, int], None] = lambda done, found: None,
        on_change: Callable[[list[str] | None], None] = lambda paths: None,
    ) -> None:
        self.roots = tuple(sorted({os.path.realpath(root) for root in roots}))
        self.config = config or Config()
        self.limits = limits or Limits()
        self.buffers = Buffers()
        self.in_process = in_process or not self.roots  # without a folder there is nothing to scan
        self._on_change = on_change
        self._report = report
        self._reported: set[str] = set()
        self._excluder = Excluder(self.roots)
        self._judge = Judge(self.roots, self.config, self.limits)
        self._cancel = Cancel()
        self._job = Job(self.roots, self.config, self.limits, clock, self._cancel, self._skipped, on_progress)
        self._changed = threading.Condition()
        self._dirty: dict[str, None] = {}
        self._open: dict[str, tuple[str, str]] = {}
        self._scan_wanted = False
        self._is_scanned = self._is_partial = False
        self._last_event = self._first_event = 0.0
        self._busy = False
        self._thread: threading.Thread | None = None
        self.store = Store(cache_folder / self._file_name(), self._once, self._lost)

    def _file_name(self) -> str:
        """Two editors share a file only if they agree on what is indexed."""
        what = [self.roots, self.config.exclude, self.config.respect_gitignore, self.limits.max_bytes, self.limits.max_files]
        key = hashlib.blake2b(json.dumps(what).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
        return f"index-{key}-v{schema.VERSION}.db"

    # Life

    def start(self) -> None:
        """Begin to keep the index true, with a scan first. Returns before that."""
        self.store.count()  # a file that is made now asks for a scan by itself: not after the first one
        with self._changed:
            self._scan_wanted = True
            self._start_thread()

    def stop(self) -> None:
        """Begin to end, from any thread; returns at once. What has been written stays; a scan under way goes on next time."""
        self._cancel.set()
        with self._changed:
            self._changed.notify_all()

    def close(self) -> None:
        """Stop and wait, some seconds at most."""
        self.stop()
        self.buffers.close()
        if self._thread is not None:
            self._thread.join(5.0)
        self.store.close()

    def settle(self, timeout: float = 60.0) -> bool:
        """Wait until everything that was told has been taken up; whether that came true."""
        until = time.monotonic() + timeout
        with self._changed:
            idle = self._changed.wait_for(
                lambda: self._thread is None or not (self._dirty or self._scan_wanted or self._busy), timeout
            )
        return self.buffers.settle(max(0.0, until - time.monotonic())) and idle

    # News

    def open_buffer(self, path: str, text: str, language: str = "") -> None:
        """An editor's buffer, opened or changed: from now on the file is what this says. Excluded files stay out of sight."""
        path = real(path)
        with self._changed:
            self._open[path] = text, language
        self._show(path, text, language)

    def _show(self, path: str, text: str, language: str) -> None:
        is_text = bool(language_by_name(path) or language) and len(text) <= self.limits.max_bytes
        if is_text and self._excluder.reason(path, self.config) is None:
            self.buffers.put(path, text, language)
        else:
            self.buffers.drop(path)

    def _show_all(self) -> None:
        """Judge open buffers again: what .gitignore says may have changed."""
        shown = self.buffers.paths()
        with self._changed:
            opened = list(self._open.items())
        for path, (text, language) in opened:
            if (self._excluder.reason(path, self.config) is None) != (path in shown):
                self._show(path, text, language)

    def close_buffer(self, path: str) -> None:
        """The buffer is gone: the file is what the disk says."""
        path = real(path)
        with self._changed:
            self._open.pop(path, None)
        self.buffers.drop(path)
        self.notify([path])

    def notify(self, paths: Iterable[str]) -> None:
        """Files or folders that may have appeared, changed or gone. Returns at once; the index's thread looks."""
        with self._changed:
            self._dirty.update(dict.fromkeys(paths))
            self._event()

    def notify_all(self) -> None:
        """Anything may have changed."""
        with self._changed:
            self._scan_wanted = True
            self._event()

    def _event(self) -> None:
        self._last_event = time.monotonic()
        self._first_event = self._first_event or self._last_event
        if self._thread is not None:
            self._changed.notify_all()

    # Work

    def scan(self) -> None:
        """Make the store mirror the disk, now, in this thread. Nothing is read for a store that cannot be written."""
        if not self.store.set_meta("used", str(self._job.clock())):
            return
        here = self.in_process or is_small(self.store, self._job)
        if here or not builder.run(self.store, self._job):
            if not here:
                self._once("builder", "The index could not be built in a process of its own; it is built in the server's.")
            scan(self.store, self._job)
            learn(self.store)
        self.store.compact()
        self._is_scanned = True
        self._show_all()

    def rebuild(self) -> None:
        """Forget everything and scan."""
        self.store.clear()
        self.scan()

    def take_up(self) -> None:
        """Deal with what `notify` has told so far, now, in this thread."""
        with self._changed:
            paths, self._dirty = list(self._dirty), {}
            whole, self._scan_wanted = self._scan_wanted, False
            self._first_event = 0.0
        folders = {path for path in paths if os.path.isdir(path)}
        whole = bool(whole or folders or len(paths) > MANY or any(os.path.basename(path) in _RULES for path in paths))
        if whole:
            self.scan()
        # Also after a scan: news of a file outweighs a stamp that says it has not changed.
        self._update([path for path in paths if path not in folders and os.path.basename(path) not in _RULES])
        self._on_change(None if whole else paths)

    def _update(self, paths: list[str]) -> None:
        keep: list[str] = []
        gone: list[str] = []
        for path in paths:
            real_path = real(path)
            (keep if self._judge.is_indexed(real_path) else gone).append(real_path)
        folders = [path for path in gone if not language_by_name(path)]
        if folders:
            gone += under(self.store.files(), folders)
        self.store.remove(path for path in gone if path not in keep)
        if keep:
            update(self.store, self._job, keep)

    def _work(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._cancel.is_set() or bool(self._dirty) or self._scan_wanted)
                while not self._cancel.is_set() and (wait := self._quiet_in()) > 0:
                    self._changed.wait(wait)
                self._busy = True
            try:
                self._cancel.check()
                self.take_up()
            except Cancelled:
                with self._changed:
                    self._busy = False
                    self._changed.notify_all()
                return
            except Exception as error:  # a mistake of ours about one file must not end the index's work on all others
                self._once("index", f"A change could not be taken into the workspace index: {error!r}.")

    def _quiet_in(self) -> float:
        now = time.monotonic()
        return min(self._last_event + QUIET_S, self._first_event + LONGEST_S) - now if self._first_event else 0.0

    def _start_thread(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="sotto-index", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _lost(self) -> None:
        with self._changed:
            self._is_scanned = False
            self._scan_wanted = True
            self._event()

    def _skipped(self, kind: str, path: str) -> None:
        if kind == "permission":
            self._once(kind, f"Some folders or files may not be read and are not indexed, {path} for one.")
        elif kind == "failed":
            self._once(kind, f"Some files could not be understood and are not indexed, {path} for one.")
        else:
            self._is_partial = True
            self._once(kind, f"There are more than {self.limits.max_files} files; the others are not indexed.")

    def _once(self, kind: str, text: str) -> None:
        if kind not in self._reported:
            self._reported.add(kind)
            self._report(kind, text)

    # Answers

    @property
    def is_complete(self) -> bool:
        """Whether everything that may be indexed has been read once: what is not here then is nowhere."""
        return self._is_scanned and not self._is_partial

    def record(self, path: str) -> Record | None:
        """An open buffer's record."""
        return self.buffers.records().get(real(path))

    def contents(self) -> dict[str, Any]:
        """Everything the index knows, comparable with another index of the same folder: files by path, document frequencies of
        identifiers on disk, and what full-text search finds for each. For tests: it reads every row.
        """
        open_now = self.buffers.paths()
        files = {path: row for path, row in stored(self.store).items() if path not in open_now}
        files.update({path: flat(rows(made)) for path, made in self.buffers.records().items()})
        return {"files": files, "identifiers": dict(self.store.query("SELECT name, files FROM identifier"))}


def real(path: str) -> str:
    """The one name of a file."""
    return os.path.realpath(path) if os.path.isabs(path) else path


def flat(made: Rows) -> tuple[Any, ...]:
    """A file's rows without what differs between two ways to the same state."""
    pieces = sorted((*piece, *words) for piece, words in zip(made.pieces, made.words, strict=True))
    return made.language, made.digest, pieces, sorted(made.symbols), sorted(made.imports), sorted(made.callees)


def stored(store: Store) -> dict[str, tuple[Any, ...]]:
    """The same for every file on disk, read back."""
    result = {}
    for path, language, key, file in store.query("SELECT path, language, digest, id FROM file"):
        found = {
            table: store.query(sql, (file,))
            for table, sql in {
                "piece": "SELECT start, end, line, lines, kind, owner, block, name, title, near, doc, body, names"
                " FROM chunk JOIN words ON words.rowid = chunk.id WHERE file = ?",
                "symbol": "SELECT ordinal, parent, name, qualified, kind, start, end, line, signature, doc, parameters, bases,"
                " returns FROM symbol WHERE file = ?",
                "import": "SELECT module, name, alias, level FROM import WHERE file = ?",
                "call": "SELECT name FROM call WHERE file = ?",
            }.items()
        }
        calls = sorted(name for (name,) in found["call"])
        result[path] = (language, key, sorted(found["piece"]), sorted(found["symbol"]), sorted(found["import"]), calls)
    return result
