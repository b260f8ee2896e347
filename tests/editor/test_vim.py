"""Vim with vim-lsp, by the line that the README gives: completion, diagnostics, a quick fix, the review's command."""

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


def plugin(name: str) -> Path:
    """A plugin's folder below `SOTTO_EDITOR_PLUGINS`: nothing is fetched from a site that has no registry."""
    folder = Path(os.environ.get("SOTTO_EDITOR_PLUGINS", "")) / name
    if not os.environ.get("SOTTO_EDITOR_PLUGINS") or not folder.is_dir():
        pytest.skip(f"SOTTO_EDITOR_PLUGINS names no folder with a clone of {name}")
    return folder


def test_vim_lsp(file: Path, tmp_path: Path) -> None:
    vim = shutil.which("vim")
    if vim is None:
        pytest.skip("no vim on PATH")
    row = re.search(r"^\| Vim, vim-lsp \| `([^`]+)`", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)
    assert row is not None
    command = ", ".join(f"'{word}'" for word in server(tmp_path))
    assert "'sotto', 'serve'" in row[1]
    patient = "'initialization_options': {'minConfidence': 0, 'stopBelow': 0, 'budgetMs': 10000}, 'allowlist'"
    setup = row[1].replace("'sotto', 'serve'", command).replace("'allowlist'", patient)
    out = tmp_path / "out.json"
    words = {"PLUGIN": str(plugin("vim-lsp")), "SETUP": setup, "FILE": str(file), "OUT": str(out), "HOME": str(tmp_path)}
    done = subprocess.run(
        [vim, "-Nu", "NONE", "-i", "NONE", "-es", "-S", str(HERE / "vim_lsp.vim")],
        env={**environment(tmp_path), **words, "TERM": "dumb"},
        timeout=180,
        check=False,
        capture_output=True,
        text=True,
    )
    assert out.exists(), done.stderr[-2000:]
    seen: dict[str, Any] = json.loads(out.read_text())
    assert "problem" not in seen, seen
    assert seen["item"]
    assert seen["rules"] == [RULE]
    assert seen["line"] == 4
    assert "into=None" in seen["fixed"]
