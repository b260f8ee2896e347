"""Every linter's own format gives findings, on changed lines only, style left out."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path

import pytest

from assistant.review import changes, linter_runs
from assistant.review.linters import OURS, UnreadableError, on_changes, read
from assistant.review.rules import ALL
from assistant.review.types import ChangeSet

OLD = "import os\n\n\ndef f():\n    pass\n"
NEW = "import os\n\n\ndef f():\n    return undefined_name\n"

RUFF = [
    {
        "code": "F821",
        "filename": "m.py",
        "location": {"row": 5, "column": 12},
        "end_location": {"row": 5, "column": 26},
        "message": "Undefined",
    },
    {
        "code": "F401",
        "filename": "m.py",
        "location": {"row": 1, "column": 1},
        "end_location": {"row": 1, "column": 3},
        "message": "Unused",
    },
    {
        "code": "E501",
        "filename": "m.py",
        "location": {"row": 5, "column": 1},
        "end_location": {"row": 5, "column": 3},
        "message": "Long",
    },
    {"code": None, "filename": "other.py", "location": {"row": 1, "column": 1}, "end_location": None, "message": "SyntaxError"},
]
MYPY = "\n".join(
    json.dumps(row)
    for row in (
        {
            "file": "m.py",
            "line": 5,
            "column": 11,
            "message": 'Name "x" is not defined',
            "hint": None,
            "code": "name-defined",
            "severity": "error",
        },
        {"file": "m.py", "line": 5, "column": 11, "message": "a note", "hint": None, "code": None, "severity": "note"},
    )
)
PYRIGHT = {
    "generalDiagnostics": [
        {
            "file": "/top/m.py",
            "severity": "error",
            "message": "x is not defined",
            "rule": "reportUndefinedVariable",
            "range": {"start": {"line": 4, "character": 11}, "end": {"line": 4, "character": 20}},
        }
    ]
}
ESLINT = [
    {
        "filePath": "m.py",
        "messages": [
            {"ruleId": "no-undef", "severity": 2, "message": "x is not defined", "line": 5, "column": 3, "endLine": 5},
            {"ruleId": "semi", "severity": 2, "message": "Missing semicolon", "line": 5, "column": 3},
        ],
    }
]
SEMGREP = {
    "results": [
        {
            "check_id": "rules.python.sql-injection",
            "path": "m.py",
            "start": {"line": 5},
            "end": {"line": 5},
            "extra": {"message": "SQL built\nfrom input", "severity": "ERROR"},
        }
    ]
}
SARIF = {
    "version": "2.1.0",
    "runs": [
        {
            "tool": {"driver": {"name": "Semgrep OSS"}},
            "results": [
                {
                    "ruleId": "x",
                    "level": "error",
                    "message": {"text": "bad"},
                    "locations": [
                        {
                            "physicalLocation": {
                                "artifactLocation": {"uri": "file:///top/m.py"},
                                "region": {"startLine": 5, "endLine": 6},
                            }
                        }
                    ],
                }
            ],
        }
    ],
}


def change(root: str = "/top") -> ChangeSet:
    return changes.of_texts({"m.py": (OLD, NEW)}, root=root)


@pytest.mark.parametrize(
    ("data", "rules"),
    [
        (json.dumps(RUFF), ["ruff:F821"]),
        (MYPY, ["mypy:name-defined"]),
        (json.dumps(PYRIGHT), ["pyright:reportUndefinedVariable"]),
        (json.dumps(ESLINT), ["eslint:no-undef"]),
        (json.dumps(SEMGREP), ["semgrep:sql-injection"]),
        (json.dumps(SARIF), ["semgrep:x"]),
        ("[]", []),
    ],
)
def test_each_format(data: str, rules: list[str]) -> None:
    found = on_changes(read(data), change())
    assert [one.rule for one in found] == rules
    assert all((one.path, one.line) == ("m.py", 4) and one.message and "\n" not in one.message for one in found)


@pytest.mark.parametrize("data", ["", "hello", "3", "{}", "[3]", '[{"a": 1}]', '{"runs": [3]}', '{"results": [{}]}'])
def test_another_format_is_a_sentence(data: str) -> None:
    with pytest.raises(UnreadableError, match="no SARIF and no JSON"):
        read(data or "null", "x.json")


@pytest.mark.skipif(sys.platform == "win32", reason="writes a shell script")
def test_a_linter_of_the_projects_environment_is_run_over_what_is_on_disk(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text(NEW)
    (tmp_path / "n.py").write_text("saved = 1\n")
    program = tmp_path / ".venv" / "bin" / "ruff"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\necho "$@" > "{tmp_path}/asked"\ncat <<END\n{json.dumps(RUFF)}\nEND\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    found = changes.of_texts({"m.py": (OLD, NEW), "n.py": ("", "unsaved = 1\n"), "a.js": ("", "x\n")}, root=str(tmp_path))
    findings, troubles = linter_runs.run(["ruff", "nonsense", "semgrep"], found)
    assert [one.rule for one in findings] == ["ruff:F821"]
    assert (tmp_path / "asked").read_text().split()[-2:] == ["--", "./m.py"]
    assert troubles[0].startswith("nonsense is no linter")


def test_the_rules_that_linters_are_compared_with_exist() -> None:
    assert set(OURS.values()) <= {rule.name for rule in ALL}


def test_one_that_is_not_there_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        monkeypatch.delenv(name, raising=False)
    findings, troubles = linter_runs.run(["eslint"], change(os.fspath(tmp_path)))
    assert findings == []
    assert troubles == ["eslint is not installed in this project's environment or on the PATH"]
