"""Settings, progress, status and transport: the parts of a session that are not suggestions."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.editor import EASY, INLINE, MODEL, ROOT, Editor
from tests.e2e.raw_client import RpcError

MakeEditor = Callable[..., Editor]


def test_malformed_settings_are_one_message(make_editor: MakeEditor) -> None:
    editor = make_editor()
    editor.start(options={"maxTokens": "many", "exclude": "**/x", "unknown": 1})
    assert editor.open(EASY).complete() is not None
    (message,) = editor.messages()
    assert "maxTokens" in message
    assert "exclude" in message
    assert "unknown" not in message
    # The same complaint again is no second popup, another one is.
    for wrong in ({"maxTokens": "many", "exclude": "**/x"}, {"debounceMs": -1}):
        editor.client.notify("workspace/didChangeConfiguration", {"settings": {"sotto": {**wrong, "model": MODEL}}})
    editor.status()
    assert len(editor.messages()) == 2
    assert editor.close() == 0


def test_what_was_never_offered_is_refused_without_a_line_in_the_log(make_editor: MakeEditor) -> None:
    """Kate asks for a document's symbols all the time, and opens its log at every error in it."""
    editor = make_editor()
    editor.start(wait=False)
    with pytest.raises(RpcError, match="-32601"):
        editor.client.call("textDocument/documentSymbol", {"textDocument": {"uri": "file:///a.py"}})
    assert editor.close() == 0
    assert "documentSymbol" not in (editor.folder / "stderr.txt").read_text()


@pytest.mark.parametrize("options", [None, [], "x", 3, {"sotto": []}, {"editorInfo": {"name": "vim"}}])
def test_any_initialization_options(make_editor: MakeEditor, options: Any) -> None:
    editor = make_editor()
    editor.start(wait=False, initializationOptions=options)
    assert editor.status()["version"]
    harmless = options is None or options == {"editorInfo": {"name": "vim"}}
    assert len(editor.messages()) == (0 if harmless else 1)


def test_settings_are_pulled_where_the_client_can_be_asked(make_editor: MakeEditor) -> None:
    editor = make_editor()
    answer: dict[str, Any] = {"languages": {"python": False}, "model": MODEL}
    editor.client.answers["workspace/configuration"] = lambda params: [answer for _ in params["items"]]
    editor.client.answers["client/registerCapability"] = lambda _: None
    workspace = {"configuration": True, "didChangeConfiguration": {"dynamicRegistration": True}}
    editor.start(capabilities={**INLINE, "workspace": workspace})
    assert editor.open(EASY).complete() is None
    assert editor.status()["lastReason"] == "language"
    answer["languages"] = {}
    editor.client.notify("workspace/didChangeConfiguration", {"settings": None})
    editor.client.until(lambda: len(_asked(editor, "workspace/configuration")) == 2, "a second question")
    editor.wait_status(lambda _: editor.open(EASY).complete() is not None)
    assert _asked(editor, "workspace/configuration")[0]["params"] == {"items": [{"section": "sotto"}]}
    (registered,) = _asked(editor, "client/registerCapability")
    assert registered["params"]["registrations"][0]["method"] == "workspace/didChangeConfiguration"


def _asked(editor: Editor, method: str) -> list[dict[str, Any]]:
    return [message for message in editor.client.requested if message["method"] == method]


def test_a_client_that_cannot_answer_its_own_capabilities(make_editor: MakeEditor) -> None:
    """It says it can be asked, and answers with an error: the settings of `initialize` stay in force."""
    editor = make_editor()
    capabilities = {**INLINE, "workspace": {"configuration": True}, "window": {"workDoneProgress": True}}
    editor.start(capabilities=capabilities)
    assert editor.open(EASY).complete() is not None
    assert editor.messages() == []


def test_progress_while_the_model_loads(make_editor: MakeEditor) -> None:
    editor = make_editor()
    editor.client.answers["window/workDoneProgress/create"] = lambda _: None
    editor.start(capabilities={**INLINE, "window": {"workDoneProgress": True}})
    editor.client.until(lambda: len(editor.client.notified("$/progress")) >= 2, "the end of the progress")
    (created,) = _asked(editor, "window/workDoneProgress/create")
    begin, end = editor.client.notified("$/progress")
    assert begin["token"] == end["token"] == created["params"]["token"]
    assert (begin["value"]["kind"], end["value"]["kind"]) == ("begin", "end")
    assert "model" in begin["value"]["title"]


def test_no_progress_without_the_capability(editor: Editor) -> None:
    assert editor.client.notified("$/progress") == []
    assert [message["method"] for message in editor.client.requested] == []


def test_the_status_item_tells_loading_from_ready(editor: Editor) -> None:
    told = editor.client.notified("didChangeStatus")
    assert [(status["kind"], status["busy"]) for status in told[:2]] == [("Normal", True), ("Normal", False)]


def test_status(editor: Editor) -> None:
    editor.open(EASY).complete()
    status = editor.status()
    assert status["state"] == "ready"
    assert status["modelInfo"]["name"] == status["model"]
    assert status["steps"] > 0
    assert Path(status["store"]).name == "telemetry.db"
    assert status["storeProblem"] is None
    assert status["lastTimings"]["total"] > 0
    json.dumps(status)


def test_another_model_needs_no_restart_of_the_server(make_editor: MakeEditor) -> None:
    editor = make_editor()
    editor.start()
    before = editor.status()["enginePid"]
    settings = {**editor.settings, "threads": 2}
    editor.client.notify("workspace/didChangeConfiguration", {"settings": {"sotto": settings}})
    status = editor.wait_status(lambda now: now["state"] == "ready" and now["enginePid"] not in (None, before))
    assert status["modelInfo"]["threads"] == 2
    editor.client.notify("workspace/didChangeConfiguration", {"settings": {"sotto": {**settings, "maxTokens": 8}}})
    assert editor.open(EASY).complete() is not None
    assert editor.status()["enginePid"] == status["enginePid"]


def test_a_store_that_cannot_be_written_is_no_reason_to_be_silent(make_editor: MakeEditor) -> None:
    editor = make_editor()
    editor.data.parent.mkdir(parents=True, exist_ok=True)
    editor.data.write_text("a file where the folder should be")
    editor.start()
    assert editor.open(EASY).complete() is not None
    assert editor.wait_status(lambda now: now["storeProblem"])["storeProblem"]
    assert editor.messages() == []
    assert editor.close() == 0


def serve(*arguments: str, folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "lsp_server", "serve", "--data-dir", str(folder / "data"), *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=folder, env={"PYTHONPATH": str(ROOT)}, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def test_tcp_on_loopback(tmp_path: Path) -> None:
    server = serve("--tcp", "127.0.0.1:0", folder=tmp_path)
    assert server.stderr is not None
    found = re.search(r"listening on 127\.0\.0\.1:(\d+)", server.stderr.readline())
    assert found is not None
    with socket.create_connection(("127.0.0.1", int(found[1])), timeout=60) as connection:
        for body in (b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"capabilities":{}}}',):
            connection.sendall(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        assert b"inlineCompletionProvider" in connection.recv(65536)
    assert server.wait(60) == 0
    server.communicate()


@pytest.mark.parametrize("address", ["0.0.0.0:0", "192.168.1.5:7070", "[::]:0", "example.org:7070"])
def test_tcp_for_others_is_refused(tmp_path: Path, address: str) -> None:
    server = serve("--tcp", address, folder=tmp_path)
    _, errors = server.communicate(timeout=60)
    assert server.returncode == 2
    assert "this machine only" in errors
    assert "Traceback" not in errors


def test_a_port_in_use_is_a_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = serve("--tcp", f"127.0.0.1:{taken.getsockname()[1]}", folder=tmp_path)
        _, errors = server.communicate(timeout=60)
    assert server.returncode == 2
    assert "choose another port" in errors
    assert "Traceback" not in errors


def test_garbage_on_stdin_ends_nothing_but_itself(make_editor: MakeEditor) -> None:
    """A message that is not JSON, then an ordinary session."""
    editor = make_editor()
    stdin = editor.client.process.stdin
    assert stdin is not None
    stdin.write(b"Content-Length: 5\r\n\r\n{nope")
    stdin.flush()
    editor.start(wait=False)
    assert editor.status()["version"]
    stdin.write(b"Content-Length: 5\r\n\r\n{nope")
    stdin.flush()
    assert editor.status()["version"]
    assert editor.messages() == []
