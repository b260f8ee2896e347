"""Deletes workspace indexes that nobody has used for long: each folder ever opened has one, and any can be made again.

Knows their names and ages, nothing of what is in them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

UNUSED_S = 60 * 24 * 3600.0
"""A project that was not opened for two months is indexed anew."""


def prune(folder: Path, keep: Path, clock: Callable[[], float] = time.time) -> list[Path]:
    """Delete what belongs to indexes in ``folder`` that were last written ``UNUSED_S`` ago; the databases that are gone.

    ``keep`` stays whatever its age. Every use writes. Never raises: another process may do the same, or hold a file.
    """
    families: dict[str, list[Path]] = {}
    for path in folder.glob("index-*.db*"):
        families.setdefault(path.name.partition(".")[0], []).append(path)
    gone = []
    for name, paths in families.items():
        if name == keep.name.partition(".")[0] or clock() - max(map(_written, paths)) < UNUSED_S:
            continue
        for path in paths:
            try:
                path.unlink()
            except OSError:
                continue
        gone.append(folder / f"{name}.db")
    return gone


def _written(path: Path) -> float:
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0
