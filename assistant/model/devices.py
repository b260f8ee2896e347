"""Which device computes: the GPU when it is asked for, or when the model is large and the machine has one.

Loads torch only where a GPU may be used.
"""

from __future__ import annotations

from assistant.model.checkpoint import Checkpoint
from assistant.model.running import Running
from assistant.types import EngineError

LARGE = 100_000_000
"""Parameters from which on `auto` takes a GPU; a pass of a smaller one is over on a CPU before a GPU's has well begun."""


def missing() -> str:
    """Why a GPU cannot be used here; empty where one can."""
    import torch

    return (
        "" if torch.cuda.is_available() else "torch sees no GPU here; leave --device out, or install a build of torch with CUDA"
    )


def gpu_runner(checkpoint: Checkpoint, device: str) -> Running | None:
    """The GPU's runner for this checkpoint; None for the CPU's. Raises `EngineError` where a GPU is asked for and missing."""
    if device == "cpu" or (device == "auto" and checkpoint.config.n_params < LARGE):
        return None
    if why := missing():
        if device == "cuda":
            raise EngineError(why)
        return None
    from assistant.model.cuda import CudaRunner

    return CudaRunner(checkpoint.config, checkpoint.tensors())
