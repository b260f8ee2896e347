"""The data folder on each platform, from what the environment says."""

from __future__ import annotations

from pathlib import Path

import pytest

from lsp_server.paths import default_data_dir

HOME = Path("/home/me")


@pytest.mark.parametrize(
    ("platform", "environment", "expected"),
    [
        ("linux", {}, HOME / ".local/share/sotto"),
        ("linux", {"XDG_DATA_HOME": "/data"}, Path("/data/sotto")),
        ("linux", {"XDG_DATA_HOME": "relative"}, HOME / ".local/share/sotto"),
        ("freebsd14", {"XDG_DATA_HOME": ""}, HOME / ".local/share/sotto"),
        ("darwin", {"XDG_DATA_HOME": "/data"}, HOME / "Library/Application Support/sotto"),
        ("win32", {"LOCALAPPDATA": "/me/local"}, Path("/me/local/sotto")),
        ("win32", {}, HOME / "AppData/Local/sotto"),
    ],
)
def test_each_platform_has_its_place(platform: str, environment: dict[str, str], expected: Path) -> None:
    assert default_data_dir(platform, environment, HOME) == expected
