"""The server against an independent implementation of LSP 3.18: Microsoft's library for Node, its types and its compiler."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.editor.declared import complaints, literals
from tests.editor.tools import Tools

pytestmark = pytest.mark.editor

HERE = Path(__file__).parent
ENCODINGS = ("utf-8", "utf-16", "utf-32")
Json = dict[str, Any]


@pytest.fixture(scope="module", params=ENCODINGS)
def session(request: pytest.FixtureRequest, tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Json:
    """What a session said, with positions in one encoding."""
    data = tmp_path_factory.mktemp("data")
    server = [sys.executable, "-m", "lsp_server", "serve", "--stdio", "--data-dir", str(data)]
    command = [str(tools.node), str(HERE / "node_client.mjs"), str(tools.modules), request.param, "--", *server]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=HERE.parents[1], check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    value: Json = json.loads(done.stdout)
    return {**value, "encoding": request.param}


def test_it_counts_in_the_encoding_that_was_agreed(session: Json) -> None:
    assert session["initialized"]["capabilities"]["positionEncoding"] == session["encoding"]
    (item,) = session["answer"]["items"]
    assert item["insertText"]
    assert item["range"]["start"]["line"] == session["position"]["line"]
    assert item["range"]["start"]["character"] <= session["position"]["character"] == item["range"]["end"]["character"]


def test_a_cancelled_request_is_answered_as_such(session: Json) -> None:
    assert session["cancelled"] == {"code": -32800}


def test_a_method_that_it_does_not_have_is_refused(session: Json) -> None:
    assert session["unknown"] == {"code": -32601}


def test_it_leaves_when_it_is_told_to(session: Json) -> None:
    assert session["code"] == 0


def test_every_message_is_what_the_library_declares(session: Json, tools: Tools) -> None:
    told = list(literals(session["record"], session["names"]))
    assert len(told) > 20
    assert complaints(tools, session["encoding"], told) == ""
