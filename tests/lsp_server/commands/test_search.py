"""`sotto search` as a user runs it: real processes, a real index, and what it says when something is wrong."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.lsp_server.commands.test_commands import as_json, sotto

SOURCE = '''"""Talks to the server."""


@decorated
def call_again(request, times):
    """Retry a failed request.

    Each pause is twice as long as the one before.
    """


class HeaderReader:
    limit = 3
'''


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / ".git").mkdir(parents=True)
    (root / "net").mkdir()
    (root / "net" / "client.py").write_text(SOURCE)
    (root / "net" / "my_secrets.py").write_text("def retry_secret_request():\n    pass\n")
    return root


def test_natural_words(project: Path) -> None:
    answer = as_json(sotto("search", "try", "again", "when a request fails", "--json", cwd=project))
    assert answer["files"] == 1
    best = answer["results"][0]
    assert best["path"] == os.path.realpath(project / "net" / "client.py")
    assert (best["line"], best["name"], best["kind"]) == (5, "call_again", "function")
    assert best["signature"] == "def call_again(request, times)"
    assert best["doc"] == "Retry a failed request."
    assert "request" in best["why"]
    assert not any("secret" in one["path"] for one in answer["results"])


def test_it_prints_where_what_and_why(project: Path) -> None:
    done = sotto("search", "header reader", cwd=project)
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()[:2]
    assert first == f"{os.path.join('net', 'client.py')}:12  HeaderReader"
    assert second == "    class HeaderReader"
    assert done.stderr == ""


def test_the_project_is_the_folder_around_and_the_index_is_kept(project: Path) -> None:
    inner = project / "net"
    environment = {"SOTTO_DATA_DIR": str(project.parent / "data")}
    first = as_json(sotto("search", "retry", "--json", cwd=inner, **environment))
    assert first["root"] == os.path.realpath(project)
    (inner / "more.py").write_text("def retry_more():\n    pass\n")
    (inner / "client.py").unlink()
    second = as_json(sotto("search", "retry", "--json", "--path", str(project), cwd=project.parent, **environment))
    assert [one["name"] for one in second["results"]] == ["retry_more"]
    assert len(list((project.parent / "data" / "cache").glob("*.db"))) == 1


def test_a_limit(project: Path) -> None:
    assert len(as_json(sotto("search", "r", "--limit", "1", "--json", cwd=project))["results"]) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["zzzz"], 1, "try other words"),
        ([" "], 2, "say what to find"),
        (["x", "--limit", "0"], 2, "--limit is 1 or more"),
        (["x", "--path", "nowhere"], 2, "is not a folder"),
        (["x", "--path", "empty"], 2, "--path names another folder"),
    ],
)
def test_what_it_says_instead_of_answers(project: Path, arguments: list[str], code: int, said: str) -> None:
    (project / "empty").mkdir()
    done = sotto("search", *arguments, cwd=project)
    assert done.returncode == code
    assert said in done.stderr
    assert done.stderr.startswith("sotto: ")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_no_place_for_the_index(project: Path) -> None:
    place = project.parent / "file"
    place.write_text("")
    done = sotto("search", "x", cwd=project, SOTTO_DATA_DIR=str(place))
    assert done.returncode == 2
    assert "SOTTO_DATA_DIR" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="no such encoding there")
def test_a_terminal_that_knows_only_ascii(project: Path) -> None:
    (project / "net" / "umlaut.py").write_text('def gruss():\n    """Sagt schöne Grüße."""\n', encoding="utf-8")
    done = sotto("search", "gruss", cwd=project, PYTHONIOENCODING="ascii", LC_ALL="C")
    assert "gruss" in done.stdout
    assert "Traceback" not in done.stderr
