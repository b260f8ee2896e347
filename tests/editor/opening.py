"""Opens a window of VS Code for a test: code-server with the packaged extension and a headless browser, and ends both.

Nothing of the user's own is touched. Knows how they are started; what is done in the window is `Window`'s.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.editor.tools import Tools
from tests.editor.window import HERE, PATIENCE_S, ROOT, STATUS, Window, git

SETTINGS: dict[str, Any] = {
    "workbench.startupEditor": "none",
    "workbench.editor.useModal": "off",
    "workbench.secondarySideBar.defaultVisibility": "hidden",
    "workbench.colorTheme": "Default Light Modern",
    "telemetry.telemetryLevel": "off",
    "extensions.autoUpdate": False,
    "chat.disableAIFeatures": True,
    "editor.minimap.enabled": False,
    "files.autoSave": "off",
    "sotto.minConfidence": 0,
    "sotto.stopBelow": 0,
    "sotto.budgetMs": 10_000,  # a busy machine is slow, not wrong
    "sotto.eagerness": "eager",  # next edits: the sure ones and the likely ones
}


@dataclass(frozen=True)
class Setup:
    """How a window begins. ``settings`` are the user's, over the ones above."""

    settings: dict[str, Any] = field(default_factory=dict)
    machine: dict[str, Any] = field(default_factory=dict)
    """Settings of where the server runs, which an editor elsewhere does not have."""
    folders: tuple[str, ...] = ("project",)
    """One is opened as it is, several as a workspace of them."""
    server: str | None = "project"
    """The folder whose virtual environment holds this checkout's server."""
    trust: bool = False
    """Ask for trust before a workspace may run anything, as VS Code does out of the box."""
    record: bool = False
    """Keep every message of editor and server in ``traffic.jsonl``."""
    script: str = ""
    """Runs in the page before VS Code does."""
    environment: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    """What lies there before, by paths beside the folders."""


PLAIN = Setup()


@contextlib.contextmanager
def open_window(tools: Tools, folder: Path, setup: Setup = PLAIN) -> Iterator[Window]:
    """Start everything, and end everything that was started."""
    for name in setup.folders:
        (folder / name).mkdir(parents=True)
        git(folder / name, "init", "-q")
        (folder / name / ".git" / "info" / "exclude").write_text(".venv/\n")
    if setup.server is not None:
        _program(folder / setup.server / ".venv" / "bin" / "sotto", folder / "traffic.jsonl" if setup.record else None)
    for name, text in setup.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    _settings(folder, setup)
    environment = _environment(tools, folder, setup)
    code = [
        str(tools.node),
        str(tools.code_server),
        "--user-data-dir",
        str(folder / "user"),
        "--extensions-dir",
        str(folder / "ext"),
    ]
    subprocess.run([*code, "--install-extension", str(tools.extension)], env=environment, check=True, capture_output=True)
    port = _free_port()
    options = ["--auth", "none", "--bind-addr", f"127.0.0.1:{port}", "--config", "/dev/null", "--disable-telemetry",
               "--disable-update-check", "--reconnection-grace-time", "2"]  # fmt: skip
    if not setup.trust:
        options.append("--disable-workspace-trust")
    with (folder / "code-server.txt").open("w") as log:
        server = subprocess.Popen(
            [*code, *options], env=environment, stdout=log, stderr=log, cwd=folder, start_new_session=True
        )
        page = subprocess.Popen(
            [str(tools.node), str(HERE / "page.mjs"), str(tools.playwright), tools.browser],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
        )  # fmt: skip
        try:
            _wait_for(port)
            window = Window(folder, page, environment)
            if setup.script:
                window.ask("before", script=setup.script)
            window.ask("goto", address=f"http://127.0.0.1:{port}/?{_what(folder, setup.folders)}")
            window.wait(f"() => ({STATUS})() !== null")
            yield window
        finally:
            _end(page, server)


def _what(folder: Path, names: tuple[str, ...]) -> str:
    """The part of the address that says what to open."""
    if len(names) == 1:
        return f"folder={folder / names[0]}"
    workspace = folder / "all.code-workspace"
    workspace.write_text(json.dumps({"folders": [{"path": name} for name in names]}))
    return f"workspace={workspace}"


def _program(path: Path, record: Path | None) -> None:
    """A `sotto` that runs this checkout.

    PATH would not do: VS Code's server replaces it by the login shell's.
    """
    path.parent.mkdir(parents=True)
    lines = ["#!/bin/sh", f'export PYTHONPATH="{ROOT}"']
    if record is not None:
        lines.append(f'test "$1" = serve && exec "{sys.executable}" "{HERE / "recorder.py"}" "{record}" "$@"')
    path.write_text("\n".join([*lines, f'exec "{sys.executable}" -m lsp_server "$@"', ""]))
    path.chmod(0o755)


def _settings(folder: Path, setup: Setup) -> None:
    trust = {"security.workspace.trust.enabled": setup.trust, "security.workspace.trust.startupPrompt": "never"}
    for name, settings in (("User", {**SETTINGS, **trust, **setup.settings}), ("Machine", setup.machine)):
        (folder / "user" / name).mkdir(parents=True, exist_ok=True)
        (folder / "user" / name / "settings.json").write_text(json.dumps(settings))


def _environment(tools: Tools, folder: Path, setup: Setup) -> dict[str, str]:
    drop = ("DO_NOT_TRACK", "SOTTO_DATA_DIR", "VSCODE_IPC_HOOK_CLI")
    clean = {key: value for key, value in os.environ.items() if key not in drop}
    return {
        **clean,
        "PATH": os.pathsep.join([str(tools.node.parent), clean.get("PATH", "")]),
        "SOTTO_DATA_DIR": str(folder / "data"),
        "EXTENSIONS_GALLERY": '{"serviceUrl":"","itemUrl":""}',  # else the page looks for extensions elsewhere
        "XDG_CONFIG_HOME": str(folder / "config"),
        "XDG_CACHE_HOME": str(folder / "cache"),
        **setup.environment,
    }


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5):
                return
        except OSError:
            assert time.monotonic() < deadline, "code-server did not start"
            time.sleep(0.1)


def _end(page: subprocess.Popen[str], server: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(OSError):
        if page.stdin is not None:
            page.stdin.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        page.wait(20)
    page.kill()
    page.wait()
    if page.stdout is not None:
        page.stdout.close()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        server.wait(20)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGKILL)
    server.wait()
