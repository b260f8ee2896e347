"""What the bench counts: bugs that are named on their line, comments on ordinary commits, verdicts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from assistant.review.bench import SHIPPED, VERDICTS, counts, interval, measure, read_verdicts
from assistant.review.mine import Row

GOOD = "async def f(c):\n    x = 1\n    await c.send(x)\n    await c.send(2)\n"
BAD = GOOD.replace("await c.send(x)", "c.send(x)")
BUG = Row("r@1~", "bug", "Fix it", {"a.py": [GOOD, BAD]}, "a.py", [2], "await")
ELSEWHERE = Row("r@2~", "bug", "Fix it", {"a.py": [GOOD, BAD]}, "a.py", [0], "literal")
NOISY = Row("r@3", "ordinary", "Add", {"b.py": ["", "def f(x):\n    assert (x, 'no')\n"]})
QUIET = Row("r@4", "ordinary", "Add", {"b.py": ["", "def f(x):\n    return x\n"]})


def test_bugs_count_when_they_are_named_on_their_line() -> None:
    report = measure([BUG, ELSEWHERE])
    assert (report.bugs, report.seen, report.named, report.seen_named) == (2, 1, 1, 1)
    assert report.shapes == {"await": [1, 1], "literal": [1, 0]}
    assert report.rules["lost-call"].named == 1
    assert report.rules["lost-call"].on_bugs == 2


def test_ordinary_commits_count_comments_and_lines() -> None:
    report = measure([NOISY, QUIET])
    told = report.to_json()
    assert (told["commits"], told["changed_lines"], told["comments"]) == (2, 4, 1)
    assert told["comments_per_commit"] == 0.5
    assert told["comments_per_100_changed_lines"] == 25
    assert [(one.rule, one.line, one.shown) for one in report.said] == [("constant-condition", 2, True)]


def test_precision_is_of_what_somebody_has_read(tmp_path: Path) -> None:
    file = tmp_path / "verdicts.jsonl"
    row = {"id": "r@3", "rule": "constant-condition", "path": "b.py", "line": 2, "verdict": "right", "why": "a tuple"}
    file.write_text(json.dumps(row) + "\n" + json.dumps({**row, "id": "r@9", "verdict": "unsure"}) + "\n", "utf-8")
    verdicts = read_verdicts(file)
    assert len(verdicts) == 1
    report = measure([NOISY, QUIET], verdicts=verdicts)
    told = report.to_json()
    assert (told["read"], told["precision"]) == (1, 1.0)
    assert [(one.verdict, one.why) for one in report.said] == [("right", "a tuple")]
    assert counts(report) == {"constant-condition": (1, 0)}


def test_a_verdict_is_the_commits_in_every_clone(tmp_path: Path) -> None:
    file = tmp_path / "verdicts.jsonl"
    row = {"id": "owner/r@3", "rule": "constant-condition", "path": "b.py", "line": 2, "verdict": "wrong"}
    file.write_text(json.dumps(row) + "\n", "utf-8")
    assert measure([NOISY], verdicts=read_verdicts(file)).verdicts() == (0, 1)


def test_the_shipped_verdicts_are_fifty_with_a_reason_each() -> None:
    shipped = read_verdicts(SHIPPED)
    assert len(shipped) == len(SHIPPED.read_text("utf-8").splitlines()) >= 50
    assert all(one.verdict in VERDICTS and one.why.endswith(".") for one in shipped.values())


def test_a_verdict_without_a_line_is_told(tmp_path: Path) -> None:
    file = tmp_path / "verdicts.jsonl"
    file.write_text('{"id": "x"}\n', "utf-8")
    with pytest.raises(ValueError, match="no verdict"):
        read_verdicts(file)


def test_the_interval_is_wilsons() -> None:
    assert interval(0, 0) == (0.0, 1.0)
    assert interval(30, 50) == (0.462, 0.724)
