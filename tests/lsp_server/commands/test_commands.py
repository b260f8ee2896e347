"""The commands as a user runs them: real processes, real model, and what each says when something is wrong."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lsp_server.spawn import python_command

CODE = """\
import os
import sys


def read_file(path):
    with open(path) as handle:
        return handle.
"""


def sotto(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "SOTTO_DATA_DIR": str(cwd / "data"), "COLUMNS": "200", **environment}
    command = python_command("lsp_server", *arguments)
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=120)


def as_json(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert isinstance(answer, dict)
    return answer


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "reader.py"
    path.write_text(CODE, encoding="utf-8")
    return path


@pytest.mark.e2e
def test_complete_continues_the_line(source: Path) -> None:
    answer = as_json(sotto("complete", f"{source.name}:7:23", "--json", cwd=source.parent))
    assert answer["reason"] == "shown"
    assert answer["offset"] == len(CODE) - 1
    assert answer["text"].strip()
    assert "\n" not in answer["text"]
    assert answer["timings_ms"]["total"] >= answer["timings_ms"]["decode"] > 0
    assert answer["new_tokens"] >= 1


@pytest.mark.e2e
def test_complete_prints_the_line_with_the_suggestion(source: Path) -> None:
    done = sotto("complete", f"{source.name}:7:23", cwd=source.parent)
    assert done.returncode == 0
    assert done.stdout.startswith("        return handle.")
    assert "tokens/s" in done.stdout


@pytest.mark.e2e
def test_complete_says_why_a_secret_gets_nothing(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("TOKEN=\n", encoding="utf-8")
    done = sotto("complete", ".env:1:7", cwd=tmp_path)
    assert done.returncode == 0
    assert "excluded" in done.stdout


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        ("reader.py", "FILE:LINE:COL"),
        ("reader.py:7", "FILE:LINE:COL"),
        ("reader.py:0:1", "count from 1"),
        ("reader.py:99:1", "there is no line 99"),
        ("reader.py:1:99", "its last column is 10"),
        ("absent.py:1:1", "cannot read absent.py"),
    ],
)
def test_complete_explains_a_wrong_place(source: Path, place: str, sentence: str) -> None:
    done = sotto("complete", place, cwd=source.parent)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1


def test_complete_refuses_what_is_not_text(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"\xff\xfe\x00")
    done = sotto("complete", "a.bin:1:1", cwd=tmp_path)
    assert done.returncode == 2
    assert "not UTF-8" in done.stderr


@pytest.mark.e2e
def test_a_missing_model_is_one_sentence(source: Path) -> None:
    done = sotto("complete", f"{source.name}:7:23", "--model", "nowhere", cwd=source.parent)
    assert done.returncode == 2
    assert "nowhere" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.e2e
def test_a_folder_of_the_users_never_runs_in_place_of_ours(source: Path) -> None:
    """A project with folders called like our packages, the current folder when the server starts its engine."""
    for name in ("assistant", "telemetry", "kernels", "lsp_server"):
        (source.parent / name).mkdir()
        (source.parent / name / "__init__.py").write_text(
            "raise SystemExit('the wrong package was imported')\n", encoding="utf-8"
        )
    assert as_json(sotto("complete", f"{source.name}:7:23", "--json", cwd=source.parent))["reason"] == "shown"


@pytest.mark.e2e
def test_doctor_is_content_with_this_installation(tmp_path: Path) -> None:
    report = as_json(sotto("doctor", "--json", cwd=tmp_path))
    found = {check["name"]: check for check in report["checks"]}
    assert report["ok"] is True
    assert {"python", "torch", "cpu", "accelerator", "model", "checksum", "threads", "completion", "store"} <= found.keys()


@pytest.mark.e2e
def test_doctor_says_what_to_do_about_a_damaged_store(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "telemetry.db").write_bytes(b"not a database at all" * 100)
    done = sotto("doctor", "--json", cwd=tmp_path)
    assert done.returncode == 1
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert not checks["store"]["ok"]
    assert "move the file away" in checks["store"]["advice"]
    assert all(bool(check["advice"]) != check["ok"] for check in checks.values())


@pytest.mark.e2e
def test_bench_completion_measures_every_row(tmp_path: Path) -> None:
    rows = [
        {
            "id": "a",
            "path": "m.py",
            "language": "python",
            "prefix": "def add(a, b):\n    ",
            "suffix": "\n",
            "target": "return a + b",
        },
        {
            "id": "b",
            "path": "m.py",
            "language": "python",
            "prefix": "for i in range(",
            "suffix": ":\n    print(i)\n",
            "target": "10)",
        },
    ]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n\n", encoding="utf-8")
    report = as_json(sotto("bench", "completion", "--data", "rows.jsonl", "--json", cwd=tmp_path))
    assert report["n"] == 2
    assert 0 <= report["exact_match"] <= 1
    assert 0 <= report["edit_similarity"] <= 100
    assert 0 < report["bits_per_byte"] < 8
    assert report["latency_p95_ms"] >= report["latency_p50_ms"] > 0


@pytest.mark.parametrize(
    ("content", "sentence"),
    [("", "holds no rows"), ('{"id": 1}\n', "rows.jsonl:1 is not a row"), ("nonsense\n", "rows.jsonl:1 is not a row")],
)
def test_bench_completion_names_the_wrong_line(tmp_path: Path, content: str, sentence: str) -> None:
    (tmp_path / "rows.jsonl").write_text(content, encoding="utf-8")
    done = sotto("bench", "completion", "--data", "rows.jsonl", cwd=tmp_path)
    assert done.returncode == 2
    assert sentence in done.stderr


def test_serve_listens_on_loopback_only(tmp_path: Path) -> None:
    done = sotto("serve", "--tcp", "0.0.0.0:0", cwd=tmp_path)
    assert done.returncode == 2
    assert "this machine only" in done.stderr


def test_serve_explains_a_wrong_address(tmp_path: Path) -> None:
    done = sotto("serve", "--tcp", "7070", cwd=tmp_path)
    assert done.returncode == 2
    assert "127.0.0.1:7070" in done.stderr
