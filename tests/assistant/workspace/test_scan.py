"""What a scan says of its progress, and when it is worth processes of its own."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from assistant.cancel import Cancel, Cancelled
from assistant.config import Config
from assistant.workspace.index import WorkspaceIndex
from assistant.workspace.scan import SMALL_BYTES, SMALL_FILES, Job, is_small, scan
from assistant.workspace.store import Store
from assistant.workspace.walk import Limits


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = Path(os.path.realpath(tmp_path)) / "root"
    folder.mkdir()
    return folder


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "cache" / "index.db")
    yield made
    made.close()


def later() -> int:
    """A clock by which every file is old enough to be trusted."""
    return time.time_ns() + 10_000_000_000


def job_of(root: Path) -> Job:
    return Job((str(root),), Config(), Limits(), later)


def fill(root: Path, files: int, text: str = "x = 1\n") -> None:
    for i in range(files):
        (root / f"m{i}.py").write_text(text)


def test_progress_counts_to_an_end_that_is_known_from_the_start(root: Path, store: Store) -> None:
    fill(root, 130)
    told: list[tuple[int, int]] = []
    job = replace(job_of(root), on_progress=lambda done, found: told.append((done, found)))
    assert scan(store, job) == 130
    assert told[0] == (0, 130)
    assert told[-1] == (130, 130)
    assert told == sorted(told)
    assert {found for _, found in told} == {130}
    told.clear()
    assert scan(store, job) == 0
    assert told == []


@pytest.mark.parametrize(
    ("files", "text", "expected"),
    [
        (0, "", True),
        (SMALL_FILES, "x = 1\n", True),
        (SMALL_FILES + 1, "x = 1\n", False),
        (2, "x = 1\n" * (SMALL_BYTES // 10), False),
    ],
)
def test_little_to_read_is_read_at_once(root: Path, store: Store, files: int, text: str, expected: bool) -> None:
    fill(root, files, text)
    assert is_small(store, job_of(root)) is expected


def test_what_is_known_already_does_not_count(root: Path, store: Store) -> None:
    fill(root, 3 * SMALL_FILES)
    job = job_of(root)
    assert not is_small(store, job)
    scan(store, job)
    assert is_small(store, job)
    fill(root, SMALL_FILES + 1, "y = 22\n")
    assert not is_small(store, job)


def test_it_is_not_asked_for_once_it_is_cancelled(root: Path, store: Store) -> None:
    fill(root, 1)
    cancel = Cancel()
    cancel.set()
    with pytest.raises(Cancelled):
        is_small(store, replace(job_of(root), cancel=cancel))


def test_the_index_tells_what_it_has_taken_up(root: Path, tmp_path: Path) -> None:
    fill(root, 2)
    told: list[list[str] | None] = []
    index = WorkspaceIndex([root], tmp_path / "cache", on_change=told.append)
    try:
        index.start()
        assert index.settle()
        (root / "m0.py").write_text("z = 333\n")
        index.notify([str(root / "m0.py")])
        assert index.settle()
        assert told == [None, [str(root / "m0.py")]]
    finally:
        index.close()


def test_an_index_without_a_place_reads_nothing(root: Path, tmp_path: Path) -> None:
    fill(root, 2)
    (tmp_path / "cache").write_text("not a folder")
    told: list[str] = []
    looked: list[tuple[int, int]] = []
    index = WorkspaceIndex(
        [root], tmp_path / "cache", report=lambda kind, _: told.append(kind), on_progress=lambda *n: looked.append(n)
    )
    index.scan()
    index.close()
    assert told == ["disk"]
    assert looked == []
