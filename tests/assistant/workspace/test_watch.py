"""Changes on disk reach the index by themselves; without notifications by looking."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from assistant.workspace import watch
from assistant.workspace.index import WorkspaceIndex
from assistant.workspace.watch import Watcher


@pytest.fixture
def index(tmp_path: Path) -> Iterator[WorkspaceIndex]:
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "a.py").write_text("def first(): pass\n")
    made = WorkspaceIndex([tmp_path / "root"], tmp_path / "cache", in_process=True)
    made.start()
    assert made.settle()
    yield made
    made.close()


def eventually(index: WorkspaceIndex, expected: set[str]) -> None:
    until = time.monotonic() + 30
    while True:
        index.settle()
        found = {name for (name,) in index.store.query("SELECT name FROM symbol")}
        if found == expected or time.monotonic() > until:
            assert found == expected
            return
        time.sleep(0.02)


def change(root: Path, index: WorkspaceIndex) -> None:
    (root / "b.py").write_text("def second(): pass\n")
    eventually(index, {"first", "second"})
    (root / "a.py").write_text("def third(): pass\n")
    eventually(index, {"second", "third"})
    (root / "sub").mkdir()
    (root / "sub" / "c.py").write_text("def fourth(): pass\n")
    eventually(index, {"second", "third", "fourth"})
    (root / "sub").rename(root / "moved")
    (root / "b.py").unlink()
    eventually(index, {"third", "fourth"})
    (root / ".gitignore").write_text("moved/\n")
    eventually(index, {"third"})


def test_notifications(index: WorkspaceIndex) -> None:
    told: list[str] = []
    watcher = Watcher(index, report=lambda kind, text: told.append(text))
    watcher.start()
    assert not watcher.is_polling, told
    try:
        change(Path(index.roots[0]), index)
    finally:
        watcher.stop()


def test_looking_when_there_are_no_notifications(index: WorkspaceIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object) -> None:
        raise OSError("inotify watch limit reached")

    monkeypatch.setattr(watch, "_observe", none)
    told: list[str] = []
    watcher = Watcher(index, report=lambda kind, text: told.append(text), poll_s=0.1)
    watcher.start()
    assert watcher.is_polling
    assert len(told) == 1
    assert "inotify watch limit reached" in told[0]
    try:
        change(Path(index.roots[0]), index)
    finally:
        watcher.stop()


def test_reading_files_wakes_nobody(index: WorkspaceIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    woken: list[object] = []
    monkeypatch.setattr(index, "notify", lambda paths: woken.append(paths))
    watcher = Watcher(index)
    watcher.start()
    try:
        for _ in range(5):
            index.scan()
            (Path(index.roots[0]) / "a.py").read_text()
        time.sleep(0.3)
    finally:
        watcher.stop()
    assert woken == []
