"""The training loop: rows in, checkpoints out; stops and resumes at any step with the same result as an unbroken run.

Knows the model, the optimizers, rows and files of its own run folder. Does not know where the text came from.
"""

from __future__ import annotations

import logging
import math
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assistant.model.config import ModelConfig
from assistant.model.transformer import Block, Transformer
from assistant.training import progress
from assistant.training.edit_examples import wanted
from assistant.training.fused_loss import head_loss
from assistant.training.muon import Muon
from assistant.training.progress import Progress, Report
from assistant.training.rows import Rows
from assistant.training.schedule import Schedule
from kernels.attention.cpu import attention

STATE, STABLE = "state.pt", "stable.pt"
ANSWER_WEIGHT = 3.0  # an edit's place and text are a fifth of its example: they count more than the code around them
log = logging.getLogger(__name__)


class CheckpointError(ValueError):
    """A checkpoint of another shape, or one that cannot be read."""


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the result of a run, beside the corpus."""

    tokens: int
    batch_tokens: int = 8192
    micro_tokens: int = 2048
    length: int = 512
    long_length: int = 1024  # for the decay: the context must work at inference lengths
    matrix_rate: float = 0.02
    embed_rate: float = 4e-3
    norm_rate: float = 4e-3
    clip: float = 1.0
    exits: bool = True
    first_exit_turns: int = 2  # of the rotation over the exits: the first one is furthest from the last layer
    exit_truth: float = 0.5  # of the exits' loss; the rest is the last layer's distribution
    fim: float = 0.5
    edits: float = 0.0  # share of the tokens in the edit format
    edits_from: int = 0  # tokens at which they begin
    seed: int = 1
    device: str = "cpu"
    compile: bool = True
    save_seconds: float = 240.0


def initialise(model: Transformer, seed: int) -> None:
    """Normal weights of standard deviation 0.02, output projections zero: every block starts as the identity."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(("attention.out.weight", "mlp.down.weight")):
                parameter.zero_()
            elif parameter.dim() > 1:
                width = 0.02 if name.startswith("embed") else parameter.shape[1] ** -0.5
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * width)


def optimizers(model: Transformer, recipe: Recipe) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the blocks, AdamW for the embedding and the norms; each group remembers its base rate."""
    config, blocks = model.config, [b for b in model.blocks if isinstance(b, Block)]
    head = config.head_dim
    muon = Muon(
        [
            {
                "params": [b.attention.qkv.weight for b in blocks],
                "rows": [config.n_heads * head, *[config.n_kv_heads * head] * 2],
            },
            {"params": [b.mlp.gate_up.weight for b in blocks], "rows": [config.d_ff] * 2},
            {"params": [w for b in blocks for w in (b.attention.out.weight, b.mlp.down.weight)]},
        ],
        lr=recipe.matrix_rate,
    )
    norms = [p for p in model.parameters() if p.dim() == 1]
    adam = torch.optim.AdamW(
        [{"params": [model.embed.weight], "lr": recipe.embed_rate}, {"params": norms, "lr": recipe.norm_rate}],
        betas=(0.9, 0.95),
        eps=1e-10,
        weight_decay=0.0,
    )
    for optimizer in (muon, adam):
        for group in optimizer.param_groups:
            group["base"] = group["lr"]
    return [muon, adam]


class Trainer:
    """One run in ``folder``. `step` is one update; `train` loops until the schedule ends or `stop` is asked for."""

    def __init__(
        self, config: ModelConfig, recipe: Recipe, rows: Rows, folder: Path, report: Report = progress.log_line
    ) -> None:
        self.config, self.recipe, self.rows, self.folder, self.report = config, recipe, rows, folder, report
        self.model = Transformer(config)
        initialise(self.model, recipe.seed)
        self.model.to(recipe.device)
        self.optimizers = optimizers(self.model, recipe)
        self.schedule = Schedule.of(recipe.tokens)
        self.tokens = self.steps = 0
        self.flops = 0.0
        self.stop = False
        if recipe.compile:
            for block in self.model.blocks:
                block.compile(dynamic=False)

    @property
    def finished(self) -> bool:
        return self.tokens >= self.schedule.total

    def hidden(self, tokens: Tensor, exit_layer: int | None) -> tuple[Tensor, Tensor | None]:
        """The last residual stream [B, T, D] and the exit's."""
        model, length = self.model, tokens.shape[1]
        cos, sin = model.cos[:length], model.sin[:length]
        x, kept = model.embed(tokens), None
        for depth, block in enumerate(model.blocks, start=1):
            x = block(x, cos, sin, attention)
            if depth == exit_layer:
                kept = x
        return x, kept

    def loss(self, batch: Tensor, exit_layer: int | None, quarter: int) -> tuple[Tensor, Tensor]:
        """Loss of rows [B, T + 1]; the exit learns on a quarter of the positions."""
        inputs, targets, counts = wanted(batch, ANSWER_WEIGHT)
        with torch.autocast(self.recipe.device.split(":")[0], dtype=torch.bfloat16):
            last, kept = self.hidden(inputs, exit_layer)
            flat = self.model.norm(last).flatten(0, 1).to(torch.bfloat16)
            share = flat.shape[0] // 4
            early = None
            if kept is not None:
                early = self.model.norm(kept.flatten(0, 1)[quarter * share : (quarter + 1) * share]).to(torch.bfloat16)
        weight = self.schedule.exit_weight(self.tokens)
        scales = counts.flatten() if self.rows.edit_share else None
        return head_loss(
            flat,
            self.model.embed.weight,
            targets.flatten(),
            early,
            quarter * share,
            weight,
            scales,
            self.recipe.exit_truth,
        )

    def step(self) -> tuple[float, float]:
        """One update over a batch; returns the mean losses (last layer, exit) in nats a token."""
        recipe = self.recipe
        self._apply_schedule()
        count = max(1, recipe.micro_tokens // self.rows.length)
        micros = max(1, recipe.batch_tokens // (count * self.rows.length))
        exits = (*self.config.exits[:1] * (recipe.first_exit_turns - 1), *self.config.exits) if recipe.exits else ()
        exit_layer = exits[self.steps % len(exits)] if exits else None
        total = early = 0.0
        for micro in range(micros):
            batch = torch.from_numpy(self.rows.next(count).astype(np.int64)).to(recipe.device)
            loss, exit_loss = self.loss(batch, exit_layer, (self.steps + micro) % 4)
            (loss / micros).backward()  # type: ignore[no-untyped-call]
            total += loss.item() / micros
            early += exit_loss.item() / micros
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), recipe.clip)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        seen = micros * count * self.rows.length
        self.tokens += seen
        self.flops += seen * self.config.flops_per_token(self.rows.length)
        self.steps += 1
        return total, early

    def _apply_schedule(self) -> None:
        if self.tokens >= self.schedule.decay_start:
            if self.rows.length != self.recipe.long_length:
                save_atomically(self.state(), self.folder / STABLE)  # from here a longer run could go on
            self.rows.set_length(self.recipe.long_length)
        self.rows.set_edits(self.recipe.edits if self.tokens >= self.recipe.edits_from else 0.0)
        rate = self.schedule.rate(self.tokens)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["base"] * rate

    def train(self, dev: NDArray[np.uint16] | None = None, until: float = math.inf) -> None:
        """Run until the schedule ends, SIGTERM, SIGINT or the clock's ``until``; a file ``finish`` starts the decay at once."""
        with self._stopping_on_signals():
            self._loop(dev, until)
        self.save()
        if dev is not None:
            log.info("end: dev loss %.4f at %.2fM tokens, %.3e FLOP", self.evaluate(dev), self.tokens / 1e6, self.flops)

    def _loop(self, dev: NDArray[np.uint16] | None, until: float) -> None:
        saved, began, before = time.monotonic(), time.monotonic(), self.tokens
        smooth = 0.0
        while not (self.finished or self.stop or time.monotonic() > until):
            loss, early = self.step()
            if not math.isfinite(loss):
                raise CheckpointError(
                    f"the loss is {loss} at step {self.steps}; resume from the last checkpoint with lower rates"
                )
            smooth = loss if not smooth else 0.95 * smooth + 0.05 * loss
            self._finish_early()
            now = time.monotonic()
            if self.steps % 20 == 0:
                speed = (self.tokens - before) / (now - began)
                self.report(self._progress(smooth, early, speed))
                began, before = now, self.tokens
            if now - saved > self.recipe.save_seconds:
                self.save()
                if dev is not None:
                    log.info("dev loss %.4f at %.2fM tokens", self.evaluate(dev), self.tokens / 1e6)
                saved = began = time.monotonic()
                before = self.tokens

    def _progress(self, loss: float, exit_loss: float, speed: float) -> Progress:
        rate = self.schedule.rate(self.tokens)
        return Progress(
            "pretrain", self.tokens, self.schedule.total, self.steps, loss, exit_loss, rate, speed, flops=self.flops
        )

    @torch.no_grad()
    def evaluate(self, dev: NDArray[np.uint16]) -> float:
        """Mean loss in nats a token over rows [N, T + 1] that never enter training."""
        losses = []
        for low in range(0, len(dev), 4):
            batch = torch.from_numpy(dev[low : low + 4].astype(np.int64)).to(self.recipe.device)
            losses.append(self.loss(batch, None, 0)[0].item())
        return float(np.mean(losses))

    def _finish_early(self) -> None:
        wish = self.folder / "finish"
        if not wish.exists():
            return
        text = wish.read_text(encoding="utf-8").strip()
        wish.unlink()  # or it would end the run that extends this one
        self.schedule = self.schedule.finishing(self.tokens, int(float(text)) if text else None)
        began, ends = self.schedule.decay_start / 1e6, self.schedule.total / 1e6
        log.info("asked to finish: the decay began at %.2fM and ends at %.2fM tokens", began, ends)

    @contextmanager
    def _stopping_on_signals(self) -> Iterator[None]:
        """SIGTERM and SIGINT end the run after the step in progress."""

        def ask_to_stop(_number: int, _frame: FrameType | None) -> None:
            self.stop = True

        before = {number: signal.signal(number, ask_to_stop) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def state(self) -> dict[str, Any]:
        return {
            "config": self.config.to_json(),
            "model": self.model.state_dict(),
            "optimizers": [o.state_dict() for o in self.optimizers],
            "rows": self.rows.state(),
            "schedule": asdict(self.schedule),
            "tokens": self.tokens,
            "steps": self.steps,
            "flops": self.flops,
        }

    def save(self) -> None:
        """Write the whole state under a temporary name, then rename: the last good checkpoint survives any failure."""
        save_atomically(self.state(), self.folder / STATE)

    def _load(self, path: Path) -> dict[str, Any]:
        try:
            state: dict[str, Any] = torch.load(path, map_location=self.recipe.device, weights_only=True)
        except Exception as error:
            reason = str(error).partition(".")[0]  # torch goes on about pickle for a paragraph
            raise CheckpointError(f"{path} cannot be read ({reason}); delete it to start again") from error
        return state

    def resume(self) -> bool:
        """Continue from the folder's checkpoint; False where there is none. A longer recipe extends a finished run."""
        path = self.folder / STATE
        if not path.exists():
            return False
        state = self._load(path)
        schedule = Schedule(**{**state["schedule"], "exit_weights": tuple(state["schedule"]["exit_weights"])})
        if self.recipe.tokens > schedule.total:
            # More tokens than the run was planned for: its decay is undone, the stable part goes on.
            if state["tokens"] > schedule.decay_start and (self.folder / STABLE).exists():
                path = self.folder / STABLE
                state = self._load(path)
            schedule = replace(Schedule.of(self.recipe.tokens), warmup=schedule.warmup)
        if ModelConfig.from_json(state["config"]) != self.config:
            raise CheckpointError(f"{path} holds another shape ({state['config']}); choose another --out or delete it")
        self.model.load_state_dict(state["model"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.rows.restore(state["rows"])
        self.schedule = schedule
        self.tokens, self.steps, self.flops = state["tokens"], state["steps"], state["flops"]
        return True


def save_atomically(state: dict[str, Any], path: Path) -> None:
    """torch.save ``state`` to ``path``; on failure ``path`` keeps what it held and no partial file stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
