"""Leaving early for good: behind which layer, and how sure the controller must be, as `calibrate` found it for a checkpoint.

Knows the checkpoint's folder: the controller that was trained beside the weights, and `turbo.json` with the thresholds. An
answer of this kind is not always the whole model's; that is why it is a setting of its own, off by default.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from assistant.model import exits
from assistant.model.config import ModelConfig
from assistant.model.exits import Floats

FILE = "turbo.json"
NEVER = 1.0
"""A threshold that no probability reaches."""


def read(folder: Path, config: Mapping[str, Any], shape: ModelConfig) -> Floats | None:
    """What `kernels.decode.step.Step.run` calls ``leaving``; None where the folder holds no calibration of its controller."""
    try:
        said = json.loads((folder / FILE).read_text("utf-8"))
        thresholds = {int(layer): float(least) for layer, least in said["thresholds"].items()}
        if said["controller"] != config["controller"]["sha256"]:
            return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return leaving(folder, config, shape, thresholds)


def leaving(folder: Path, config: Mapping[str, Any], shape: ModelConfig, thresholds: Mapping[int, float]) -> Floats | None:
    """[L, D + 2, 16] of the folder's controller with these thresholds by layer, counted from 1; None without a controller."""
    found = exits.controller(folder, config, shape.d_model)
    if found is None:
        return None
    made = np.zeros((shape.n_layers, shape.d_model + 2, 16), np.float32)
    made[:, -1, 0] = NEVER
    for weight, bias, layer in zip(*found, strict=True):
        if layer < shape.n_layers:
            made[layer - 1, :-2, :3], made[layer - 1, -2, :3] = weight.T, bias
            made[layer - 1, -1, 0] = thresholds.get(layer, NEVER)
    return made


def write(folder: Path, config: Mapping[str, Any], thresholds: Mapping[int, float], about: Mapping[str, object]) -> None:
    """What `read` reads, and ``about``: on what it was found, and what it saves."""
    said = {
        "controller": config["controller"]["sha256"],
        "thresholds": {str(layer): least for layer, least in thresholds.items()},
        "about": about,
    }
    partial = folder / (FILE + ".partial")
    partial.write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")
    partial.replace(folder / FILE)
