"""Emacs' own client, eglot, in batch mode: completion, flymake's diagnostics, a quick fix, a command, and a clean end."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.editor.test_neovim import RULE, environment, file, server

__all__ = ["file"]
pytestmark = pytest.mark.editor

HERE = Path(__file__).parent


def test_eglot(file: Path, tmp_path: Path) -> None:
    emacs = shutil.which("emacs")
    if emacs is None:
        pytest.skip("no emacs on PATH")
    # -q, not -Q: that would hide what Debian installs beside it.
    if subprocess.run([emacs, "-q", "--batch", "--eval", "(require 'eglot)"], capture_output=True, check=False).returncode:
        pytest.skip("this Emacs has no eglot: it came with Emacs 29; before, it is a package")
    out = tmp_path / "out.json"
    more = {"COMMAND": json.dumps(server(tmp_path)), "FILE": str(file), "OUT": str(out), "HOME": str(tmp_path)}
    command = [emacs, "-q", "--batch", "-l", str(HERE / "eglot.el")]
    done = subprocess.run(
        command, env={**environment(tmp_path), **more}, timeout=180, check=False, capture_output=True, text=True
    )
    assert out.exists(), done.stderr[-2000:]
    seen = json.loads(out.read_text())
    assert "problem" not in seen, (seen["problem"], done.stderr[-2000:])
    assert seen["item"]
    assert [comment["rule"] for comment in seen["report"]["comments"]] == [RULE]
    assert "into" in seen["diagnostic"]
    assert seen["actions"][0].startswith("Fix:")
    assert "into=None" in seen["fixed"]
