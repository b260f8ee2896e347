"""Several windows of one user: several servers, one engine."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from tests.e2e.editor import EASY, Editor

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="engines are shared through Unix sockets")
MakeEditor = Callable[..., Editor]


@pytest.fixture
def runtime() -> Iterator[Path]:
    """A runtime folder with a short name, for a socket's address has room for 100 characters. Its engines end with it."""
    folder = Path(tempfile.mkdtemp(prefix="sotto-run-"))
    yield folder
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if "--listen" in process.cmdline() and process.environ().get("XDG_RUNTIME_DIR") == str(folder):
                process.kill()
    shutil.rmtree(folder)


@pytest.fixture
def windows(make_editor: MakeEditor, runtime: Path) -> list[Editor]:
    """Two, ready."""
    made = [make_editor(name, environment={"XDG_RUNTIME_DIR": str(runtime)}) for name in ("one", "two")]
    for editor in made:
        editor.start(options={"sharedEngine": True}, wait=False)
    for editor in made:
        editor.ready()
    return made


def engine_of(editor: Editor) -> int:
    pid = editor.status()["enginePid"]
    assert isinstance(pid, int)
    return pid


def test_two_windows_one_engine_and_either_may_be_killed(windows: list[Editor]) -> None:
    one, two = windows
    pid = engine_of(one)
    assert engine_of(two) == pid
    for editor in windows:
        assert editor.open(EASY).complete() is not None
    one.client.process.kill()
    one.client.gone()
    assert two.open(EASY).complete() is not None
    assert engine_of(two) == pid
    assert two.close() == 0
    assert psutil.pid_exists(pid)  # for the next window


def test_a_killed_engine_is_one_new_engine_for_both(windows: list[Editor]) -> None:
    one, two = windows
    pid = engine_of(one)
    os.kill(pid, signal.SIGKILL)
    for editor in windows:
        editor.wait_status(lambda now: now["state"] == "ready" and now["enginePid"] != pid)
        assert editor.open(EASY).complete() is not None
    assert engine_of(one) == engine_of(two)
    assert [editor.messages() for editor in windows] == [[], []]


def test_a_window_with_an_engine_of_its_own_and_back(windows: list[Editor]) -> None:
    one, two = windows
    pid = engine_of(one)
    one.client.notify("workspace/didChangeConfiguration", {"settings": {"sotto": {**one.settings, "sharedEngine": False}}})
    one.wait_status(lambda now: now["state"] == "ready" and now["enginePid"] != pid)
    assert one.open(EASY).complete() is not None
    assert engine_of(two) == pid
    one.client.notify("workspace/didChangeConfiguration", {"settings": {"sotto": one.settings}})
    one.wait_status(lambda now: now["state"] == "ready" and now["enginePid"] == pid)
    assert one.open(EASY).complete() is not None
