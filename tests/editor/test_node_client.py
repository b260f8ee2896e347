"""The server against an independent implementation of LSP 3.18: Microsoft's library for Node, its types and its compiler.

Every message of a recorded session, in both directions, is compiled as a literal of the type that the library declares for its
method. A key that the protocol does not know, a wrong type or a missing field does not compile.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.editor.tools import Tools

pytestmark = pytest.mark.editor

HERE = Path(__file__).parent
ENCODINGS = ("utf-8", "utf-16", "utf-32")
Json = dict[str, Any]

HEAD = """import * as lsp from 'vscode-languageserver-protocol';
type Wire<R> = void extends R ? R | null : R; // JSON has no void
type RequestParams<T> = T extends lsp.ProtocolRequestType<infer P, infer _R, infer _PR, infer _E, infer _O> ? P : never;
type RequestResult<T> = T extends lsp.ProtocolRequestType<infer _P, infer R, infer _PR, infer _E, infer _O> ? Wire<R>
  : T extends lsp.ProtocolRequestType0<infer R, infer _PR, infer _E, infer _O> ? Wire<R> : never;
type NotificationParams<T> = T extends lsp.ProtocolNotificationType<infer P, infer _O> ? P
  : T extends lsp.NotificationType<infer P> ? P : never;
"""


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


def test_every_message_is_what_the_library_declares(session: Json, tools: Tools, tmp_path: Path) -> None:
    source = tools.modules.parent / "recorded" / f"{session['encoding']}.ts"
    source.parent.mkdir(exist_ok=True)
    literals = list(_literals(session))
    assert len(literals) > 20
    source.write_text(HEAD + "\n".join(literals) + "\n", "utf-8")
    options = [
        "--noEmit",
        "--strict",
        "--skipLibCheck",
        "--module",
        "node16",
        "--moduleResolution",
        "node16",
        "--target",
        "es2022",
    ]
    compiler = [str(tools.node), str(tools.modules / "typescript" / "bin" / "tsc"), *options, str(source)]
    done = subprocess.run(compiler, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout[-3000:]


def _literals(session: Json) -> Any:
    """A typed constant for each parameter and result of the standard's methods."""
    asked: dict[tuple[str, Any], str] = {}
    for number, one in enumerate(session["record"]):
        message, other = one["message"], "server" if one["from"] == "client" else "client"
        method = message.get("method")
        if method is not None and "id" in message:
            asked[(other, message["id"])] = method
        name = session["names"].get(method or asked.get((one["from"], message.get("id"))) or "")
        if name is None or "error" in message:
            continue
        kind = "RequestResult" if method is None else "RequestParams" if "id" in message else "NotificationParams"
        value = message.get("result") if method is None else message.get("params")
        if method is None or value is not None:
            yield f"const m{number}: {kind}<typeof lsp.{name}.type> = {json.dumps(value)};"
