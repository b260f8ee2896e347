"""The packaged extension: small, complete, and with nothing in it that nobody needs."""

from __future__ import annotations

import json
import subprocess
import zipfile

import pytest

from tests.editor.tools import EXTENSION, Tools

pytestmark = pytest.mark.editor

MOST_BUNDLE, MOST_PACKAGE = 500_000, 1_000_000  # bytes


def test_it_is_small_and_complete(tools: Tools) -> None:
    assert tools.extension.stat().st_size < MOST_PACKAGE
    with zipfile.ZipFile(tools.extension) as package:
        sizes = {one.filename: one.file_size for one in package.infolist()}
        manifest = json.loads(package.read("extension/package.json"))
        licence = package.read("extension/LICENSE.txt").decode()
        notices = package.read("extension/dist/NOTICES.txt").decode()
    assert sizes["extension/dist/extension.js"] <= MOST_BUNDLE
    assert f"extension/{manifest['icon']}" in sizes
    for step in manifest["contributes"]["walkthroughs"][0]["steps"]:
        assert f"extension/{step['media']['markdown']}" in sizes
    assert manifest["license"] == "MIT"
    assert licence.startswith("MIT License")
    for bundled in manifest["dependencies"]:
        assert f"{bundled} " in notices
    foreign = ("node_modules", "/src/", "/test/", ".ts", ".map")
    assert [name for name in sizes if any(part in name for part in foreign)] == []


def test_no_dependency_has_a_known_advisory() -> None:
    """Asked of the registry; not every mirror answers that."""
    command = ["npm", "audit", "--omit=dev", "--json"]
    try:
        done = subprocess.run(command, cwd=EXTENSION, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"npm audit: {error}")
    report = json.loads(done.stdout or "{}")
    if "metadata" not in report:
        pytest.skip(f"this registry answers no audit: {report.get('message', done.stderr[-200:])}")
    assert report["metadata"]["vulnerabilities"]["total"] == 0, list(report["vulnerabilities"])
