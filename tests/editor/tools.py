"""What a test with a real VS Code needs, fetched once: node, code-server and playwright-core from npm, the packaged extension.

Everything lies in one folder outside of the tree; what is there is not fetched again. Knows nothing of what is tested.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXTENSION = ROOT / "vscode-extension"
NODE, CODE_SERVER, PLAYWRIGHT = "node@24", "code-server@4.139.1", "playwright-core@1.65.1"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PATIENCE_S = 600


class Missing(Exception):  # noqa: N818 - a reason to skip, not an error
    """Something cannot be had here; the text says what."""


@dataclass(frozen=True)
class Tools:
    """Paths of programs. ``extension`` is the packaged one, ``modules`` what it was built with."""

    node: Path
    code_server: Path
    playwright: Path
    browser: str
    extension: Path
    modules: Path

    @staticmethod
    def get(temporary: pytest.TempPathFactory) -> Tools:
        """Fetch what is not there yet. Raises `Missing`."""
        browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
        if browser is None:
            raise Missing("no Chromium: install it, for example with apt-get install chromium")
        if shutil.which("npm") is None:
            raise Missing("no npm: install Node.js")
        named = os.environ.get("SOTTO_EDITOR_CACHE", "")
        cache = Path(named) if named else temporary.mktemp("editor-tools")
        node = _package(cache / "node24", NODE) / "node" / "bin" / "node"
        playwright = _package(cache / "pw", PLAYWRIGHT) / "playwright-core"
        code_server = _code_server(cache / "cs", node)
        build = cache / "build"
        return Tools(node, code_server, playwright, browser, _extension(build, node), build / "node_modules")


def _package(folder: Path, package: str) -> Path:
    """Install one package into a folder; returns its ``node_modules``."""
    modules = folder / "node_modules"
    if not (modules / package.partition("@")[0] / "package.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text("{}")
        npm(folder, "install", "--no-audit", "--no-fund", package)
    return modules


def _code_server(folder: Path, node: Path) -> Path:
    """Without its native builds, which need a compiler: nothing tested here depends on them."""
    package = folder / "node_modules" / "code-server"
    done = folder / "done"
    if not done.exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text("{}")
        flags = ("install", "--no-audit", "--no-fund", "--ignore-scripts", "--omit=dev")
        npm(folder, *flags, CODE_SERVER, node=node)
        code = package / "lib" / "vscode"
        npm(code, *flags, node=node)
        npm(code / "extensions", *flags, node=node)
        for link, target in (("remote-cli/code-server", "code-linux.sh"), ("helpers/browser.sh", "browser-linux.sh")):
            (code / "bin" / link).unlink(missing_ok=True)
            (code / "bin" / link).symlink_to(target)
        done.touch()
    return package / "out" / "node" / "entry.js"


def _extension(folder: Path, node: Path) -> Path:
    """Bundle and package the extension from a copy of its sources, so that the tree stays as it is."""
    shutil.rmtree(folder / "src", ignore_errors=True)
    ignore = shutil.ignore_patterns("node_modules", "dist", "*.vsix")
    shutil.copytree(EXTENSION, folder, ignore=ignore, dirs_exist_ok=True)
    lock = (folder / "package-lock.json").read_text()
    installed = folder / "node_modules" / ".sotto-lock"
    if not installed.exists() or installed.read_text() != lock:
        npm(folder, "ci", "--no-audit", "--no-fund", node=node)
        installed.write_text(lock)
    npm(folder, "run", "package", node=node)
    return folder / "dist" / "sotto.vsix"


def npm(folder: Path, *arguments: str, node: Path | None = None) -> None:
    """Run npm, under a node of our own if one is given. Raises `Missing` with npm's last words."""
    environment = dict(os.environ)
    if node is not None:
        environment["PATH"] = f"{node.parent}{os.pathsep}{environment.get('PATH', '')}"
    try:
        done = subprocess.run(
            ["npm", *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing(f"npm {' '.join(arguments)}: {error}") from error
    if done.returncode:
        raise Missing(f"npm {' '.join(arguments)} failed: {(done.stderr or done.stdout).strip()[-600:]}")
