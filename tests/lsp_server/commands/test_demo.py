"""The demo: the lines it picks, the typing it does, and the whole of it against the real server."""

from __future__ import annotations

from pathlib import Path

import pytest

from lsp_server.commands.demo import SAMPLE
from lsp_server.commands.demo_typist import Buffer, Line, choose_lines
from tests.lsp_server.commands.test_commands import as_json, sotto

TEXT = SAMPLE.read_text("utf-8")


def test_it_types_lines_of_code_spread_over_the_file() -> None:
    chosen = choose_lines(TEXT, 6)
    lines = TEXT.split("\n")
    assert len(chosen) == 6
    assert chosen == sorted(set(chosen))
    assert chosen[-1] - chosen[0] > len(lines) // 2
    assert all(lines[n].strip() and not lines[n].strip().startswith(("#", "import", "from", '"""')) for n in chosen)


def test_it_types_what_a_short_file_has() -> None:
    assert choose_lines("x = compute(1, 2)\n", 6) == [0]
    assert choose_lines("# only a comment here\n", 6) == []


@pytest.mark.parametrize(("offset", "expected"), [(0, (0, 0)), (1, (0, 2)), (2, (0, 3)), (4, (1, 1))])
def test_positions_count_utf16_units(offset: int, expected: tuple[int, int]) -> None:
    position = Buffer("😀a\nb").position(offset)
    assert (position.line, position.character) == expected


def test_a_change_is_told_in_positions_of_the_text_before_it() -> None:
    buffer = Buffer("ab\ncd\n")
    change = buffer.replace(1, 4, "X")
    assert (change.range.start.line, change.range.start.character) == (0, 1)
    assert (change.range.end.line, change.range.end.character) == (1, 1)
    assert (buffer.text, buffer.offset, buffer.version) == ("aXd\n", 2, 2)


def test_a_line_knows_who_wrote_what() -> None:
    line = Line(1, "return a + b", [("return ", False), ("a + b", True)])
    assert (line.typed, line.accepted, line.rest) == ("return ", "a + b", "")


@pytest.mark.e2e
def test_the_demo_runs_to_its_end_and_reports(tmp_path: Path) -> None:
    report = as_json(sotto("demo", "--lines", "2", "--json", cwd=tmp_path))
    assert len(report["lines"]) == 2
    for line in report["lines"]:
        assert "".join(text for text, _ in line["pieces"]) == line["code"]
    assert report["telemetry"]["opportunities"] > 0
    assert sum(report["telemetry"]["decisions"].values()) == report["telemetry"]["opportunities"]


@pytest.mark.e2e
def test_the_demo_leaves_the_users_file_and_record_alone(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_bytes(TEXT.replace("\n", "\r\n").encode())
    before = path.read_bytes()
    as_json(sotto("demo", "--path", "mine.py", "--lines", "1", "--json", cwd=tmp_path))
    assert path.read_bytes() == before
    assert not (tmp_path / "data").exists()


def test_a_file_without_code_is_explained(tmp_path: Path) -> None:
    (tmp_path / "empty.py").write_text("\n", encoding="utf-8")
    done = sotto("demo", "--path", "empty.py", cwd=tmp_path)
    assert done.returncode == 2
    assert "no line of code" in done.stderr
