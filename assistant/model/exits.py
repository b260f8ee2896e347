"""The Stop head: how likely it is that what comes next is not worth it, read from the last layer's stream.

Knows the controller that was trained beside the weights (SEC, Sun et al., ICSE 2024): one linear map with the classes stop,
exit and continue. What is made of it is the gate's business: as a rule of its own it cut off worse than token probability.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load

Floats = NDArray[np.float32]
FILE = "controller.safetensors"
STOP = 0
"""Its place among the classes."""


@dataclass(frozen=True)
class StopHead:
    """``weight`` [3, D] and ``bias`` [3] over the normed stream behind the last layer."""

    weight: Floats
    bias: Floats

    def probability(self, stream: Floats) -> float:
        """stream [D], normed -> the probability of stop."""
        scores = self.weight @ stream + self.bias
        powers = np.exp(scores - scores.max())
        return float(powers[STOP] / powers.sum())


def read(folder: Path, config: Mapping[str, Any], width: int) -> StopHead | None:
    """The head of a checkpoint's folder; ``None`` where there is none, or a file that is not the one config.json names."""
    found = controller(folder, config, width)
    return StopHead(found[0][-1], found[1][-1]) if found is not None else None


def controller(folder: Path, config: Mapping[str, Any], width: int) -> tuple[Floats, Floats, list[int]] | None:
    """weight [E, 3, D], bias [E, 3] and the E layers (counted from 1) behind which they read; ``None`` as in `read`."""
    said = config.get("controller")
    try:
        data = (folder / FILE).read_bytes()
        if not isinstance(said, dict) or hashlib.sha256(data).hexdigest() != said.get("sha256"):
            return None
        tensors, layers = load(data), [int(layer) for layer in said["layers"]]
        weight, bias = tensors["weight"].astype(np.float32), tensors["bias"].astype(np.float32)
    except (OSError, SafetensorError, KeyError, ValueError, TypeError):
        return None
    fits = layers and weight.shape == (len(layers), 3, width) and bias.shape == (len(layers), 3)
    return (weight, bias, layers) if fits else None
