"""The packaged extension: small, complete, and with nothing in it that nobody needs."""

from __future__ import annotations

import json
import zipfile

import pytest

from tests.editor.tools import Tools

pytestmark = pytest.mark.editor

MOST_BUNDLE, MOST_PACKAGE = 500_000, 1_000_000  # bytes


def test_it_is_small_and_complete(tools: Tools) -> None:
    assert tools.extension.stat().st_size < MOST_PACKAGE
    with zipfile.ZipFile(tools.extension) as package:
        sizes = {one.filename: one.file_size for one in package.infolist()}
        manifest = json.loads(package.read("extension/package.json"))
    assert sizes["extension/dist/extension.js"] <= MOST_BUNDLE
    assert f"extension/{manifest['icon']}" in sizes
    for step in manifest["contributes"]["walkthroughs"][0]["steps"]:
        assert f"extension/{step['media']['markdown']}" in sizes
    foreign = ("node_modules", "/src/", "/test/", ".ts", ".map")
    assert [name for name in sizes if any(part in name for part in foreign)] == []
