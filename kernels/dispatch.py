"""Which backend runs an operator, and why. The one file of this folder that looks at files and the environment.

An operator is a folder: ``reference.py`` (spelled out, exact in float64, the oracle for ever), ``cpu.py`` (torch, and what is
compiled) and ``gpu.py`` (Triton; imports triton, so it is imported only where it will run). All have the same functions with
the same contracts. To plug one in: write the reference, then the others, add its folder to `OPERATORS`, its cases to
tests/kernels and its row to `kernels.bench`. Mixers with weights of their own go to kernels/mixers/ on top of operators
(kernels/linear/ for chunked linear attention): an operator's functions take and return plain tensors, states included, and
never hold any.

Frozen numbers stand in configs/: launch numbers, measured once for a GPU model by `python -m kernels.bench --device cuda
--freeze`, and the lengths from which policies pay on a CPU; nothing is tuned while somebody types.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.util
import json
import os
import re
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

OPERATORS = {
    "attend": "kernels.attention",
    "merge": "kernels.attention",
    "score": "kernels.select",
    "vote": "kernels.select",
    "descend": "kernels.select",
    "select": "kernels.select",
    "quantise": "kernels.quantize",
    "linear": "kernels.quantize",
    "best": "kernels.exit_head",
}
BACKENDS = ("gpu", "cpu", "reference")
LARGEST_HEAD = 256
CONFIGS = Path(__file__).parent / "configs"


@dataclass(frozen=True)
class Choice:
    """``backend`` is a name of `BACKENDS`; ``reason`` one sentence for the log."""

    backend: str
    reason: str


_ONLY_TORCH: ContextVar[bool] = ContextVar("only_torch", default=False)
_ON_CPU = Choice("cpu", "torch runs it: the tensors are not on a CUDA device")


@functools.lru_cache(maxsize=1)
def has_triton() -> bool:
    return importlib.util.find_spec("triton") is not None


def on_triton(*given: Tensor | None) -> bool:
    """Whether Triton takes these tensors; its kernels have no backward pass, so only where no gradient is wanted."""
    tensors = [each for each in given if each is not None]
    learns = torch.is_grad_enabled() and any(each.requires_grad for each in tensors)
    return tensors[0].is_cuda and not learns and has_triton() and not _ONLY_TORCH.get()


@contextlib.contextmanager
def only_torch() -> Iterator[None]:
    """Inside, `on_triton` says no: what torch does on a GPU, for the bench."""
    held = _ONLY_TORCH.set(True)
    try:
        yield
    finally:
        _ONLY_TORCH.reset(held)


def interpreted() -> bool:
    """Triton's interpreter runs kernels on CPU tensors; it is for tests and must be set before triton is imported."""
    return os.environ.get("TRITON_INTERPRET", "") == "1"


def choose(operator: str, x: Tensor, prefer: str = "") -> Choice:
    """Where ``operator`` runs on a tensor like ``x``. ``prefer`` names a backend; ValueError when it cannot run."""
    if not prefer and operator in OPERATORS and not x.is_cuda:
        return _ON_CPU
    if operator not in OPERATORS:
        raise ValueError(f"no operator is called {operator!r}; there are {', '.join(sorted(OPERATORS))}")
    if prefer and prefer not in BACKENDS:
        raise ValueError(f"no backend is called {prefer!r}; choose from {', '.join(BACKENDS)}")
    obstacle = _no_gpu(x)
    if prefer == "gpu" and obstacle and not (interpreted() and has_triton()):
        raise ValueError(f"{operator} cannot run on Triton: {obstacle}")
    if prefer:
        return Choice(prefer, "asked for")
    if not obstacle:
        return Choice("gpu", f"Triton runs {operator} on CUDA")
    # The CPU's fused attention and int8 product do not take CUDA tensors; the selection's torch code does.
    anywhere = OPERATORS[operator] == "kernels.select"
    return Choice("cpu" if anywhere else "reference", f"torch runs {operator}: {obstacle}")


def _no_gpu(x: Tensor) -> str:
    """Why Triton cannot take a tensor; empty when it can."""
    if not x.is_cuda:
        return f"the tensors are on {x.device.type}"
    if not has_triton():
        return "triton is not installed"
    if x.shape[-1] > LARGEST_HEAD and x.dim() == 3:
        return f"heads of {x.shape[-1]} are larger than {LARGEST_HEAD}"
    return ""


@functools.lru_cache(maxsize=64)
def module(operator: str, backend: str) -> ModuleType:
    """The file that holds an operator's backend, imported when first asked for."""
    folder = OPERATORS[operator]
    if operator == "merge" and backend == "cpu":
        backend = "reference"  # a few torch calls on small tensors: there is nothing to speed up
    return importlib.import_module(f"{folder}.{backend}")


def run(operator: str, *arguments: Any, prefer: str = "") -> Any:
    """Run an operator on the backend that fits its first argument, with the launch numbers frozen for the device."""
    choice = choose(operator, arguments[0], prefer)
    extra = {}
    if choice.backend == "gpu" and operator == "attend":
        extra["config"] = frozen(arguments[0].device, operator)
    return getattr(module(operator, choice.backend), operator)(*arguments, **extra)


def config_name(device_name: str) -> str:
    """The file of a GPU model: "NVIDIA H200" -> nvidia-h200.json."""
    return re.sub(r"[^a-z0-9]+", "-", device_name.lower()).strip("-") + ".json"


@functools.lru_cache(maxsize=64)
def frozen(device: torch.device, operator: str) -> dict[str, int]:
    """The launch numbers measured for this GPU model; empty (the kernel's defaults) where nobody has measured."""
    if device.type != "cuda":
        return {}
    path = CONFIGS / config_name(torch.cuda.get_device_name(device))
    if not path.is_file():
        return {}
    found = json.loads(path.read_text("utf-8")).get(operator, {})
    return {str(name): int(value) for name, value in found.items()}


@functools.lru_cache(maxsize=1)
def break_even() -> dict[str, int]:
    """Keys up to which a policy is slower than dense decode on a CPU, by its name: `python -m kernels.bench --freeze`."""
    path = CONFIGS / config_name("cpu")
    found = json.loads(path.read_text("utf-8")).get("break_even", {}) if path.is_file() else {}
    return {str(name): int(keys) for name, keys in found.items()}


def freeze(device_name: str, numbers: dict[str, dict[str, int]], folder: Path = CONFIGS) -> Path:
    """Write a GPU model's launch numbers, {operator: {name: number}}; returns the file."""
    folder.mkdir(exist_ok=True)
    path = folder / config_name(device_name)
    path.write_text(json.dumps(numbers, indent=1, sort_keys=True) + "\n", "utf-8")
    return path
