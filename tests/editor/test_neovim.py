"""Neovim without a plugin, as installed here: completion, diagnostics, a quick fix, the command of an acceptance.

Where it is 0.12 or newer, also its own ghost text, with the lines that the README gives.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.editor.window import ROOT, git, until

pytestmark = pytest.mark.editor

HERE = Path(__file__).parent
BEFORE = "import os\n\n\ndef gather(item, into):\n    into.append(item)\n\n\ndef both(folder, first):\n    return os"
AFTER = BEFORE.replace("into)", "into=[])", 1)
RULE = "mutable-default"


@pytest.fixture
def nvim() -> str:
    found = shutil.which("nvim")
    if found is None:
        pytest.skip("no nvim on PATH")
    return found


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A committed file that was changed for the worse."""
    project = tmp_path / "project"
    project.mkdir()
    git(project, "init", "-q")
    (project / "both.py").write_text(BEFORE)
    git(project, "add", ".")
    git(project, "commit", "-q", "-m", "one")
    (project / "both.py").write_text(AFTER)
    return project / "both.py"


def environment(folder: Path) -> dict[str, str]:
    clean = {key: value for key, value in os.environ.items() if key not in ("DO_NOT_TRACK", "SOTTO_DATA_DIR")}
    return {**clean, "PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}


def server(folder: Path) -> list[str]:
    return [sys.executable, "-m", "lsp_server", "serve", "--data-dir", str(folder / "data")]


def test_completion_diagnostics_and_a_quick_fix(nvim: str, file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    more = {"COMMAND": json.dumps(server(tmp_path)), "FILE": str(file), "OUT": str(out)}
    command = [nvim, "--headless", "-u", "NONE", "-i", "NONE", "-n", "-c", f"luafile {HERE / 'neovim.lua'}"]
    subprocess.run(command, env={**environment(tmp_path), **more}, timeout=180, check=False, capture_output=True, cwd=tmp_path)
    seen: dict[str, Any] = json.loads(out.read_text())
    assert "problem" not in seen, seen["problem"]
    assert "item" in seen, seen["why"]
    assert seen["text"].endswith(f"return os.{seen['item']}"), seen
    assert [comment["rule"] for comment in seen["report"]["comments"]] == [RULE]
    assert "into" in seen["diagnostic"]
    assert "into=None" in seen["fixed"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # pynvim leaves its pipes to the collector
def test_its_own_ghost_text(nvim: str, file: Path, tmp_path: Path) -> None:
    """Typed in insert mode over its remote interface, accepted with Tab."""
    pynvim = pytest.importorskip("pynvim")
    version = subprocess.run([nvim, "--version"], capture_output=True, text=True, check=True).stdout
    if tuple(map(int, re.findall(r"\d+", version)[:2])) < (0, 12):
        pytest.skip(f"ghost text needs Neovim 0.12, this is {version.splitlines()[0]}")
    lua = re.search(r"```lua\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    assert lua is not None
    script = tmp_path / "init.lua"
    quoted = ", ".join(f"'{word}'" for word in server(tmp_path))
    patient = "init_options = { minConfidence = 0, stopBelow = 0, budgetMs = 10000 }"
    script.write_text(lua[1].replace("{ 'sotto', 'serve' }", f"{{ {quoted} }}, {patient}"))
    os.environ.update(environment(tmp_path))
    vim = pynvim.attach("child", argv=[nvim, "--embed", "--headless", "-u", str(script), "-i", "NONE", "-n"])
    try:
        vim.command(f"edit {file}")
        until(lambda: vim.exec_lua("return #vim.lsp.get_clients({name = 'sotto'})") == 1)
        ghost = """
          local text = ''
          for _, space in pairs(vim.api.nvim_get_namespaces()) do
            for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(0, space, 0, -1, { details = true })) do
              for _, piece in ipairs(mark[4].virt_text or {}) do text = text .. piece[1] end
            end
          end
          return text"""

        def asked() -> bool:
            vim.input("<Esc>GA.")
            vim.exec_lua("vim.wait(700)")
            if vim.exec_lua(ghost):
                return True
            vim.input("<Esc>u")
            return False

        until(asked)
        shown, before = vim.exec_lua(ghost), vim.current.line
        vim.input("<Tab>")
        until(lambda: vim.current.line == before + shown, lambda: f"{vim.current.line!r}")
    finally:
        with contextlib.suppress(OSError, EOFError):
            vim.command("qa!")
        vim.close()
