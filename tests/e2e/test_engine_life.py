"""The engine may die, hang on to nothing, or have no usable model: the server stays, and says so once."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.editor import EASY, MODEL, ROOT, Editor
from tests.e2e.raw_client import PATIENCE_S

SHIPPED = Path(MODEL) if MODEL else ROOT / "assistant" / "model" / "weights" / "tiny"
MakeEditor = Callable[..., Editor]
linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


def gone(pid: int) -> bool:
    """Whether a process has ended; one that ended and was not waited for yet has."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z"


def wait_gone(pid: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not gone(pid):
        assert time.monotonic() < deadline, f"process {pid} is still there"
        time.sleep(0.02)


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL there")
def test_a_killed_engine_is_replaced(make_editor: MakeEditor) -> None:
    editor = make_editor()
    editor.start()
    pid = editor.status()["enginePid"]
    assert editor.open(EASY).complete() is not None
    os.kill(pid, signal.SIGKILL)
    editor.open(EASY).complete()  # may be empty, must be answered
    status = editor.wait_status(lambda now: now["state"] == "ready" and now["enginePid"] != pid)
    assert status["enginePid"] is not None
    assert editor.open(EASY).complete() is not None
    assert any("engine process ended" in params["message"] for params in editor.client.notified("window/logMessage"))
    assert editor.messages() == []
    assert editor.close() == 0


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL there")
@pytest.mark.parametrize("how", ["kill", "end of input", "exit", "terminate"])
def test_the_engine_does_not_outlive_the_server(make_editor: MakeEditor, how: str) -> None:
    editor = make_editor()
    editor.start(wait=how == "kill")  # the others meet an engine that is still loading
    pid = editor.wait_status(lambda now: now["enginePid"] is not None)["enginePid"]
    process = editor.client.process
    assert process.stdin is not None
    if how == "kill":
        process.kill()
    elif how == "terminate":
        process.terminate()
    elif how == "exit":
        editor.client.notify("exit")
    else:
        process.stdin.close()
    expected = {"kill": -signal.SIGKILL, "end of input": 0, "exit": 1, "terminate": 0}[how]
    assert editor.client.gone() == expected
    wait_gone(pid)
    assert "Traceback" not in (editor.folder / "stderr.txt").read_text()


def truncate(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])


def flip(folder: Path) -> None:
    weights = folder / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1000] ^= 1
    weights.write_bytes(bytes(content))


@pytest.mark.parametrize("damage", [shutil.rmtree, truncate, flip])
def test_an_unusable_checkpoint_is_one_sentence(
    make_editor: MakeEditor, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    folder = tmp_path / "checkpoint"
    shutil.copytree(SHIPPED, folder)
    damage(folder)
    editor = make_editor()
    editor.start(options={"model": str(folder)}, wait=False)
    editor.wait_status(lambda now: now["state"] == "failed")
    document = editor.open(EASY)
    assert [document.complete(kind) for kind in (1, 2)] == [None, None]
    assert editor.status()["lastReason"] == "engine"
    (message,) = editor.messages()
    assert message.startswith("Sotto: ")
    assert "Traceback" not in message
    assert message.count("\n") == 0
    assert editor.client.notified("didChangeStatus")[-1]["kind"] == "Error"
    assert editor.close() == 0


def test_a_usable_model_in_the_settings_is_all_it_takes(make_editor: MakeEditor, tmp_path: Path) -> None:
    editor = make_editor()
    editor.start(options={"model": str(tmp_path / "nowhere")}, wait=False)
    editor.wait_status(lambda now: now["state"] == "failed")
    settings = {"model": MODEL, "minConfidence": 0, "stopBelow": 0}
    editor.client.notify("workspace/didChangeConfiguration", {"settings": {"sotto": settings}})
    editor.ready()
    assert editor.open(EASY).complete() is not None
    assert editor.client.notified("didChangeStatus")[-1]["kind"] == "Normal"
    assert editor.close() == 0


def loaded(pid: int) -> str:
    return Path(f"/proc/{pid}/maps").read_text()


@linux
def test_torch_lives_in_the_engine_only(editor: Editor) -> None:
    editor.open(EASY).complete()
    status = editor.status()
    server, engine = loaded(editor.client.process.pid), loaded(status["enginePid"])
    assert ("libtorch" in engine) == (status["modelInfo"]["runner"] == "torch"), "the fused step needs none of it"
    for library in ("libtorch", "tokenizers", "safetensors"):
        assert library not in server


def test_initialize_does_not_wait_for_the_engine_but_a_request_does(make_editor: MakeEditor) -> None:
    """And a client that never says `initialized` is served all the same."""
    editor = make_editor()
    editor.start(wait=False, confirm=False)
    status = editor.status()
    assert status["state"] in ("off", "loading")
    assert status["model"] is None
    assert editor.open(EASY).complete() is not None
    assert editor.status()["model"]


def test_a_request_outlives_the_engine_it_was_asked_of(make_editor: MakeEditor) -> None:
    """Other settings replace the engine while it loads: the request is answered, and so is the next."""
    editor = make_editor()
    editor.start(wait=False)
    document = editor.open(EASY)
    id = document.ask()
    settings = {**editor.settings, "threads": 2}
    editor.client.notify("workspace/didChangeConfiguration", {"settings": {"sotto": settings}})
    document.answer(id)
    editor.wait_status(lambda now: now["state"] == "ready" and now["modelInfo"]["threads"] == 2)
    assert document.complete() is not None


def test_switched_off_there_is_no_engine(make_editor: MakeEditor) -> None:
    editor = make_editor()
    editor.start(options={"enabled": False}, wait=False)
    assert editor.open(EASY).complete() is None
    status = editor.status()
    assert (status["state"], status["enginePid"], status["lastReason"]) == ("off", None, "disabled")
    editor.client.notify(
        "workspace/didChangeConfiguration", {"settings": {"enabled": True, "model": MODEL, "minConfidence": 0, "stopBelow": 0}}
    )
    pid = editor.ready()["enginePid"]
    assert editor.open(EASY).complete() is not None
    editor.client.notify("workspace/didChangeConfiguration", {"settings": {"sotto": {"enabled": False}}})
    editor.wait_status(lambda now: now["state"] == "off")
    wait_gone(pid)
