"""What was dismissed stays so while lines move, and the file that remembers tells nobody anything."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from assistant.review.dismissed import FILE_NAME, SILENT_AFTER, Memory
from tests.assistant.review.findings import finding

TEXT = "def a():\n    secret_call(1)\n\n\ndef b():\n    secret_call(1)\n"


def test_a_dismissed_finding_stays_dismissed_where_its_line_goes(tmp_path: Path) -> None:
    Memory(tmp_path).dismiss(finding(line=1), TEXT)
    memory = Memory(tmp_path)
    assert memory.is_dismissed(finding(line=1), TEXT)
    moved = "import os\n\n" + TEXT.replace("    secret_call", "        secret_call")
    assert memory.is_dismissed(finding(line=3), moved)
    assert not memory.is_dismissed(finding(line=5), TEXT)  # the same line in another function
    assert not memory.is_dismissed(finding(line=1, rule="other"), TEXT)
    assert not memory.is_dismissed(finding(line=1), TEXT.replace("(1)", "(2)"))
    assert not memory.is_dismissed(finding("n.py", 1), TEXT)
    assert memory.is_dismissed(finding("n.py", 1), TEXT, old_path="m.py")  # renamed


def test_a_rule_can_be_dismissed_in_one_file(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    memory.dismiss_rule("r", "m.py")
    assert memory.is_dismissed(finding(line=5), TEXT)
    assert not memory.is_dismissed(finding("n.py", 5), TEXT)
    assert not memory.is_dismissed(finding(line=5, rule="q"), TEXT)


def test_a_rule_that_is_dismissed_too_often_is_silent(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    for _ in range(SILENT_AFTER - 1):
        memory.count("r", "dismissed")
    assert not memory.is_silent("r")
    memory.count("r", "dismissed")
    assert Memory(tmp_path).is_silent("r")
    for outcome in ("fixed", "applied"):
        memory.count("r", outcome)
    assert memory.judgements("r") == (2, SILENT_AFTER)
    assert not memory.is_silent("r")
    memory.count("s", "ignored")
    assert memory.judgements("s") == (0, 0)


def test_the_file_holds_no_text_and_no_name(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "data")
    memory.dismiss(finding("folder/private.py", 1), TEXT)
    memory.dismiss_rule("r", "folder/private.py")
    raw = (tmp_path / "data" / FILE_NAME).read_text()
    for word in ("secret_call", "private", "folder", "def"):
        assert word not in raw
    if sys.platform != "win32":
        assert (tmp_path / "data" / FILE_NAME).stat().st_mode & 0o077 == 0
    other = Memory(tmp_path / "other")
    other.dismiss(finding("folder/private.py", 1), TEXT)
    kept = [set(json.loads((tmp_path / name / FILE_NAME).read_text())["dismissed"]) for name in ("data", "other")]
    assert not kept[0] & kept[1]  # another key, other hashes


def test_two_programs_at_once_lose_nothing_of_each_other(tmp_path: Path) -> None:
    first, second = Memory(tmp_path), Memory(tmp_path)
    first.dismiss(finding(line=1), TEXT)
    second.dismiss(finding(line=5), TEXT)
    first.count("r", "fixed")
    third = Memory(tmp_path)
    assert third.is_dismissed(finding(line=1), TEXT)
    assert third.is_dismissed(finding(line=5), TEXT)
    assert third.judgements("r") == (1, 0)


@pytest.mark.parametrize(
    "raw", ["", "{", "[]", '{"key": 3}', '{"key": "zz"}', '{"key": "00112233445566778899aabbccddeeff", "rules": {"r": 3}}']
)
def test_a_broken_file_is_as_none(tmp_path: Path, raw: str) -> None:
    (tmp_path / FILE_NAME).write_text(raw)
    memory = Memory(tmp_path)
    assert memory.judgements("r") == (0, 0)
    memory.dismiss(finding(line=1), TEXT)
    assert Memory(tmp_path).is_dismissed(finding(line=1), TEXT)


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    memory = Memory(tmp_path / "file" / "below")
    memory.dismiss(finding(line=1), TEXT)
    assert "check that" in memory.problem
    assert memory.is_dismissed(finding(line=1), TEXT)
