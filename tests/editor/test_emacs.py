"""Emacs' two clients in batch mode, eglot and lsp-mode: completion, diagnostics, a quick fix, a command, and a clean end."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.editor.test_neovim import RULE, environment, file, server
from tests.editor.window import ROOT

__all__ = ["file"]
pytestmark = pytest.mark.editor

HERE = Path(__file__).parent


@pytest.fixture
def emacs() -> str:
    found = shutil.which("emacs")
    if found is None:
        pytest.skip("no emacs on PATH")
    return found


def has(emacs: str, feature: str) -> bool:
    """-q, not -Q: that would hide what Debian installs beside it."""
    return not subprocess.run([*begun(emacs), "--eval", f"(require '{feature})"], capture_output=True, check=False).returncode


def begun(emacs: str) -> list[str]:
    """`SOTTO_EMACS_LOAD` names folders of packages, of newer ones for example."""
    folders = [f"--directory={folder}" for folder in os.environ.get("SOTTO_EMACS_LOAD", "").split(os.pathsep) if folder]
    return [emacs, "-q", "--batch", *folders]


def drive(emacs: str, script: str, file: Path, folder: Path, **more: str) -> dict[str, Any]:
    out = folder / "out.json"
    words = {**environment(folder), "FILE": str(file), "OUT": str(out), "HOME": str(folder), **more}
    done = subprocess.run(
        [*begun(emacs), "-l", str(HERE / script)], env=words, timeout=180, check=False, capture_output=True, text=True
    )
    assert out.exists(), done.stderr[-2000:]
    seen: dict[str, Any] = json.loads(out.read_text())
    assert "problem" not in seen, (seen["problem"], done.stderr[-2000:])
    return seen


def test_eglot(emacs: str, file: Path, tmp_path: Path) -> None:
    if not has(emacs, "eglot"):
        pytest.skip("this Emacs has no eglot: it came with Emacs 29; before, it is a package")
    seen = drive(emacs, "eglot.el", file, tmp_path, COMMAND=json.dumps(server(tmp_path)))
    assert seen["item"]
    assert [comment["rule"] for comment in seen["report"]["comments"]] == [RULE]
    assert "into" in seen["diagnostic"]
    assert seen["actions"][0].startswith("Fix:")
    assert "into=None" in seen["fixed"]


def test_lsp_mode(emacs: str, file: Path, tmp_path: Path) -> None:
    """With the line that the README gives."""
    if not has(emacs, "lsp-mode"):
        pytest.skip("this Emacs has no lsp-mode: it is a package (Debian's elpa-lsp-mode)")
    row = re.search(r"^\| Emacs, lsp-mode \| `([^`]+)`", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)
    assert row is not None
    quoted = " ".join(json.dumps(word) for word in server(tmp_path))
    assert '"sotto" "serve"' in row[1]
    seen = drive(emacs, "lsp_mode.el", file, tmp_path, SETUP=row[1].replace('"sotto" "serve"', quoted))
    assert seen["item"]
    assert seen["rules"] == [RULE]
    assert "into" in seen["diagnostic"]
    assert seen["actions"][0].startswith("Fix:")
    assert "into=None" in seen["fixed"]
