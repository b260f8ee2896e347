"""Helix in a terminal of its own, with the `languages.toml` that the README gives: completion, diagnostics, a quick fix.

What it does is read from the file that it writes and from what it says to the server.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import select
import shutil
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.editor.test_neovim import RULE, environment, file
from tests.editor.window import HERE, ROOT, until

__all__ = ["file"]
pytestmark = pytest.mark.editor

PARTS = ("[language-server.sotto]", 'command = "sotto"', 'args = ["serve"]', "[[language]]", 'name = "python"',
         'language-servers = ["pylsp", "sotto"]')  # fmt: skip
CONFIG = 'config = { review = "save", minConfidence = 0, stopBelow = 0, budgetMs = 10000 }'


class Terminal:
    """A program and its terminal; what it draws is read and let go."""

    def __init__(self, command: list[str], environment: dict[str, str], folder: Path) -> None:
        self._side, other = pty.openpty()
        fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        self.process = subprocess.Popen(
            command, stdin=other, stdout=other, stderr=other, env=environment, cwd=folder, start_new_session=True
        )
        os.close(other)

    def type(self, keys: str) -> None:
        for key in keys:
            os.write(self._side, key.encode())
            self.drain(0.05)

    def drain(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while (rest := deadline - time.monotonic()) > 0:
            if select.select([self._side], [], [], rest)[0]:
                with contextlib.suppress(OSError):
                    os.read(self._side, 65_536)

    def wait(self, happened: Callable[[], Any], what: Callable[[], str]) -> None:
        until(lambda: self.drain(0.1) or bool(happened()), what)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._side)


@pytest.fixture
def helix(file: Path, tmp_path: Path) -> Iterator[tuple[Terminal, Path]]:
    """Helix on the file, and where the conversation is kept."""
    program = shutil.which("hx") or shutil.which("helix")
    if program is None:
        pytest.skip("no hx on PATH")
    readme = (ROOT / "README.md").read_text("utf-8")
    assert [part for part in PARTS if part not in readme] == []
    lines = "\n".join([*PARTS[:3], CONFIG, *PARTS[3:]])
    (tmp_path / "helix").mkdir()
    (tmp_path / "helix" / "languages.toml").write_text(lines + "\n")
    traffic = tmp_path / "traffic.jsonl"
    script = tmp_path / "bin" / "sotto"
    script.parent.mkdir()
    script.write_text(
        f'#!/bin/sh\nexec "{sys.executable}" "{HERE / "recorder.py"}" "{traffic}" "$@" --data-dir "{tmp_path}/data"\n'
    )
    script.chmod(0o755)
    words = environment(tmp_path)
    words = {
        **words,
        "PATH": f"{script.parent}{os.pathsep}{words['PATH']}",
        "TERM": "xterm-256color",
        "XDG_CACHE_HOME": str(tmp_path),
    }
    terminal = Terminal([program, str(file)], words, file.parent)
    try:
        yield terminal, traffic
    finally:
        terminal.end()


def said(traffic: Path, method: str) -> list[Any]:
    """Parameters of the messages of a method, of either side."""
    lines = traffic.read_text("utf-8").splitlines() if traffic.exists() else []
    messages = [json.loads(line)["message"] for line in lines if line.endswith("}")]
    return [one.get("params") for one in messages if one.get("method") == method]


def test_completion_diagnostics_and_a_quick_fix(helix: tuple[Terminal, Path], file: Path) -> None:
    terminal, traffic = helix
    terminal.wait(
        lambda: any(status["kind"] == "Normal" and not status["busy"] for status in said(traffic, "didChangeStatus")),
        lambda: "the model was not ready",
    )
    terminal.type("geA.")  # the end of the last line
    terminal.drain(1)
    terminal.type("\x18")  # asks for completion
    terminal.wait(lambda: said(traffic, "textDocument/completion"), lambda: "it asked for no completion")
    terminal.drain(2)
    terminal.type("\t\r\x1b:w\r")  # the first entry, then write
    terminal.wait(lambda: "os.p" in file.read_text(), file.read_text)
    terminal.wait(
        lambda: any(
            one["code"] == RULE for told in said(traffic, "textDocument/publishDiagnostics") for one in told["diagnostics"]
        ),
        lambda: "no diagnostic came",
    )
    terminal.type("4gg")
    terminal.drain(1)
    terminal.type(" a")
    terminal.wait(lambda: said(traffic, "textDocument/codeAction"), lambda: "it asked for no code action")
    terminal.drain(1)
    terminal.type("\r:w\r")
    terminal.wait(lambda: "into=None" in file.read_text(), file.read_text)
