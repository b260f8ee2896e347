"""Whether a checkpoint fits into memory, told before it is loaded: the sizes its weight files state against what is free.

Knows safetensors headers and the operating system's counters; imports no torch. Where a system does not say what is free, all
of its memory counts as free.
"""

from __future__ import annotations

import ctypes
import json
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from assistant.model.checkpoint import CheckpointError
from assistant.model.hf.files import CheckpointFiles

SPARE = 400_000_000
"""Bytes beside weights and KV cache: torch and transformers themselves take 300 MB, a pass over 64 tokens the rest."""
LEAST_CONTEXT = 1024
BYTES_OF = {"F64": 8, "I64": 8, "F32": 4, "I32": 4, "U32": 4, "BF16": 2, "F16": 2, "I16": 2}
_FLOATS = ("F64", "F32", "BF16", "F16")


def weight_bytes(paths: Sequence[Path], float_size: int) -> int:
    """Bytes of all tensors once loaded, floating-point ones in ``float_size`` bytes each. Raises `CheckpointError`."""
    total = 0
    for path in paths:
        for tensor in _header(path).values():
            kind = str(tensor["dtype"])
            size = float_size if kind in _FLOATS else BYTES_OF.get(kind, 1)
            total += math.prod(tensor["shape"]) * size
    return total


def kv_bytes(files: CheckpointFiles, float_size: int) -> int:
    """Bytes of keys and values of one token in all layers."""
    layers = int(files.text_config("num_hidden_layers") or files.text_config("n_layer") or 0)
    heads = int(files.text_config("num_attention_heads") or files.text_config("n_head") or 1)
    width = int(files.text_config("hidden_size") or files.text_config("n_embd") or 0)
    size = int(files.text_config("head_dim") or width // heads)
    shared = int(files.text_config("num_key_value_heads") or heads)
    return 2 * layers * shared * size * float_size


def context_that_fits(name: str, weights: int, token: int, wanted: int, slots: int, free: int) -> int:
    """Tokens of a context, at most ``wanted``, so that ``slots`` of them fit beside the weights. All sizes in bytes.

    Raises `CheckpointError` when not even `LEAST_CONTEXT` tokens do.
    """
    left = free - weights - SPARE
    least = min(wanted, LEAST_CONTEXT)
    if left < least * token * slots:
        needs = f"{_giga(weights)} for its weights, {_giga(least * token * slots)} for its KV cache, {_giga(SPARE)} beside them"
        raise CheckpointError(
            f"{name} does not fit: it takes {needs}, and {_giga(free)} of memory are free; choose a smaller checkpoint, or"
            " close other programs"
        )
    return min(wanted, left // (token * slots)) if token else wanted


def free_memory() -> int:
    """Bytes that this process can still get."""
    if sys.platform == "linux":
        found = [size for size in (_linux_free(), _quota_free()) if size is not None]
        if found:
            return min(found)
    if sys.platform == "win32":
        return _windows_free()
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _linux_free(path: Path = Path("/proc/meminfo")) -> int | None:
    try:
        lines = path.read_text("ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)


def _quota_free(folder: Path = Path("/sys/fs/cgroup")) -> int | None:
    """What a container's limit leaves; ``None`` without one."""
    try:
        most = int((folder / "memory.max").read_text("ascii"))  # the word "max" where there is no limit
        return most - int((folder / "memory.current").read_text("ascii"))
    except (OSError, ValueError):
        return None


def _windows_free() -> int:
    class Status(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ulong), ("load", ctypes.c_ulong), *((f"size{i}", ctypes.c_ulonglong) for i in range(7))]

    status = Status(length=ctypes.sizeof(Status))
    ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))  # type: ignore[attr-defined,unused-ignore]
    return int(status.size1)


def _header(path: Path) -> dict[str, dict[str, Any]]:
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 0 < length < path.stat().st_size:
                raise ValueError("no header")
            header = json.loads(file.read(length))
            ends = [tensor["data_offsets"][1] for name, tensor in header.items() if name != "__metadata__"]
            if 8 + length + max(ends, default=0) > path.stat().st_size:
                raise ValueError("it ends too early")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path} is no whole safetensors file ({error}); download the checkpoint again") from error
    return {name: tensor for name, tensor in header.items() if name != "__metadata__"}


def _giga(size: int) -> str:
    return f"{size / 1e9:.1f} GB"
