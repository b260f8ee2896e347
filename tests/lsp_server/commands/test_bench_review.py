"""`sotto bench review` from the command line: a table, one JSON object, and a sentence for bad input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from assistant.review.mine import Row, to_json
from lsp_server.cli import main

GOOD = "async def f(c):\n    await c.send(1)\n    await c.send(2)\n"
ROWS = (
    Row("r@1~", "bug", "Fix it", {"a.py": [GOOD, GOOD.replace("await c.send(1)", "c.send(1)")]}, "a.py", [1], "await"),
    Row("r@2", "ordinary", "Add", {"b.py": ["", "def f(x):\n    assert (x, 'no')\n"]}),
)


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(to_json(row) + "\n" for row in ROWS), "utf-8")
    return path


def test_json(rows: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "review", "--data", str(rows), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["commits"], told["bugs"], told["of_these_named"], told["comments_per_commit"]) == (1, 1, 1, 1.0)
    assert {one["rule"] for one in told["list"]} == {"lost-call", "constant-condition"}


def test_table_with_verdicts(rows: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    verdicts = tmp_path / "verdicts.jsonl"
    row = {"id": "r@2", "rule": "constant-condition", "path": "b.py", "line": 2, "verdict": "right", "why": "A tuple."}
    verdicts.write_text(json.dumps(row) + "\n", "utf-8")
    assert main(["bench", "review", "--data", str(rows), "--verdicts", str(verdicts)]) == 0
    told = capsys.readouterr().out
    assert "read by a person: 1, right 1 (100%" in told
    assert "r@2 b.py:2" in told
    assert "(A tuple.)" in told


@pytest.mark.parametrize(("name", "said"), [("none.jsonl", "is not there"), ("", "no git history")])
def test_bad_input(tmp_path: Path, name: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "review", "--data", str(tmp_path / name)]) != 0
    assert said in capsys.readouterr().err
