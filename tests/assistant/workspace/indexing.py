"""What the index's tests share: an index in this process, and a wall clock that a test may set."""

from __future__ import annotations

import time
from pathlib import Path

from assistant.workspace.index import WorkspaceIndex


class Clock:
    """Wall-clock nanoseconds that a test may set."""

    def __init__(self) -> None:
        self.offset = 0

    def __call__(self) -> int:
        return time.time_ns() + self.offset


def index_of(root: Path, cache: Path, clock: Clock | None = None, **more: object) -> WorkspaceIndex:
    return WorkspaceIndex([root], cache, in_process=True, clock=clock or Clock(), **more)  # type: ignore[arg-type]
