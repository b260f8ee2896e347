"""How sure a checkpoint may call itself: one temperature that divides its logits (Guo et al. 2017, arXiv 1706.04599, section
4.2), as `stop` fitted it. One small file for each checkpoint, by its identity, beside what `heads` keeps.

Knows a folder and numbers; does not know how they are found. No choice of a token depends on them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

LEAST, MOST = 0.25, 4.0
"""A checkpoint that would need more than this knows nothing of the text it was tried on."""


@dataclass(frozen=True)
class Told:
    """``value`` is 1 where nothing is known; ``note`` says, for the user, that a file was ignored; ``kept``: there is one."""

    value: float = 1.0
    note: str = ""
    kept: bool = False


def place(folder: Path, identity: str) -> Path:
    """The file of the checkpoint of that identity."""
    return folder / f"{identity}.stop.json"


def read(folder: Path | None, identity: str) -> Told:
    """What is kept; a file that is none of ours is ignored with a note."""
    if folder is None or not place(folder, identity).is_file():
        return Told()
    path = place(folder, identity)
    try:
        value = float(json.loads(path.read_text("utf-8"))["temperature"])
        if not LEAST <= value <= MOST:
            raise ValueError(f"{value} is no temperature")
    except (OSError, ValueError, OverflowError, KeyError, TypeError) as error:
        return Told(note=f"{path} holds no calibration ({error}) and is ignored; run `sotto model calibrate --stop` again")
    return Told(value, kept=True)


def write(folder: Path, identity: str, model: str, value: float, about: Mapping[str, object]) -> Path:
    """Keep ``value`` and ``about``, on what it was found; returns the file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = place(folder, identity)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps({"model": model, "temperature": value, "about": about}) + "\n", "utf-8")
    partial.replace(path)
    return path
