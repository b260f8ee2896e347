"""Find the heads of a checkpoint that retrieve, from random tokens alone: by scores (RazorAttention, arXiv 2407.15891, section
3.2), for duo by trained gates (`gates`) where that is a matter of minutes; for act those that are better calmed (`act_heads`).
With ``--stop`` how sure the checkpoint may call itself (`stop`).

    python -m assistant.model.hf.calibrate --model DIR_OR_ID --attention razor|--stop --out DIR [--path CODE]

A segment of random tokens stands four times in a row. A head that looks from a token to what followed it the last time carries
things over long distances; it must see everything, the others a sink and a window. Prints one JSON object on the last line.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from assistant.model.hf import act_heads, gates, heads, stop
from assistant.model.hf.engine import HubEngine
from assistant.model.hf.files import is_transformers
from assistant.model.hf.load import load
from assistant.model.hf.locate import locate
from assistant.model.hf.runner import HubRunner, HubSlot, Way
from assistant.model.hf.watching import as_logits
from assistant.model.race import places
from assistant.types import EngineError
from kernels.attention.spec import Answer
from kernels.policies.base import Policy, Problem

REPEATS, SEGMENT = 4, 512
MOST_SHARE, SHARE = 0.5, 0.14
"""Where each query head has keys of its own, 14 % retrieve; keys that a group shares are wanted by any of it."""
ECHO = 0.01
"""Of all heads, those that look most at the same token itself are kept as well."""
DUO_SHARE = 0.5


@dataclass
class Watched(Policy):
    """Dense attention that notes how much each query head looks ``segment`` - 1 and ``segment`` tokens back."""

    segment: int = SEGMENT
    name: str = field(default="watched", init=False)
    induction: Tensor | None = field(default=None, init=False)
    echo: Tensor | None = field(default=None, init=False)

    def attend(self, problem: Problem, prefer: str = "") -> Answer:
        found = super().attend(problem, prefer)
        self.induction = _added(self.induction, self._mass(problem, found.lse, self.segment - 1))
        self.echo = _added(self.echo, self._mass(problem, found.lse, self.segment))
        return found

    def _mass(self, problem: Problem, lse: Tensor, back: int) -> Tensor:
        """[H] the sum, over the rows of later segments, of the weight of the key ``back`` positions before a row."""
        rows = problem.rows()
        later = rows >= self.segment
        group = problem.q.shape[0] // problem.k.shape[0]
        keys = problem.k[:, rows[later] - back].repeat_interleave(group, dim=0).float()
        logits = as_logits((problem.q[:, later].float() * keys).sum(dim=2), problem)
        return torch.exp(logits - lse[:, later]).sum(dim=1).cpu()


def _added(sum_: Tensor | None, more: Tensor) -> Tensor:
    return more if sum_ is None else sum_ + more


def scores(engine: HubEngine, runner: HubRunner, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Induction and echo [layers, KV heads], the greatest of each group, between 0 and 1. Raises `EngineError`."""
    if runner.way is not Way.OURS:
        raise EngineError(f"this model's attention cannot be watched: {runner.way.value}")
    slot = runner.context("dense")
    assert isinstance(slot, HubSlot)
    segment = min(SEGMENT, engine.context // REPEATS)
    watched = [Watched(segment=segment) for _ in slot.layers]
    for layer, policy in zip(slot.layers, watched, strict=True):
        layer.policy = policy
    plain = torch.tensor([i for i, spelled in enumerate(engine.tokenizer.token_bytes) if spelled])
    chosen = torch.randint(len(plain), (segment,), generator=torch.Generator().manual_seed(seed))
    ids = plain[chosen].tolist() * REPEATS
    for start in range(0, len(ids), runner.chunk):
        piece = ids[start : start + runner.chunk]
        runner.logits(piece, slot, bool)
        slot.advance(piece)
    rows = segment * (REPEATS - 1)
    shared = slot.layers[0].shared
    found = [torch.stack([getattr(policy, kind) / rows for policy in watched]) for kind in ("induction", "echo")]
    induction, echo = (kind.view(len(watched), shared, -1).amax(dim=2) for kind in found)
    return induction, echo


def retrieving(strength: Tensor, echo: Tensor | None, share: float) -> list[list[bool]]:
    """The ``share`` of heads with the greatest ``strength``, and `ECHO` of them with the greatest echo, as flags."""
    full = torch.zeros(strength.numel(), dtype=torch.bool)
    full[strength.flatten().topk(max(1, math.ceil(share * full.numel()))).indices] = True
    if echo is not None:
        full[echo.flatten().topk(max(1, math.ceil(ECHO * full.numel()))).indices] = True
    flags: list[list[bool]] = full.view(strength.shape).tolist()
    return flags


def found(
    engine: HubEngine, runner: HubRunner, policy: str, say: Callable[[str], None] = lambda text: None
) -> tuple[list[list[bool]], dict[str, Any]]:
    """Flags of the key heads that must see everything under ``policy``, and how they were found. Raises `EngineError`.

    Gates are trained for ``duo`` where the model's device does it in reasonable time; else scores decide.
    """
    induction, echo = scores(engine, runner)
    told: dict[str, Any] = {"keyHeads": induction.numel(), "strongest": round(float(induction.max()), 4), "by": "scores"}
    length, steps = gates.plan(engine, runner)
    if policy == "duo" and gates.affordable(runner, length, steps):
        trained = gates.optimise(engine, runner, length, steps, say)
        told |= {"by": "gates", "loss": [round(trained.losses[0], 4), round(trained.losses[-1], 4)]}
        told["gates"] = [[round(gate, 3) for gate in layer] for layer in trained.gates.tolist()]
        strength = trained.gates + 1e-3 * induction  # among gates that are all shut the scores decide
        return retrieving(strength, None, _share(runner, policy)), told
    if policy == "duo":
        told["why"] = f"{steps} steps of training gates would take hours here: a GPU does it in minutes"
    return retrieving(induction, echo, _share(runner, policy)), told


def _share(runner: HubRunner, policy: str) -> float:
    """The share of key heads that retrieve."""
    shape = runner.model.config.get_text_config(decoder=True)
    shared = getattr(shape, "num_key_value_heads", None) or shape.num_attention_heads
    return DUO_SHARE if policy == "duo" else min(MOST_SHARE, SHARE * shape.num_attention_heads / shared)


def calmed(engine: HubEngine, runner: HubRunner, code: Path, say: Callable[[str], None]) -> act_heads.Found:
    """The heads that are better calmed, by the Python files in ``code``. Raises `EngineError`."""
    layers, shared = act_heads.shape(runner)
    count, length = act_heads.affordable(engine, runner, layers * shared), act_heads.length(engine)
    begin = engine.begin
    texts = places.stretches(places.read(code), engine.tokenizer, length - len(begin), count)
    return act_heads.search(runner, [[*begin, *text] for text in texts], say)


def calibrate(
    folder: Path, policy: str, out: Path, say: Callable[[str], None] = lambda text: None, code: Path = Path()
) -> dict[str, Any]:
    """Find the heads for ``policy`` and keep them in ``out``; what was found, for the user. Raises `EngineError`."""
    if not is_transformers(folder):
        named = folder if folder != Path() else "Sotto's own model"
        raise EngineError(
            f"only a checkpoint that transformers loads has an `attention` to calibrate, and {named} is none; name one with"
            " --model DIR_OR_ID"
        )
    engine, info = load(folder, lambda: None)
    runner = engine.hub_runner
    assert isinstance(runner, HubRunner)
    if policy == "act":
        best = calmed(engine, runner, code, say)
        path = heads.write(out, info.sha256, info.name, policy, best.flags)
        told: dict[str, Any] = {"keyHeads": sum(map(len, best.flags)), "chosen": best.chosen}
        told["perplexity"] = [round(value, 4) for value in best.judged]
        told["alone"] = [[round(saved, 5) for saved in layer] for layer in best.alone]
        return {"model": info.name, "attention": policy, "calmed": sum(map(sum, best.flags)), "file": str(path), **told}
    flags, told = found(engine, runner, policy, say)
    path = heads.write(out, info.sha256, info.name, policy, flags)
    full = sum(flag for layer in flags for flag in layer)
    return {"model": info.name, "attention": policy, "retrieving": full, "file": str(path), **told}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="assistant.model.hf.calibrate", description=__doc__)
    parser.add_argument("--model", required=True)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--attention", choices=("duo", "razor", "act"))
    what.add_argument("--stop", action="store_true", help="the temperature at which probabilities mean what they say")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--path", type=Path, default=Path(), help="Python code to try heads or cursors on (default: here)")
    parser.add_argument("--cursors", type=int, default=300)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args(arguments)
    try:
        folder = locate(options.model)
        if options.stop:
            answer = stop.calibrate(folder, options.out, options.path, options.cursors, options.check, _say)
        else:
            answer = calibrate(folder, options.attention, options.out, _say, options.path)
        code = 0
    except EngineError as error:
        answer, code = {"error": str(error)}, 1
    sys.stdout.write(json.dumps(answer) + "\n")
    return code


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
