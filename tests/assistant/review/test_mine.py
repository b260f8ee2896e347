"""Rows out of a history: ordinary commits, fixes turned round, and what is neither."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from assistant.review.mine import Row, read_rows, to_json

GOOD = "def area(x):\n    if x is None:\n        return 0\n    return x.width * x.height\n"
BAD = "def area(x):\n    return x.width * x.height\n"
Commit = Callable[[str, dict[str, str]], None]


@pytest.fixture
def commit(tmp_path: Path) -> Commit:
    def git(*arguments: str) -> None:
        named = {f"GIT_{who}_{what}": "a@b.c" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        environment = {**os.environ, **named, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True, capture_output=True, env=environment)

    def made(message: str, files: dict[str, str]) -> None:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8", newline="\n")
        git("add", ".")
        git("commit", "-q", "-m", message)

    git("init", "-q")
    made("start", {"a.py": BAD, "README.md": "x\n"})
    return made


def test_a_fix_is_turned_round(commit: Commit, tmp_path: Path) -> None:
    commit("Fix crash without a shape", {"a.py": GOOD, "tests/test_a.py": "def test_a():\n    assert area(None) == 0\n"})
    rows = list(read_rows(tmp_path, 10))
    assert [(row.kind, row.title) for row in rows] == [
        ("ordinary", "Fix crash without a shape"),
        ("bug", "Fix crash without a shape"),
    ]
    bug = rows[1]
    assert bug.files == {"a.py": [GOOD, BAD]}
    assert (bug.path, bug.lines, bug.shape) == ("a.py", [1], "guard")
    assert bug.project().read("tests/test_a.py") is not None
    assert list(bug.project().naming("area")) == ["a.py", "tests/test_a.py"]


@pytest.mark.parametrize(
    ("message", "files"),
    [
        ("Add a guard", {"a.py": GOOD}),
        ("Fix typo", {"a.py": GOOD}),
        ("Fix the readme", {"README.md": "y\n"}),
        ("Fix two things", {"a.py": GOOD, "b.py": "x = 1\n"}),
        ("Fix the top", {"a.py": BAD + "x = 1\n"}),
    ],
)
def test_what_is_no_small_fix_gives_no_bug(commit: Commit, tmp_path: Path, message: str, files: dict[str, str]) -> None:
    commit(message, files)
    assert [row.kind for row in read_rows(tmp_path, 10)] in (["ordinary"], [])


def test_rows_survive_a_file(commit: Commit, tmp_path: Path) -> None:
    commit("Fix crash", {"a.py": GOOD})
    rows = list(read_rows(tmp_path, 10))
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(to_json(row) + "\n" for row in rows), "utf-8")
    assert list(read_rows(file, 10)) == rows


def test_bad_input_is_told_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no git history"):
        list(read_rows(tmp_path, 1))
    file = tmp_path / "rows.jsonl"
    file.write_text('{"id": 1}\n', "utf-8")
    with pytest.raises(ValueError, match=r"rows\.jsonl:1"):
        list(read_rows(file, 1))


def test_two_programs_of_one_name_are_a_bug(commit: Commit, tmp_path: Path) -> None:
    tail = '\n"""\nAbout it.\n"""\n'
    commit("x", {"python_programs/f.py": BAD + tail, "correct_python_programs/f.py": GOOD + '\n"""\nAnother way.\n"""\n'})
    (row,) = read_rows(tmp_path, 10)
    assert (row.kind, row.path, row.lines) == ("bug", "python_programs/f.py", [1])


def test_changed_lines_are_those_of_the_new_text() -> None:
    assert Row("i", "ordinary", "t", {"a.py": [BAD, GOOD], "b.py": [None, "x\ny\n"]}).changed_lines == 4
