"""`sotto review` on real repositories: what it prints in each format, what it exits with, what it writes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lsp_server.cli import main
from tests.assistant.review.repos import Repo
from tests.repo.tree import ROOT

OLD = "def gather(item, into):\n    into.append(item)\n    return into\n"
NEW = OLD.replace("into):", "into=[]):")
RULE = "mutable-default"


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repo:
    made = Repo(tmp_path / "r", {"bag.py": OLD, "plain.py": "x = 1\n"})
    monkeypatch.chdir(made.folder)
    monkeypatch.setenv("SOTTO_DATA_DIR", str(tmp_path / "data"))
    return made


def review(*words: str, code: int = 0) -> None:
    assert main(["review", "--no-model", *words]) == code


def test_text_shows_the_line_the_evidence_the_fix_and_what_to_read(repo: Repo, capsys: pytest.CaptureFixture[str]) -> None:
    repo.write({"bag.py": NEW})
    review()
    said = capsys.readouterr().out
    assert f"bag.py:1  high  {RULE}" in said
    assert "1 │ def gather(item, into=[]):" in said
    assert "bag.py:2  into.append(item)" in said
    assert "+def gather(item, into=None):" in said
    assert "Read first: bag.py (gather; 1 line)." in said
    assert said.rstrip().endswith("1 comment.")


def test_json_sarif_and_github_say_the_same(repo: Repo, capsys: pytest.CaptureFixture[str]) -> None:
    repo.write({"bag.py": NEW})
    review("--format", "json")
    report = json.loads(capsys.readouterr().out)
    assert [(c["path"], c["line"], c["rule"]) for c in report["comments"]] == [("bag.py", 1, RULE)]
    review("--format", "sarif")
    (result,) = json.loads(capsys.readouterr().out)["runs"][0]["results"]
    assert result["ruleId"] == RULE
    review("--format", "github")
    assert capsys.readouterr().out.startswith("::error file=bag.py,line=1,")


def test_exit_codes(repo: Repo, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    repo.write({"bag.py": NEW})
    review("--fail-on", "high", code=1)
    review("--fail-on", "error", code=1)
    repo.git("add", ".")
    review("--staged", "--fail-on", "low", code=1)
    repo.commit("second")
    review("--fail-on", "low")
    assert "nothing has changed" in capsys.readouterr().out
    review("HEAD^!", "--fail-on", "low", code=1)
    review("HEAD~1", "--fail-on", "low", code=1)
    capsys.readouterr()
    review("nowhere", code=2)
    review("HEAD~1..HEAD", "--staged", code=2)
    review("--path", str(tmp_path / "no"), code=2)
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 3


def test_a_linters_results_are_merged(repo: Repo, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    repo.write({"bag.py": NEW, "plain.py": "x = eval(input())\n"})
    row = {"location": {"row": 1, "column": 1}, "end_location": {"row": 1, "column": 2}}
    rows = [
        {**row, "code": "B006", "filename": "bag.py", "message": "mutable default"},
        {**row, "code": "S307", "filename": str(repo.folder / "plain.py"), "message": "Use of eval"},
        {**row, "code": "D100", "filename": "plain.py", "message": "no docstring"},
    ]
    (tmp_path / "ruff.json").write_text(json.dumps(rows))
    review("--format", "json", "--all", "--results", str(tmp_path / "ruff.json"))
    report = json.loads(capsys.readouterr().out)
    assert sorted((c["rule"], c["source"]) for c in report["comments"]) == [(RULE, "sotto"), ("ruff:S307", "ruff")]
    (tmp_path / "odd.json").write_text("hello")
    review("--results", str(tmp_path / "odd.json"), code=2)
    assert "no SARIF and no JSON" in capsys.readouterr().err


def test_a_secret_file_is_not_read(repo: Repo, capsys: pytest.CaptureFixture[str]) -> None:
    repo.write({"my_secrets.py": NEW})
    review("--format", "json")
    report = json.loads(capsys.readouterr().out)
    assert report["comments"] == []
    assert [one["path"] for one in report["skipped"]] == ["my_secrets.py"]


def test_nothing_is_written(repo: Repo, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    repo.write({"bag.py": NEW})
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    review("--all")
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_a_name_that_is_no_text_is_printed_all_the_same(repo: Repo, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    name = os.fsdecode(b"\xff\xfe.py")
    try:
        (repo.folder / name).write_text(NEW)
    except OSError:
        pytest.skip("this file system has no such names")
    review("--format", "json")
    review("--format", "sarif")
    first, second = capsysbinary.readouterr().out.splitlines()
    assert json.loads(first)["comments"][0]["path"] == name
    assert json.loads(second)["version"] == "2.1.0"


@pytest.mark.skipif(sys.platform == "win32", reason="the hook is a shell script")
def test_as_a_hook_it_stops_a_commit_of_what_is_staged_and_nothing_else(repo: Repo, tmp_path: Path) -> None:
    hooks = yaml_entries((ROOT / ".pre-commit-hooks.yaml").read_text())
    entry = hooks["entry"].removeprefix("sotto ")
    hook = repo.folder / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f'#!/bin/sh\nexec env PYTHONPATH="{ROOT}" "{sys.executable}" -m lsp_server {entry}\n')
    hook.chmod(0o755)
    repo.write({"bag.py": NEW, "plain.py": "x = 2\n"})
    repo.git("commit", "-q", "-m", "a part", "plain.py")  # from a temporary index, the bad file is not in it
    with pytest.raises(subprocess.CalledProcessError) as stopped:
        repo.git("commit", "-q", "-a", "-m", "all")
    assert RULE in stopped.value.stderr.decode() + stopped.value.stdout.decode()
    assert repo.git("log", "--format=%s").split("\n")[:2] == ["a part", "first"]


def yaml_entries(text: str) -> dict[str, str]:
    """The plain ``name: value`` lines of a small YAML file."""
    return {name.strip(" -"): value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}


def test_the_model_is_asked_about_what_its_opinion_can_decide(repo: Repo, capsys: pytest.CaptureFixture[str]) -> None:
    repo.write({"plain.py": "def f(a):\n    try:\n        return a.b()\n    except:\n        pass\n"})
    found = []
    for words in ([], ["--no-model"]):
        assert main(["review", "--all", "--format", "json", *words]) == 0
        found.append(json.loads(capsys.readouterr().out)["comments"])
    with_model, without = found
    for comments in found:
        assert [(one["path"], one["line"], one["rule"]) for one in comments] == [("plain.py", 4, "swallowed-exception")]
    assert with_model[0]["probability"] != without[0]["probability"]


def test_a_review_of_many_files_is_the_same_however_many_work_at_it(repo: Repo) -> None:
    head = "".join(f"value_{i} = {i}\n" for i in range(2_000))
    repo.write({f"m{k}.py": f"{head}lost = {k}\n\n\ndef f(item, into):\n    return item, into, lost\n" for k in range(8)})
    repo.commit("second")
    repo.write({f"m{k}.py": f"{head}\n\n\ndef f(item, into):\n    return item, into, lost\n" for k in range(8)})
    said = []
    for cores in ({0}, os.sched_getaffinity(0)) if sys.platform == "linux" else ():
        code = f"import os; os.sched_setaffinity(0, {cores}); from lsp_server.cli import main; main()"
        done = subprocess.run(
            [sys.executable, "-c", code, "review", "--no-model"],
            cwd=repo.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )
        said.append(done.stdout)
    assert len(set(said)) <= 1
    assert all(one.count("`lost` is not defined here") == 3 for one in said)
