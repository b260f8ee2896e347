"""Tells the index what changes on disk: the system's own notifications through watchdog, or a look at the folders now and then.

The index works without it. An idle workspace costs nothing: no timer runs while notifications do. Knows nothing of
what the index does with a path.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from assistant.workspace.walk import SKIPPED_FOLDERS

if TYPE_CHECKING:
    from assistant.workspace.index import WorkspaceIndex

POLL_S = 30.0
"""Between two looks when there are no notifications: a look at 100,000 unchanged files takes a process some seconds."""


class Watcher:
    """Watches ``index.roots`` from `start` to `stop`. ``report(kind, sentence)`` hears once if there are no notifications."""

    def __init__(
        self, index: WorkspaceIndex, report: Callable[[str, str], None] = lambda kind, text: None, poll_s: float = POLL_S
    ) -> None:
        self._index = index
        self._report = report
        self._poll_s = poll_s
        self._observer: Any = None
        self._stopped = threading.Event()
        self._poller: threading.Thread | None = None

    @property
    def is_polling(self) -> bool:
        return self._poller is not None

    def start(self) -> None:
        """Begin; on a system or folder without notifications, fall back to looking."""
        try:
            self._observer = _observe(self._index.roots, self._index.notify)
        except (
            Exception
        ) as error:  # the back ends raise OSError, RuntimeError and their own kinds: out of watches, no such folder
            self._report(
                "watch", f"File notifications are not available ({error}); folders are looked at every {self._poll_s:g} s."
            )
            self._poller = threading.Thread(target=self._poll, name="sotto-poll", daemon=True)
            self._poller.start()

    def stop(self) -> None:
        self._stopped.set()
        if self._observer is not None:
            self._observer.stop()
            self._observer.join(2.0)
        if self._poller is not None:
            self._poller.join(2.0)

    def _poll(self) -> None:
        while not self._stopped.wait(self._poll_s):
            self._index.notify_all()


def _observe(roots: Iterable[str], notify: Callable[[list[str]], None]) -> Any:
    """A started observer of the folders."""
    from watchdog.events import FileSystemEvent, FileSystemEventHandler
    from watchdog.observers import Observer

    class Handler(FileSystemEventHandler):
        def on_any_event(self, event: FileSystemEvent) -> None:
            if event.event_type in ("opened", "closed_no_write"):
                return  # reading is no change; our own scans would wake us for ever
            if event.is_directory and event.event_type == "modified":
                return  # its entries have events of their own
            paths = [os.fsdecode(path) for path in (event.src_path, event.dest_path) if path]
            wanted = [path for path in paths if not _is_noise(path)]
            if wanted:
                notify(wanted)

    observer = Observer()
    observer.daemon = True
    for root in roots:
        observer.schedule(Handler(), root, recursive=True)
    try:
        observer.start()
    except BaseException:
        observer.stop()
        raise
    return observer


def _is_noise(path: str) -> bool:
    """Whether the path lies where no file is indexed: git's own files change with every command."""
    folders = path.replace("\\", "/").split("/")[:-1]
    return any(folder in SKIPPED_FOLDERS for folder in folders) and not path.endswith(os.path.join("info", "exclude"))
