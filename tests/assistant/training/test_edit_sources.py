"""Commits become sessions whose changes lead from the parent's lines to the child's; what must not be learnt stays out."""

from __future__ import annotations

import logging
import subprocess
from pathlib import Path

import pytest

from assistant.edit_format import split_lines
from assistant.training import edit_sources
from assistant.training.edits import Segment, Session
from assistant.training.sources import CorpusError, History, load_manifest

BEFORE = "".join(f"value_{i} = compute(first_{i}, width)\n" for i in range(80))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "histories" / "someone+project"
    place.mkdir(parents=True)
    git(place, "init", "-q", "-b", "main")
    return tmp_path / "histories"


def git(place: Path, *words: str) -> str:
    who = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
    return subprocess.run(["git", "-C", str(place), *who, *words], check=True, capture_output=True, text=True).stdout.strip()


def commit(folder: Path, files: dict[str, str]) -> None:
    place = folder / "someone+project"
    for name, text in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text, encoding="utf-8")
    git(place, "add", ".")
    git(place, "commit", "-q", "-m", "change")


def found(folder: Path, forbidden: str = "never there") -> list[Session]:
    history = History("someone/project", "HEAD", "MIT")
    return list(edit_sources.sessions([history], folder, lambda text: forbidden in text, frozenset({"reserved"})))


def after(segment: Segment) -> str:
    out = list(segment.lines)
    for change in reversed(segment.changes):
        out[change.start : change.end] = split_lines(change.text)
    return "".join(out)


def test_a_commit_is_its_changes_with_twenty_lines_around(folder: Path) -> None:
    commit(folder, {"a.py": BEFORE, "b.py": "import width\n" * 3})
    changed = BEFORE.replace("(first_3, width)", "(first_3, height)").replace("value_70 = compute(first_70, width)\n", "")
    commit(folder, {"a.py": changed, "b.py": "import width\nimport height\nimport width\n"})
    (session,) = found(folder)
    assert [segment.path for segment in session.segments] == ["project/a.py", "project/a.py", "project/b.py"]
    first, second, _ = session.segments
    assert "".join(first.lines) in BEFORE
    assert len(first.lines) == 3 + 1 + 20
    assert after(first) in changed
    assert after(second) in changed
    assert (second.changes[0].text, second.changes[0].end - second.changes[0].start) == ("", 1)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"a.py": BEFORE.replace(" = ", "  =  ")}, id="white space alone"),
        pytest.param({"reserved/a.py": BEFORE.replace("first_3", "third")}, id="copied from a held-out package"),
        pytest.param({"a.py": BEFORE.replace("first_3,", "held_out_text,")}, id="like a held-out file"),
        pytest.param({"a.py": BEFORE.replace("first_3,", "'AKIA" + "A" * 16 + "',")}, id="a secret"),
        pytest.param({"a.py": "".join(reversed(BEFORE.splitlines(keepends=True)))}, id="too much at once"),
        pytest.param({"a.py": BEFORE.replace("first_3,", "x" * 300 + ",")}, id="a long line"),
        pytest.param({"notes.txt": "new\n"}, id="no Python"),
    ],
)
def test_what_must_not_be_learnt_stays_out(folder: Path, change: dict[str, str]) -> None:
    commit(folder, {"a.py": BEFORE, "reserved/a.py": BEFORE, "notes.txt": "old\n"})
    commit(folder, change)
    assert found(folder, forbidden="held_out_text") == []


def test_addresses_are_made_anonymous(folder: Path) -> None:
    commit(folder, {"a.py": BEFORE})
    commit(folder, {"a.py": BEFORE.replace("first_3,", "'someone@real-place.org',")})
    (session,) = found(folder)
    assert "name@example.com" in session.segments[0].changes[0].text


def test_a_missing_history_is_named_and_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert found(tmp_path) == []
    assert "no history of someone/project" in caplog.text


def test_a_project_of_a_reserved_name_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    path.write_text(
        '{"train": [], "installed": [], "held_out": [],'
        ' "histories": [{"name": "encode/httpx", "revision": "HEAD", "licence": "BSD-3-Clause"}]}'
    )
    with pytest.raises(CorpusError, match="httpx is reserved for evaluation"):
        load_manifest(path)
