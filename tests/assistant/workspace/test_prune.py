"""Old indexes go, the others stay."""

from __future__ import annotations

import os
from pathlib import Path

from assistant.workspace.prune import UNUSED_S, prune

NOW = 2_000_000_000.0


def file(path: Path, age: float) -> None:
    path.write_text("x")
    os.utime(path, (NOW - age, NOW - age))


def test_what_nobody_has_used_for_long_goes_with_all_that_belongs_to_it(tmp_path: Path) -> None:
    old, day = UNUSED_S + 1, 24 * 3600.0
    for name, age in {
        "index-old-v1.db": old,
        "index-old-v1.db-wal": old,
        "index-old-v1.db.corrupt": old,
        "index-kept-v1.db": old,
        "index-fresh-v1.db": day,
        "index-log-v1.db": old,
        "index-log-v1.db-wal": day,
        "something-else.db": old,
    }.items():
        file(tmp_path / name, age)
    assert prune(tmp_path, tmp_path / "index-kept-v1.db", lambda: NOW) == [tmp_path / "index-old-v1.db"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "index-fresh-v1.db",
        "index-kept-v1.db",
        "index-log-v1.db",
        "index-log-v1.db-wal",
        "something-else.db",
    ]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert prune(tmp_path / "nowhere", tmp_path / "nowhere" / "index-a-v1.db") == []
