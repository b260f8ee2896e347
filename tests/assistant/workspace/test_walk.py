"""The walk finds what asking about every file would find, and is not led astray."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.cancel import Cancel, Cancelled
from assistant.config import Config
from assistant.workspace.ignore import Excluder
from assistant.workspace.walk import Judge, Limits, decode, is_written_by_hand, language_by_name, read, walk

FOLDERS = ["", "a/", "a/b/", "build/", "a/build/", ".ssh/", "Secrets/"]
FILES = ["x.py", "y.js", "keep.py", "my_secret.py", ".env.py", "z.txt", "photo.png"]
LINES = ["*.py", "!keep.py", "/x.py", "build/", "a/b", "**/b/*.js", "# nothing", "y.*", "a/**", "!a/keep.py", "*/x.py"]


def paths(root: Path, config: Config | None = None, limits: Limits | None = None) -> list[str]:
    found = walk([os.path.realpath(root)], config or Config(), limits)
    return [os.path.relpath(path, os.path.realpath(root)).replace(os.sep, "/") for path, _ in found]


def write(root: Path, *names: str, text: str = "x = 1\n") -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@settings(max_examples=60, deadline=None)
@given(
    st.sets(st.tuples(st.sampled_from(FOLDERS), st.sampled_from(FILES)), min_size=1, max_size=20),
    st.dictionaries(st.sampled_from(FOLDERS[:4]), st.lists(st.sampled_from(LINES), max_size=4), max_size=3),
    st.booleans(),
    st.lists(st.sampled_from(["*.js", "a/b/**", "!my_secret.py", "build/", "/y.js"]), max_size=2),
    st.sampled_from(["", "a", "a/b"]),
)
def test_the_walk_agrees_with_the_excluder_and_the_judge_with_the_walk(
    files: set[tuple[str, str]], ignores: dict[str, list[str]], is_repository: bool, more: list[str], opened: str
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        top = Path(os.path.realpath(folder))
        write(top, *(where + name for where, name in files))
        for where, lines in ignores.items():
            write(top, where + ".gitignore", text="\n".join(lines))
        if is_repository:
            (top / ".git").mkdir()
        root = top / opened
        root.mkdir(parents=True, exist_ok=True)
        config = Config(exclude=(*Config().exclude, *more))
        excluder, judge = Excluder([root]), Judge([str(root)], config)
        everything = [str(p) for p in root.rglob("*") if p.is_file() and ".git" not in p.relative_to(root).parts]
        expected = {p for p in everything if language_by_name(p) and excluder.reason(p, config) is None}
        assert {path for path, _ in walk([str(root)], config)} == expected
        assert {path for path in everything if judge.is_indexed(path)} == expected


def test_folders_of_others_are_not_entered(tmp_path: Path) -> None:
    write(tmp_path, "a.py", "node_modules/m/i.js", "__pycache__/c.py", "env/pyvenv.cfg", "env/lib/l.py", "cache/CACHEDIR.TAG")
    write(tmp_path, "cache/c.py", ".git/hooks/h.py", "lib/site-packages/p.py", "app.min.js", "types_pb2.py")
    assert paths(tmp_path) == ["a.py"]


def test_links_are_not_followed_and_loops_end(tmp_path: Path) -> None:
    write(tmp_path, "real/a.py")
    (tmp_path / "real" / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "link.py").symlink_to(tmp_path / "real" / "a.py")
    (tmp_path / "dangling.py").symlink_to(tmp_path / "nothing.py")
    assert paths(tmp_path) == ["real/a.py"]


def test_a_root_inside_another_is_walked_once(tmp_path: Path) -> None:
    write(tmp_path, "a/b/x.py")
    top = os.path.realpath(tmp_path)
    assert len(list(walk([top, os.path.join(top, "a")], Config()))) == 1


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="the superuser may read everything")
def test_a_folder_without_permission_is_told_and_passed(tmp_path: Path) -> None:
    write(tmp_path, "closed/a.py", "open/b.py")
    (tmp_path / "closed").chmod(0)
    told: list[tuple[str, str]] = []
    try:
        found = list(walk([str(tmp_path)], Config(), on_skip=lambda kind, path: told.append((kind, path))))
    finally:
        (tmp_path / "closed").chmod(0o755)
    assert [os.path.basename(path) for path, _ in found] == ["b.py"]
    assert told == [("permission", str(tmp_path / "closed"))]


def test_a_folder_that_cannot_be_listed_is_told_and_passed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "closed/a.py", "open/b.py")
    real_scandir = os.scandir

    def scandir(path: str) -> object:
        if os.path.basename(path) == "closed":
            raise PermissionError(path)
        return real_scandir(path)

    monkeypatch.setattr(os, "scandir", scandir)
    told: list[str] = []
    found = list(walk([str(tmp_path)], Config(), on_skip=lambda kind, path: told.append(kind)))
    assert [os.path.basename(path) for path, _ in found] == ["b.py"]
    assert told == ["permission"]


def test_limits(tmp_path: Path) -> None:
    write(tmp_path, *(f"{i}.py" for i in range(10)))
    write(tmp_path, "large.py", text="x" * 2_000)
    write(tmp_path, "empty.py", text="")
    assert len(paths(tmp_path, limits=Limits(max_bytes=1_000))) == 10
    assert paths(tmp_path, limits=Limits(max_files=3)) == ["0.py", "1.py", "2.py"]


def test_cancelling_stops_within_a_few_files(tmp_path: Path) -> None:
    write(tmp_path, *(f"{i:04}.py" for i in range(600)))
    cancel, pauses, seen = Cancel(), 0, 0

    def pause() -> None:
        nonlocal pauses
        pauses += 1
        if pauses == 2:
            cancel.set()

    def count() -> None:
        nonlocal seen
        for _ in walk([str(tmp_path)], Config(), cancel=cancel, pause=pause):
            seen += 1

    with pytest.raises(Cancelled):
        count()
    assert seen < 300


def test_what_is_text() -> None:
    assert decode(b"a\0b") is None
    assert decode(b"\xff" * 100) is None
    assert decode(b"\xef\xbb\xbfx = 1") == "x = 1"
    assert decode("é = 1".encode("utf-16")) == "é = 1"
    assert decode(b"caf\xe9 = 1  # an old encoding") == "caf\ufffd = 1  # an old encoding"
    assert decode(b"\xff\xfeodd") is None
    assert is_written_by_hand("x = 1\n" * 10_000)
    assert not is_written_by_hand("x" * 30_000)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_a_pipe_or_device_does_not_hold_us(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "p.py")
    assert paths(tmp_path) == []
    assert read(str(tmp_path / "p.py"), Limits()) is None
    assert read(str(tmp_path), Limits()) is None


@pytest.mark.skipif(sys.platform != "linux", reason="names are text elsewhere")
def test_a_name_that_is_no_text_is_passed(tmp_path: Path) -> None:
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.py"))).write_text("x = 1\n")
    write(tmp_path, "fine.py")
    assert paths(tmp_path) == ["fine.py"]
