"""`sotto model info`: what a checkpoint folder says of itself, and whether its files are what it says.

Reads config.json and checksums; loads no weights, so a damaged checkpoint is described too.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from assistant.model import checkpoint
from assistant.model.checkpoint import CheckpointError
from assistant.model.config import ConfigError, ModelConfig

CARD = "README.md"
CONTROLLER = "controller.safetensors"
KNOWN = ("format", "name", "family", "model", "special_tokens", "quantization", "sha256")
"""Keys that every checkpoint has; the others are the record of its making."""


def describe(folder: Path) -> dict[str, Any]:
    """A JSON object. Raises `CheckpointError` when there is no checkpoint to describe."""
    try:
        config = json.loads((folder / checkpoint.CONFIG).read_text("utf-8"))
        shape = ModelConfig.from_json(config["model"])
        files = {file.name: file.stat().st_size for file in sorted(folder.iterdir()) if file.is_file()}
    except (OSError, ValueError, KeyError, TypeError, ConfigError) as error:
        checkpoint.load(folder)  # says what is wrong in a sentence
        raise CheckpointError(f"{folder / checkpoint.CONFIG} describes no model ({error})") from error
    return {
        "folder": str(folder),
        "name": str(config.get("name", folder.name)),
        "family": config.get("family"),
        "parameters": shape.n_params,
        "quantization": config.get("quantization"),
        "context": shape.context,
        "exits": list(shape.exits),
        "shape": {name: value for name, value in asdict(shape).items() if name not in ("context", "exits")},
        "record": {key: value for key, value in config.items() if key not in KNOWN},
        "files": files,
        "checksums": {name: _verdict(folder / name, wanted) for name, wanted in _sums(config).items()},
        "card": str(folder / CARD) if (folder / CARD).is_file() else "",
    }


def _sums(config: dict[str, Any]) -> dict[str, Any]:
    """File -> its SHA-256 by config.json; the exit controller, where there is one, keeps its own."""
    sums = config.get("sha256")
    sums = dict(sums) if isinstance(sums, dict) else {}
    controller = config.get("controller")
    if isinstance(controller, dict) and "sha256" in controller:
        sums[CONTROLLER] = controller["sha256"]
    return {checkpoint.WEIGHTS: None, checkpoint.TOKENIZER: None} | sums


def _verdict(path: Path, wanted: Any) -> str:
    if wanted is None:
        return "config.json gives no checksum"
    try:
        return "ok" if checkpoint.sha256(path) == wanted else "damaged"
    except FileNotFoundError:
        return "missing"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
