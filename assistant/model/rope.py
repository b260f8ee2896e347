"""Rotary positions: the tables that every runner of the model turns by. Knows shapes and numpy; nothing of torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from assistant.model.config import ModelConfig

Floats = NDArray[np.float32]


def rope_tables(config: ModelConfig, length: int) -> tuple[Floats, Floats]:
    """Cosines and sines [length, head_dim] of rotary positions (arXiv 2104.09864), in the half-split layout of Llama."""
    inverse = config.rope_theta ** (-np.arange(0, config.head_dim, 2, dtype=np.float64) / config.head_dim)
    angles = np.outer(np.arange(length, dtype=np.float64), inverse)
    angles = np.concatenate((angles, angles), axis=-1)
    return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)
