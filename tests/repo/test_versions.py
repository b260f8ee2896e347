"""One version, one name, and the packages' own shape."""

from __future__ import annotations

import importlib.metadata
import json

import pytest

import lsp_server
from tests.repo.tree import PACKAGES, ROOT

TOP_LEVEL = {"pyproject.toml", "lsp_server", "assistant", "kernels", "vscode-extension", "tests", "telemetry", "README.md"}


def test_the_installed_version_is_the_sources() -> None:
    assert importlib.metadata.version("sotto") == lsp_server.__version__


def test_the_extension_has_the_same_version() -> None:
    manifest = ROOT / "vscode-extension" / "package.json"
    if not manifest.exists():
        pytest.skip("the VS Code extension is not in the repository yet")
    assert json.loads(manifest.read_text())["version"] == lsp_server.__version__


def test_nothing_else_stands_at_the_top() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: installed or built files may lie beside the sources")
    import subprocess

    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    tops = {name.split("/")[0] for name in listed if name and not name.startswith(".")}
    assert tops - TOP_LEVEL == set()


@pytest.mark.parametrize("package", PACKAGES)
def test_each_package_is_typed(package: str) -> None:
    assert (ROOT / package / "py.typed").exists()
