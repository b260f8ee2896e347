"""How the extension comes to its server in a real VS Code: trusted or not, in several folders, installed, and after a kill."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.editor.opening import Setup, open_window
from tests.editor.tools import Tools
from tests.editor.window import ROOT, Window, until

pytestmark = pytest.mark.editor

BEFORE = "import os\n\n\ndef both(folder, first):\n    return os"
NOBODY = "no server|codicon-check"
"""Without a server of the workspace's: none, or one that this machine has on its PATH."""

NO_IDLE = """const soon = window.requestIdleCallback.bind(window);
window.requestIdleCallback = (run, how) => how?.timeout === 5000 ? 0 : soon(run, how);"""
"""VS Code makes what an editor needs "eventually" in such a moment: here it never comes."""


def test_the_first_key_in_a_window_that_is_still_coming_up(tools: Tools, tmp_path: Path) -> None:
    with open_window(tools, tmp_path / "window", Setup(script=NO_IDLE)) as window:
        window.open("first.py", BEFORE)
        window.wait_status("codicon-check")
        window.type(".")
        assert window.wait_ghost()


def test_what_is_typed_while_the_server_is_down_is_answered_when_it_is_back(window: Window) -> None:
    """One key is typed before the kill, the rest after it; nothing is typed once it is back."""
    window.open("killed.py", BEFORE.removesuffix("return os"))
    window.wait_status("codicon-check")
    (server,) = window.pids("lsp_server serve")
    window.type("r")
    os.kill(server, signal.SIGKILL)
    window.type("eturn os.", delay=20)
    assert window.wait_ghost()
    window.wait_line("    return os.")
    assert server not in window.pids("lsp_server serve")
    window.close_all()


def test_what_is_typed_while_the_model_loads_is_answered_when_it_is_ready(window: Window) -> None:
    window.open("loading.py", BEFORE)
    window.wait_status("codicon-check")
    (engine,) = window.pids("assistant.model.process")
    os.kill(engine, signal.SIGKILL)
    window.type(".")
    assert window.wait_ghost()
    assert engine not in window.pids("assistant.model.process")
    window.close_all()


def test_nothing_of_an_untrusted_workspace_is_run(tools: Tools, tmp_path: Path) -> None:
    """It brings a server, names another one and a model: the user's own server serves it until it is trusted."""
    folder = tmp_path / "window"
    evil, trace = folder / "project" / "evil.sh", folder / "evil-ran"
    setup = Setup(
        trust=True,
        record=True,
        files={
            "project/evil.sh": f"#!/bin/sh\ntouch {trace}\n",
            "project/.vscode/settings.json": f'{{"sotto.server.command": ["sh", "{evil}"], "sotto.model": "{folder}"}}',
            "own/sotto": f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m lsp_server "$@"\n',
        },
    )
    with open_window(tools, folder, setup) as window:
        (folder / "own" / "sotto").chmod(0o755)
        window.open("a.py", BEFORE)
        window.wait_status(NOBODY)
        assert not window.has_traffic()
        window.set(machine=True, sotto__server__command=[str(folder / "own" / "sotto")])
        window.wait_status("codicon-check")
        window.type(".")
        assert window.wait_ghost()
        window.press("Escape")
        assert not window.has_traffic()
        window.set(machine=True, sotto__server__command=[])
        window.wait_status(NOBODY)
        trust(window)
        window.command("Sotto: Start the Server Again")
        until(window.has_traffic)
        window.wait_status("no model.*holds no config.json")  # the model that the workspace names, heeded from now on
        assert not trace.exists()


def trust(window: Window) -> None:
    window.command("Workspaces: Manage Workspace Trust")
    button = ".workspace-trust-editor .monaco-button:has-text('Trust')"
    window.ask("click", selector=button)
    window.wait("() => document.querySelector('.workspace-trust-editor.trusted') !== null")
    window.command("View: Close Editor")


def test_several_folders_are_one_workspace(tools: Tools, tmp_path: Path) -> None:
    """The server lies in the second folder's environment; it hears of both, and finds names of either."""
    setup = Setup(
        folders=("one", "two"), server="two", record=True, files={"two/far.py": "def far_away(place):\n    return place\n"}
    )
    with open_window(tools, tmp_path / "window", setup) as window:
        one = window.folder / "one" / "near.py"
        one.write_text(BEFORE)
        window.open(str(one))
        window.wait_status("codicon-check")
        window.type(".")
        assert window.wait_ghost()
        window.press("Escape")
        begin = next(line["message"] for line in window.traffic() if line["message"].get("method") == "initialize")
        assert [folder["name"] for folder in begin["params"]["workspaceFolders"]] == ["one", "two"]
        window.press("Control+t")
        window.type("far_away")
        row = (
            "() => [...document.querySelectorAll('.quick-input-list .monaco-list-row')].some(r => r.textContent.includes('%s'))"
        )
        window.wait(row % "far_away")
        window.press("Escape")


def test_the_server_is_installed_with_progress_and_can_be_stopped(tools: Tools, tmp_path: Path) -> None:
    """pip builds a copy of this checkout with what it fetches from the registry; the libraries are this environment's."""
    source = tmp_path / "sources"
    for name in ("lsp_server", "assistant", "kernels", "telemetry"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, source)
    setup = Setup(
        server=None,
        machine={"sotto.server.package": str(source), "sotto.server.pipArguments": ["--no-deps"]},
        settings={
            "python.defaultInterpreterPath": os.path.realpath(sys.executable),  # not the one that has a `sotto` beside it
        },
        environment={"PYTHONPATH": sysconfig.get_paths()["purelib"]},
    )
    with open_window(tools, tmp_path / "window", setup) as window:
        window.open("a.py", BEFORE)
        window.wait_status(NOBODY)
        if "no server" not in window.status()["text"]:
            pytest.skip("there is a sotto on PATH")
        window.ask("click", selector=".notification-toast .monaco-button:has-text('Install')")
        progress = ".notification-toast:has-text('Installing the Sotto server')"
        window.wait_status("installing")
        window.ask("click", selector=f"{progress} .monaco-button:has-text('Cancel')")
        window.wait_status("no server")
        own = window.folder / "user" / "User" / "globalStorage" / "sotto.sotto" / "server"
        until(lambda: not own.exists())
        window.command("Sotto: Install the Server")
        toasts = "() => [...document.querySelectorAll('.notification-toast')].map(toast => toast.textContent).join('')"
        until(
            lambda: (
                re.search("virtual environment|building|installing packages", window.ask("evaluate", script=toasts)) is not None
            )
        )
        window.wait_status("codicon-check")
        window.type(".")
        assert window.wait_ghost()
        assert window.pids(str(own / "bin"))
