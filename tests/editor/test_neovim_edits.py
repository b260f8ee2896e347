"""Next edits in Neovim by sidekick.nvim and copilot-lsp as they are, set up as the README says: a rename is followed, and a
line that was begun is ended.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.editor.test_neovim import environment, server
from tests.editor.test_vim import plugin
from tests.editor.test_vscode_edits import FUNCTION
from tests.editor.window import ROOT, git, until

pytestmark = [
    pytest.mark.editor,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),  # pynvim leaves its pipes to the collector
]

SIDEKICK = "vim.lsp.config('sotto_copilot', { cmd = { 'sotto', 'serve' }, ... })"
COPILOT_LSP = "vim.lsp.config('copilot_ls', { cmd = { 'sotto', 'serve', '--stdio' } })"
EAGER = "init_options = { eagerness = 'eager' }, filetypes = { 'python' }, root_markers = { '.git' }"
TAKE = {
    "sidekick.nvim": "return require('sidekick').nes_jump_or_apply()",
    "copilot-lsp": """local nes = require('copilot-lsp.nes')
        return nes.walk_cursor_start_edit() or nes.apply_pending_nes() and nes.walk_cursor_end_edit()""",
}

TYPED = '    with open(path, encoding="utf-8") as file:'
FILES = (
    f"import json\n\n\ndef read(path):\n{TYPED}\n        return json.load(file)\n\n\n"
    'def write(path, value):\n    with open(path, "w", encoding="utf-8") as file:\n        json.dump(value, file)\n\n\n'
    "def lines(path):\n"
)


@pytest.fixture
def nvim() -> str:
    found = shutil.which("nvim")
    if found is None:
        pytest.skip("no nvim on PATH")
    version = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
    if tuple(map(int, re.findall(r"\d+", version)[:2])) < (0, 11):
        pytest.skip(f"vim.lsp.config needs Neovim 0.11, this is {version.splitlines()[0]}")
    return found


def setup(line: str, name: str, folder: Path) -> str:
    """The README's line with a command that exists and what its dots stand for, and the plugin switched on."""
    assert line in (ROOT / "README.md").read_text("utf-8")
    command = ", ".join(f"'{word}'" for word in server(folder))
    line = re.sub(r"\{ 'sotto'[^}]*\}", lambda _: f"{{ {command} }}", line)
    line = line.replace("...", EAGER) if "..." in line else line.replace("} })", f"}}, {EAGER} }})")
    client = re.findall(r"config\('(\w+)'", line)[0]
    start = "require('sidekick').setup()" if name == "sidekick.nvim" else ""
    return f"vim.opt.rtp:append('{plugin(name)}')\n{line}\nvim.lsp.enable('{client}')\n{start}\n"


@pytest.fixture(params=[("sidekick.nvim", SIDEKICK), ("copilot-lsp", COPILOT_LSP)], ids=lambda param: param[0])
def opened(request: pytest.FixtureRequest, nvim: str, tmp_path: Path) -> Iterator[tuple[Any, str]]:
    """Neovim on a file, its server attached; and what takes an edit there."""
    pynvim = pytest.importorskip("pynvim")
    name, line = request.param
    script = tmp_path / "init.lua"
    script.write_text(setup(line, name, tmp_path))
    (tmp_path / "project").mkdir()
    git(tmp_path / "project", "init", "-q")
    (tmp_path / "project" / "area.py").write_text(FUNCTION)
    os.environ.update(environment(tmp_path))
    vim = pynvim.attach("child", argv=[nvim, "--embed", "--headless", "-u", str(script), "-i", "NONE", "-n"])
    try:
        vim.command(f"cd {tmp_path / 'project'}")
        vim.command("edit area.py")
        until(lambda: vim.exec_lua("return #vim.lsp.get_clients({ bufnr = 0 })") == 1)
        until(lambda: vim.exec_lua("return vim.lsp.get_clients({ bufnr = 0 })[1].initialized") is True)
        yield vim, TAKE[name]
    finally:
        with contextlib.suppress(OSError, EOFError):
            vim.command("qa!")
        vim.close()


def test_a_rename_is_followed(opened: tuple[Any, str]) -> None:
    vim, take = opened
    vim.input("gg0fwcwbreadth<Esc>")
    wanted = FUNCTION.replace("width", "breadth").rstrip("\n").split("\n")

    def done() -> bool:
        vim.exec_lua("vim.wait(400)")  # its own loop goes on meanwhile
        vim.exec_lua(take)
        return bool(vim.current.buffer[:] == wanted)

    until(done, lambda: "\n".join([*vim.current.buffer[:], vim.exec_lua("return vim.fn.execute('messages')")]))


def test_a_line_that_was_begun_is_ended(opened: tuple[Any, str]) -> None:
    vim, take = opened
    Path(vim.command_output("pwd"), "files.py").write_text(FILES)
    vim.command("edit files.py | set paste")
    until(lambda: vim.exec_lua("return #vim.lsp.get_clients({ bufnr = 0 })") == 1)
    for keys in ("ix<Esc>", "x", "A # a<Esc>", "u"):  # Neovim says that it knows completions: it has to ask without them first
        vim.input(f"gg0{keys}")
        vim.exec_lua("vim.wait(700)")
    vim.input("Go    with open(path, enc<Esc>")

    def done() -> bool:
        vim.exec_lua("vim.wait(400)")
        vim.exec_lua(take)
        return bool(vim.current.buffer[-1] == TYPED)

    until(done, lambda: "\n".join([*vim.current.buffer[:], vim.exec_lua("return vim.fn.execute('messages')")]))
