"""The index: buffers over the disk, excludes, damage, two editors, checkouts, limits."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from assistant.cancel import Cancelled
from assistant.config import Config
from assistant.workspace import scan as scan_module
from assistant.workspace.index import WorkspaceIndex
from assistant.workspace.lookup import Lookup
from assistant.workspace.record import Record
from assistant.workspace.record import record as record_of
from assistant.workspace.walk import Limits
from tests.assistant.workspace.indexing import Clock, index_of


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


def symbols(index: WorkspaceIndex) -> set[str]:
    return {name for (name,) in index.store.query("SELECT qualified FROM symbol")}


def test_a_buffer_wins_over_the_disk_until_it_is_closed(root: Path, tmp_path: Path) -> None:
    file = root / "a.py"
    file.write_text("def saved(): pass\n")
    index = index_of(root, tmp_path / "cache")
    index.scan()
    index.open_buffer(str(file), "def typed(): pass\n")
    assert index.settle()
    made = index.record(str(file))
    assert made is not None
    assert [d.name for d in made.symbols.definitions] == ["typed"]
    assert symbols(index) == {"saved"}, "unsaved text never reaches the file that other editors share"
    file.write_text("def later(): pass\n")
    index.close_buffer(str(file))
    index.take_up()
    assert index.record(str(file)) is None
    assert symbols(index) == {"later"}
    index.close()


def test_excluded_files_leave_no_trace_even_when_open(root: Path, tmp_path: Path) -> None:
    (root / ".gitignore").write_text("private/\n")
    (root / "private").mkdir()
    for name in ("private/a.py", "my_secret.py", ".env.py"):
        (root / name).write_text("PASSWORD_QXZ = 'hunter2qxz'\n")
    (root / "fine.py").write_text("ok = 1\n")
    index = index_of(root, tmp_path / "cache")
    index.scan()
    for name in ("private/a.py", "my_secret.py", ".env.py"):
        index.open_buffer(str(root / name), "PASSWORD_QXZ = 2\n")
    assert index.settle()
    assert list(index.contents()["files"]) == [str(root / "fine.py")]
    path = index.store.path
    index.close()
    for file in path.parent.iterdir():
        assert b"qxz" not in file.read_bytes().lower()


def test_an_open_buffer_follows_gitignore(root: Path, tmp_path: Path) -> None:
    index = index_of(root, tmp_path / "cache")
    index.scan()
    path = str(root / "draft.py")
    index.open_buffer(path, "x = 1\n")
    assert index.settle()
    assert index.record(path) is not None
    for rules, is_seen in (("draft.py\n", False), ("\n", True)):
        (root / ".gitignore").write_text(rules)
        index.notify([str(root / ".gitignore")])
        index.take_up()
        assert index.settle()
        assert (index.record(path) is not None) == is_seen
    index.close()


def test_the_index_is_private_and_outside_the_repository(root: Path, tmp_path: Path) -> None:
    (root / "a.py").write_text("x = 1\n")
    index = index_of(root, tmp_path / "cache")
    index.scan()
    if os.name == "posix":
        assert index.store.path.stat().st_mode & 0o077 == 0
    assert sorted(p.name for p in root.iterdir()) == ["a.py"]
    index.close()


def test_an_interrupted_build_goes_on_where_it_ended(root: Path, tmp_path: Path) -> None:
    for i in range(120):
        (root / f"m{i:03}.py").write_text(f"def f{i}(): return {i}\n")
    old = time.time() - 3_600
    for file in root.iterdir():
        os.utime(file, (old, old))
    clock = Clock()
    clock.offset = 10**10  # the files were written long ago
    seen: list[int] = []

    def stop(done: int, found: int) -> None:
        if done:
            first.close()

    first: WorkspaceIndex = index_of(root, tmp_path / "cache", clock, on_progress=stop)
    with pytest.raises(Cancelled):
        first.scan()
    second = index_of(root, tmp_path / "cache", clock, on_progress=lambda done, found: seen.append(done))
    already = second.store.count()
    assert 0 < already < 120
    seen.clear()
    second.scan()
    assert seen[-1] == 120 - already
    second.scan()
    assert seen[-1] == 120 - already, "nothing is read twice"
    second.close()


@pytest.mark.parametrize("damage", ["garbage", "middle", "empty", "gone", "other version"])
def test_a_damaged_file_is_rebuilt_silently(root: Path, tmp_path: Path, damage: str) -> None:
    for i in range(40):
        (root / f"m{i}.py").write_text(f"def function_{i}(a, b): return helper_{i}(a)\n" * 20)
    index = index_of(root, tmp_path / "cache")
    index.scan()
    expected = index.contents()
    path = index.store.path
    index.close()
    if damage == "garbage":
        path.write_bytes(b"\x00garbage" * 5_000)
    elif damage == "middle":
        data = bytearray(path.read_bytes())
        data[8_192 : len(data) * 3 // 4] = b"\xff" * (len(data) * 3 // 4 - 8_192)
        path.write_bytes(bytes(data))
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "gone":
        path.unlink()
    else:
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA user_version = 999")
        connection.close()
    troubles: list[str] = []
    index = index_of(root, tmp_path / "cache", report=lambda kind, text: troubles.append(text))
    index.start()
    assert index.settle()
    index.contents()
    assert index.settle()
    assert index.contents() == expected
    assert troubles == []
    index.close()


def test_a_file_damaged_or_deleted_while_in_use_comes_back(root: Path, tmp_path: Path) -> None:
    (root / "a.py").write_text("def alpha(): pass\n")
    index = index_of(root, tmp_path / "cache")
    index.start()
    assert index.settle()
    shutil.rmtree(tmp_path / "cache")
    (root / "b.py").write_text("def beta(): pass\n")
    index.notify([str(root / "b.py")])
    assert index.settle()
    assert index.settle()
    assert symbols(index) == {"alpha", "beta"}
    index.close()


def test_two_editors_on_one_folder(root: Path, tmp_path: Path) -> None:
    """Two processes build and change at the same time; both end with the truth."""
    for i in range(60):
        (root / f"m{i}.py").write_text(f"def f{i}(x): return g{i}(x)\n" * 5)
    code = (
        "import sys\nfrom pathlib import Path\nfrom assistant.workspace.index import WorkspaceIndex\n"
        "index = WorkspaceIndex([sys.argv[1]], Path(sys.argv[2]), in_process=True)\n"
        "for _ in range(3): index.scan()\n"
        "for i in range(0, 60, 3):\n"
        "    path = Path(sys.argv[1], f'm{i}.py'); path.write_text(f'def changed{i}(): pass\\n')\n"
        "    index.notify([str(path)]); index.take_up()\n"
        "index.close()\n"
    )
    home = Path(__file__).resolve().parents[3]
    other = subprocess.Popen([sys.executable, "-c", code, str(root), str(tmp_path / "cache")], cwd=home)
    troubles: list[str] = []
    index = index_of(root, tmp_path / "cache", report=lambda kind, text: troubles.append(text))
    for i in range(1, 60, 3):
        index.scan()
        (root / f"m{i}.py").write_text(f"def mine{i}(): pass\n")
    assert other.wait(60) == 0
    index.scan()
    with tempfile.TemporaryDirectory() as cache:
        fresh = index_of(root, Path(cache))
        fresh.rebuild()
        assert index.contents() == fresh.contents()
        fresh.close()
    assert troubles == []
    index.close()


def test_a_checkout_while_it_is_indexed(root: Path, tmp_path: Path) -> None:
    """Files change, come and go under a scan in another thread; when told, the index ends with the truth."""
    for i in range(80):
        (root / f"m{i}.py").write_text(f"def old{i}(): pass\n")
    index = index_of(root, tmp_path / "cache")
    index.start()

    def checkout() -> None:
        for i in range(80):
            path = root / f"m{i}.py"
            if i % 3 == 0:
                path.unlink()
            elif i % 3 == 1:
                path.write_text(f"def new{i}(): pass\n")
            else:
                path.rename(root / f"n{i}.py")
            index.notify([str(path), str(root / f"n{i}.py")])

    worker = threading.Thread(target=checkout)
    worker.start()
    worker.join()
    assert index.settle()
    assert symbols(index) == {f"new{i}" if i % 3 == 1 else f"old{i}" for i in range(80) if i % 3}
    index.close()


def test_bad_files_are_told_once_and_stop_nothing(root: Path, tmp_path: Path) -> None:
    (root / "nul.py").write_bytes(b"x = 1\0\n")
    (root / "latin.py").write_bytes("# caf\xe9\nname = 'ok'\n".encode("latin-1"))
    (root / "noise.py").write_bytes(bytes(range(128, 256)) * 20)
    (root / "wide.py").write_text("wide = 1\n", "utf-16")
    (root / "minified.js").write_text("var a=1;" * 5_000)
    (root / "huge.py").write_text("y = 2\n" * 200_000)
    (root / "long_name.py").write_text("def " + "n" * 10_000 + "():\n    return short_one\n")
    (root / "mixed.py").write_text("a = 1\r\nb = 2\rc = 3\n")
    if hasattr(os, "mkfifo"):
        os.mkfifo(root / "pipe.py")
    (root / "loop").symlink_to(root, target_is_directory=True)
    index = index_of(root, tmp_path / "cache")
    index.scan()
    names = {os.path.basename(path) for path in index.contents()["files"]}
    assert names == {"latin.py", "wide.py", "long_name.py", "mixed.py"}
    assert index.store.query("SELECT files FROM identifier WHERE name = 'short_one'") == [(1,)]
    index.close()


def test_a_line_of_ten_megabytes_holds_nobody_up(root: Path, tmp_path: Path) -> None:
    """On disk it is left out; typed into, it is out of sight until it is shorter, and other buffers are read meanwhile."""
    (root / "data.py").write_text("x = [" + "1, " * 3_400_000 + "]\n")
    (root / "a.py").write_text("def fine(): pass\n")
    index = index_of(root, tmp_path / "cache")
    index.scan()
    index.open_buffer(str(root / "wide.py"), "x = [" + "1, " * 3_400_000)
    index.open_buffer(str(root / "b.py"), "def typed(): pass\n")
    assert index.settle(30)
    known = Lookup(index)
    assert symbols(index) == {"fine"}
    assert known.definitions("typed")
    assert not known.outline(str(root / "wide.py"))
    index.open_buffer(str(root / "wide.py"), "def short(): pass\n")
    assert index.settle(30)
    assert known.definitions("short")
    index.close()


def test_the_number_of_files_is_limited_and_it_is_said_once(root: Path, tmp_path: Path) -> None:
    for i in range(30):
        (root / f"m{i:02}.py").write_text("x = 1\n")
    troubles: list[str] = []
    index = index_of(root, tmp_path / "cache", limits=Limits(max_files=20), report=lambda kind, text: troubles.append(kind))
    index.scan()
    index.scan()
    assert index.store.count() == 20
    assert troubles == ["files"]
    index.close()


def test_different_settings_do_not_share_a_file(root: Path, tmp_path: Path) -> None:
    one = index_of(root, tmp_path / "cache")
    two = index_of(root, tmp_path / "cache", config=Config(exclude=("*.js",)))
    assert one.store.path != two.store.path
    one.close()
    two.close()


def test_the_builder_process_builds_the_same_index(root: Path, tmp_path: Path) -> None:
    for i in range(120):
        (root / f"m{i}.py").write_text(f"class C{i}:\n    def method(self): return f{i}()\n")
    own = WorkspaceIndex([root], tmp_path / "own")
    own.start()
    assert own.settle(120)
    here = index_of(root, tmp_path / "here")
    here.scan()
    assert own.contents() == here.contents()
    own.close()
    here.close()


def test_typing_is_read_newest_first_and_edits_are_remembered(root: Path, tmp_path: Path) -> None:
    index = index_of(root, tmp_path / "cache")
    path = str(root / "a.py")
    text = "def f():\n    return 1\n"
    for i in range(50):
        index.open_buffer(path, text + "x" * i)
    assert index.settle()
    made = index.record(path)
    assert made is not None
    assert made.text == text + "x" * 49
    newest = index.buffers.edits()[0]
    assert (newest.path, newest.offset) == (path, len(text) + 48)
    index.close()


def test_a_file_we_fail_on_costs_no_other(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "a.py").write_text("fatal = 1\n")
    (root / "b.py").write_text("def fine(): pass\n")
    real_record = record_of

    def record(path: str, text: str) -> Record:
        if "fatal" in text:
            raise RecursionError
        return real_record(path, text)

    monkeypatch.setattr(scan_module, "record", record)
    troubles: list[str] = []
    index = index_of(root, tmp_path / "cache", report=lambda kind, text: troubles.append(kind))
    index.scan()
    index.scan()
    assert symbols(index) == {"fine"}
    assert troubles == ["failed"]
    index.close()
