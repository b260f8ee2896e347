"""Where Sotto keeps its data and its caches on each platform, and what names a model. Makes nothing, knows no content."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+(@[\w./-]+)?")
"""owner/name as the Hugging Face hub writes it, and a revision behind ``@`` where one is meant."""


def model_place(model: str) -> str:
    """What the setting ``model`` means from any folder: an absolute path, or an id of the hub where no such folder is there."""
    place = os.path.abspath(os.path.expanduser(model)) if model else ""
    return model if HUB_ID.fullmatch(model) and not os.path.exists(place) else place


def default_data_dir(
    platform: str = sys.platform, environment: Mapping[str, str] | None = None, home: Path | None = None
) -> Path:
    """The user's own data folder for Sotto; it need not exist yet.

    Linux and the other Unixes follow the XDG base directory specification, which says to ignore a relative
    ``XDG_DATA_HOME``.
    """
    environment = os.environ if environment is None else environment
    home = home or Path.home()
    if platform == "win32":
        return Path(environment.get("LOCALAPPDATA") or home / "AppData" / "Local") / "sotto"
    if platform == "darwin":
        return home / "Library" / "Application Support" / "sotto"
    named = environment.get("XDG_DATA_HOME", "")
    base = Path(named) if os.path.isabs(named) else home / ".local" / "share"
    return base / "sotto"


def calibrated_dir() -> Path:
    """Where it is kept what `sotto model calibrate --attention` or ``--stop`` found, of any checkpoint."""
    return default_data_dir() / "attention"


def cache_dir(
    data_dir: Path, platform: str = sys.platform, environment: Mapping[str, str] | None = None, home: Path | None = None
) -> Path:
    """Where things that can be made again are kept, for this data folder; it need not exist yet.

    The user's cache folder beside the platform's own data folder. Who has moved the data folder has moved this with it: it is
    ``cache`` in there.
    """
    environment = os.environ if environment is None else environment
    home = home or Path.home()
    if data_dir != default_data_dir(platform, environment, home):
        return data_dir / "cache"
    if platform == "win32":
        return data_dir / "cache"
    if platform == "darwin":
        return home / "Library" / "Caches" / "sotto"
    named = environment.get("XDG_CACHE_HOME", "")
    base = Path(named) if os.path.isabs(named) else home / ".cache"
    return base / "sotto"
