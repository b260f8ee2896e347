"""From a run folder to a checkpoint that ships: weights rounded to int8, and what the rounding costs.

Knows run states and checkpoint folders. The exit controller, where one was trained, lies beside the weights.
"""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import torch

from assistant.model import checkpoint, saving
from assistant.model.config import ModelConfig
from assistant.model.transformer import Transformer
from assistant.training import controller
from assistant.training.pretrain import CheckpointError
from assistant.training.tokenizer import SPECIAL_TOKENS


def load_run(folder: Path) -> tuple[Transformer, dict[str, Any]]:
    """The model of a run's last state, in fp32 on the CPU, and the rest of that state."""
    path = folder / "state.pt"
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        model = Transformer(ModelConfig.from_json(state["config"]))
        model.load_state_dict(state["model"])
    except FileNotFoundError as error:
        raise CheckpointError(f"{path} does not exist: run the pretrain stage first") from error
    except (RuntimeError, KeyError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise CheckpointError(
            f"{path} cannot be used ({str(error).partition('.')[0]}); resume from another state or train again"
        ) from error
    return model.eval().requires_grad_(False), state


def rounded(model: Transformer) -> Transformer:
    """A copy of ``model`` whose matrices went through int8 and back: what the engine will compute with."""
    copy = Transformer(model.config)
    weights = {}
    for name, value in model.state_dict().items():
        if value.dim() == 2:
            whole, scale = saving.quantize(value)
            value = whole.float() * scale[:, None]
        weights[name] = value
    copy.load_state_dict(weights)
    return copy.eval().requires_grad_(False)


def export(run: Path, out: Path, name: str, tokenizer: Path | None = None) -> None:
    """Write the run's last state as an int8 checkpoint folder; a reader sees the old one until the new one is whole."""
    model, state = load_run(run)
    extra: dict[str, Any] = {"training": {key: state[key] for key in ("tokens", "steps", "flops")}}
    if (run / controller.FILE).exists():
        out.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(run / controller.FILE, out / controller.FILE)
        extra["controller"] = json.loads((run / "controller.json").read_text(encoding="utf-8"))
        extra["controller"]["sha256"] = checkpoint.sha256(out / controller.FILE)
    saving.save(
        out,
        model,
        tokenizer or run / "tokenizer.json",
        name=name,
        special_tokens=SPECIAL_TOKENS,
        quantization="int8",
        extra=extra,
    )
