"""The exit controller: one linear map per exit that says stop, exit or continue (SEC, Sun et al., ICSE 2024).

Knows residual streams and next tokens. Trained with the model frozen, on files that the model did not train on. Labels at
layer i: *stop* when no exit and not the last layer guesses the token, *exit* when some layer up to i does, else *continue*.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from assistant.model.tokenizer import CodeTokenizer
from assistant.model.transformer import Transformer
from assistant.training.corpus import Document
from assistant.training.evaluate import windows

STOP, EXIT, CONTINUE = range(3)
CLASSES = ("stop", "exit", "continue")
FILE = "controller.safetensors"


@dataclass(frozen=True)
class Controller:
    """``weight`` [n, 3, D] and ``bias`` [n, 3] read the normed residual stream after each of ``layers``."""

    layers: tuple[int, ...]
    weight: Tensor
    bias: Tensor

    def logits(self, features: Tensor) -> Tensor:
        """features [n, N, D] -> [n, N, 3]."""
        return torch.einsum("lnd,lcd->lnc", features.float(), self.weight) + self.bias[:, None]


@dataclass(frozen=True)
class Examples:
    """``features`` [n, N, D] normed streams, ``labels`` [n, N]."""

    features: Tensor
    labels: Tensor


@dataclass(frozen=True)
class StopReport:
    """What the stop of the last layer does at a threshold: shares of the wrong and of the right tokens that it ends."""

    threshold: float
    wrong_stopped: float
    right_stopped: float


def labels(guesses: Tensor, targets: Tensor) -> Tensor:
    """guesses [n, N] by layer, first to last; targets [N] -> labels [n, N]."""
    right = guesses == targets
    by_now = right.cumsum(0) > 0
    out = torch.where(by_now, EXIT, CONTINUE)
    return torch.where(by_now[-1], out, STOP)


@torch.inference_mode()
def examples(model: Transformer, tokenizer: CodeTokenizer, docs: Iterable[Document], limit: int) -> Examples:
    """About ``limit`` labelled tokens."""
    layers = (*model.config.exits, model.config.n_layers)
    features, marks, count = [], [], 0
    for doc in docs:
        for hidden, targets in windows(model, tokenizer, doc):
            normed = torch.stack([model.norm(hidden[layer]) for layer in layers])
            guesses = F.linear(normed, model.embed.weight).argmax(-1)
            features.append(normed.to(torch.bfloat16))
            marks.append(labels(guesses, targets))
            count += len(targets)
        if count >= limit:
            break
    return Examples(torch.cat(features, 1), torch.cat(marks, 1))


def train(data: Examples, layers: Sequence[int], epochs: int = 8, batch: int = 4096, seed: int = 0) -> Controller:
    """Cross-entropy over the three classes at every exit, the model untouched."""
    count, rows, width = data.features.shape
    generator = torch.Generator().manual_seed(seed)
    weight = nn.Parameter(torch.zeros(count, len(CLASSES), width))
    bias = nn.Parameter(torch.zeros(count, len(CLASSES)))
    optimizer = torch.optim.AdamW([weight, bias], lr=3e-3, weight_decay=1e-3)
    for epoch in range(epochs):
        for group in optimizer.param_groups:
            group["lr"] = 3e-3 * (1 - epoch / epochs)
        for chosen in torch.split(torch.randperm(rows, generator=generator), batch):
            logits = Controller(tuple(layers), weight, bias).logits(data.features[:, chosen])
            loss = F.cross_entropy(logits.flatten(0, 1), data.labels[:, chosen].flatten())
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return Controller(tuple(layers), weight.detach(), bias.detach())


def stop_threshold(controller: Controller, data: Examples, right_lost: float = 0.03) -> float:
    """The lowest stop probability of the last layer that ends at most ``right_lost`` of the right tokens."""
    stop = controller.logits(data.features)[-1].softmax(-1)[:, STOP]
    right = stop[data.labels[-1] != STOP]
    return float(torch.quantile(right[: 1 << 23], 1 - right_lost)) if len(right) else 1.0


def report(controller: Controller, data: Examples, threshold: float) -> StopReport:
    stop = controller.logits(data.features)[-1].softmax(-1)[:, STOP] > threshold
    wrong = data.labels[-1] == STOP
    return StopReport(threshold, float(stop[wrong].float().mean()), float(stop[~wrong].float().mean()))


def accuracy(controller: Controller, data: Examples) -> dict[int, float]:
    """Share of tokens whose class is guessed right, by layer."""
    guesses = controller.logits(data.features).argmax(-1)
    return {layer: float((guesses[i] == data.labels[i]).float().mean()) for i, layer in enumerate(controller.layers)}


def save(controller: Controller, folder: Path) -> None:
    """Write controller.safetensors under a temporary name, then rename."""
    partial = folder / (FILE + ".partial")
    save_file({"weight": controller.weight.contiguous(), "bias": controller.bias.contiguous()}, str(partial))
    partial.replace(folder / FILE)


def load(folder: Path) -> Controller:
    """What `save` wrote, with the layers of controller.json."""
    tensors = load_file(str(folder / FILE))
    layers = json.loads((folder / "controller.json").read_text(encoding="utf-8"))["layers"]
    return Controller(tuple(layers), tensors["weight"], tensors["bias"])
