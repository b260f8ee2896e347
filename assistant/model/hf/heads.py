"""Which key heads of a checkpoint retrieve, as `calibrate` found them: one small file for each checkpoint, by its identity.

Knows a folder and flags; does not know how they are found.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

Flags = Sequence[Sequence[bool]]
"""For each layer a flag for each of its key heads."""


def read(folder: Path | None, identity: str) -> dict[str, Flags]:
    """Policy -> flags; nothing where nothing was calibrated, or the file is none of ours."""
    try:
        said = json.loads((folder / f"{identity}.json").read_text("utf-8"))["heads"] if folder is not None else {}
        return {str(name): [[bool(flag) for flag in layer] for layer in layers] for name, layers in said.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def write(folder: Path, identity: str, model: str, policy: str, flags: Flags) -> Path:
    """Keep ``flags`` beside those of other policies; returns the file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{identity}.json"
    known = {**read(folder, identity), policy: flags}
    path.write_text(json.dumps({"model": model, "heads": known}) + "\n", "utf-8")
    return path
