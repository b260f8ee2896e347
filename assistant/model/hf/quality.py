"""What attention policies cost in quality: a checkpoint reads long code under each, and is held against itself reading all.

    python -m assistant.model.hf.quality --data FILE ... [--model DIR_OR_ID] [--length N] [--attention "A;B"] [--calibrated DIR]
        [--everywhere]

Perplexity where a policy looks away, definitions planted far up and called at the end, and the share of dense attention's
probability on what was looked at. Prints one JSON object on the last line of stdout, progress on stderr.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from assistant.model import checkpoint
from assistant.model.export import transformers_folder
from assistant.model.hf import heads
from assistant.model.hf.act_heads import nats
from assistant.model.hf.calibrate import found
from assistant.model.hf.engine import HubEngine
from assistant.model.hf.files import is_transformers
from assistant.model.hf.load import load
from assistant.model.hf.locate import locate
from assistant.model.hf.needles import Needle, needle, planted
from assistant.model.hf.plans import AttentionPlan
from assistant.model.hf.runner import HubRunner, HubSlot, Way
from assistant.model.hf.watching import Watching
from assistant.model.mixture import Floats
from assistant.types import EngineError
from kernels.policies.registry import CALIBRATED, FORGETTING, POLICIES

PASS = 256
"""Rows of a pass while a text is read."""
NEEDLES = 24
ROOM = 40
"""Tokens kept free behind the text for a question and its answer."""
MOST_LOST, LEAST_FOUND, LEAST_KEPT = 0.005, 0.98, 0.95
"""What the bench asks of a policy: perplexity, needles against dense, probability."""

ALL: Floats = np.ones((1, 1), np.float32)
"""What a layer keeps that looks away from nothing."""
Say = Callable[[str], None]


@dataclass
class Reading:
    """What one policy made of one text. ``nats`` [tokens - 1]; ``said`` the likeliest token at each token of each answer."""

    nats: Floats
    said: list[list[int]]
    acts_from: int | None
    kept: list[Floats] = field(default_factory=list)
    read: list[float] = field(default_factory=list)
    reading_s: float = 0.0
    step_ms: float = 0.0


class Haystack:
    """One text of ``length`` tokens with needles in it."""

    def __init__(self, engine: HubEngine, text: str, length: int, seed: int) -> None:
        chance = random.Random(seed)
        self.needles = [needle(chance) for _ in range(NEEDLES)]
        room = length - ROOM - len(engine.begin)
        self.ids = [*engine.begin, *self._fitted(engine, text, room, self.needles)]
        self.asked = [(engine.tokenizer.encode(one.asked), engine.tokenizer.encode(one.value)) for one in self.needles]

    @staticmethod
    def _fitted(engine: HubEngine, text: str, room: int, needles: Sequence[Needle]) -> list[int]:
        """As much of the text as fits with all needles in it."""
        share = min(len(text), 8 * room)
        while True:
            ids = engine.tokenizer.encode(planted(text[:share], needles))
            if len(ids) <= room:
                return ids
            share = int(share * room / len(ids)) - 8
            if share <= 0:
                raise EngineError(f"a text of {room} tokens has no room for {len(needles)} planted constants")


def read(runner: HubRunner, plan: AttentionPlan, hay: Haystack, most: int, say: Say) -> Reading:
    """Read the text in passes, then ask for each needle token by token, going back in between."""
    slot = HubSlot(plan, most, False)
    watched = [Watching(inner=layer.policy) for layer in slot.layers]
    for layer, policy in zip(slot.layers, watched, strict=True):
        layer.policy = policy
    costs: list[Floats] = []
    for start in range(0, len(hay.ids), PASS):
        piece = hay.ids[start : start + PASS]
        logits = runner.logits(piece, slot, bool, len(piece))
        slot.advance(piece)
        costs.append(nats(logits, hay.ids[start + 1 : start + PASS + 1]))
        say(f"{plan.text}: {slot.length} of {len(hay.ids)} tokens read")
    reading_s = sum(math.fsum(policy.seconds[False]) for policy in watched)
    for policy in watched:
        policy.noting = False
    said = [_ask(runner, slot, *one) for one in hay.asked]
    firsts = [policy.acts_from for policy in watched if policy.acts_from is not None]
    kept = [torch.cat(policy.kept, dim=1).numpy() if policy.kept else ALL for policy in watched] if firsts else []
    counts = [count for policy in watched for count in policy.read]
    steps = [math.fsum(calls) for calls in zip(*(policy.seconds[True] for policy in watched), strict=True)]
    return Reading(
        np.concatenate(costs), said, min(firsts, default=None), kept, counts, reading_s, 1e3 * statistics.median(steps)
    )


def _ask(runner: HubRunner, slot: HubSlot, asked: Sequence[int], value: Sequence[int]) -> list[int]:
    """The likeliest token in the place of each of ``value``, the ones before being right; the slot is as before."""
    length, ids = slot.length, [*asked, *value]
    likeliest = []
    for token in ids[:-1]:
        likeliest.append(int(runner.logits([token], slot, bool)[-1].argmax()))
        slot.advance([token])
    slot.truncate(length)
    return likeliest[len(asked) - 1 :]


def row(name: str, got: Sequence[Reading], dense: Sequence[Reading], hays: Sequence[Haystack]) -> dict[str, Any]:
    """One policy against dense on the same texts, judged where it looked away from anything."""
    starts = [one.acts_from for one in got]
    acts = any(start is not None for start in starts)
    mine, theirs = _behind(got, starts), _behind(dense, starts)
    right, dense_right = (_right(readings, hays) for readings in (got, dense))
    pairs = [(a, b) for one, other in zip(got, dense, strict=True) for a, b in zip(one.said, other.said, strict=True)]
    found: dict[str, Any] = {
        "policy": name,
        "acts_from": min((start for start in starts if start is not None), default=None),
        "tokens": len(mine),
        "perplexity": math.exp(mine.mean()) if acts else None,
        "dense_perplexity": math.exp(theirs.mean()) if acts else None,
        "change": math.expm1(mine.mean() - theirs.mean()) if acts else 0.0,
        "change_error": float((mine - theirs).std() / math.sqrt(len(mine))) if acts else 0.0,
        "needles": f"{right}/{len(pairs)}",
        "dense_needles": f"{dense_right}/{len(pairs)}",
        "needle_ratio": right / dense_right if dense_right else None,
        "same_answers": sum(a == b for a, b in pairs) / len(pairs),
        **_kept(got),
        "reading_ratio": sum(one.reading_s for one in dense) / max(1e-9, sum(one.reading_s for one in got)),
        "step_ms": statistics.median(one.step_ms for one in got),
        "step_ratio": statistics.median(one.step_ms for one in dense) / statistics.median(one.step_ms for one in got),
    }
    bad = failed(found) if acts else []
    lost = [demand for demand in bad if demand != "perplexity"] if name in FORGETTING else []
    return {**found, "failed": bad, "by_construction": lost}


def _behind(readings: Sequence[Reading], starts: Sequence[int | None]) -> Floats:
    """The nats of all tokens from where something was left out."""
    parts = [one.nats[start:] for one, start in zip(readings, starts, strict=True) if start is not None]
    return np.concatenate(parts) if parts else np.empty(0, np.float32)


def _kept(got: Sequence[Reading]) -> dict[str, Any]:
    kept = [layer for one in got for layer in one.kept]
    if not kept:
        return {"mass": 1.0, "worst_head": 1.0, "tokens_read": None}
    return {
        "mass": float(np.mean([layer.mean() for layer in kept])),
        "worst_head": float(min(layer.mean(axis=1).min() for layer in kept)),
        "tokens_read": statistics.fmean(count for one in got for count in one.read),
    }


def _right(readings: Sequence[Reading], hays: Sequence[Haystack]) -> int:
    """Needles whose every token was the likeliest one."""
    return sum(
        said == value
        for one, hay in zip(readings, hays, strict=True)
        for said, (_, value) in zip(one.said, hay.asked, strict=True)
    )


def failed(found: dict[str, Any]) -> list[str]:
    """Which of the three demands are not met, or not shown to be: where dense finds no needle, nobody can lose one."""
    bad = []
    if found["change"] > MOST_LOST:
        bad.append("perplexity")
    if found["needle_ratio"] is None or found["needle_ratio"] < LEAST_FOUND:
        bad.append("needle")
    if found["mass"] < LEAST_KEPT:
        bad.append("mass")
    return bad


@contextmanager
def for_transformers(folder: Path) -> Iterator[Path]:
    """``folder``, or where it holds a checkpoint of Sotto's, one that transformers loads, for as long as it is needed."""
    if is_transformers(folder):
        yield folder
        return
    with tempfile.TemporaryDirectory() as temporary:
        source = checkpoint.load(folder)
        yield transformers_folder.write(source, folder, Path(temporary) / source.name)


def measure(
    folder: Path, texts: Sequence[str], length: int, names: Sequence[str], calibrated: Path | None, say: Say, everywhere: bool
) -> dict[str, Any]:
    """All ``names`` on all texts; ``length`` 0 is the checkpoint's own. Raises `EngineError`.

    ``everywhere``: policies act from their budget on, also where this CPU makes them dense because that is faster.
    """
    engine, info = load(folder, lambda: None)
    runner = engine.hub_runner
    assert isinstance(runner, HubRunner)
    if runner.way is not Way.OURS:
        raise EngineError(f"`attention` can only be dense with this model: {runner.way.value}")
    length = length or engine.context
    known = {**heads.read(calibrated, info.sha256)}
    layers = len(runner._plan_of("dense").layers)
    plans = {}
    for name in dict.fromkeys(("dense", *names)):
        first = name.partition(",")[0]
        if first in CALIBRATED and first not in known:
            say(f"{first}: looking for the heads that retrieve")
            known[first] = found(engine, runner, first, say)[0]
        plan = AttentionPlan.read(name, layers, known)
        eager = tuple(replace(layer, options=(*layer.options, ("least", 0))) for layer in plan.layers)
        plans[name] = replace(plan, layers=eager) if everywhere else plan
    hays = [Haystack(engine, text, length, seed) for seed, text in enumerate(texts)]
    readings = {name: [read(runner, plan, hay, length, say) for hay in hays] for name, plan in plans.items()}
    rows = [row(name, readings[name], readings["dense"], hays) for name in names]
    return {"model": info.name, "length": max(len(hay.ids) for hay in hays), "texts": len(hays), "rows": rows}


def _split(paths: Sequence[Path], count: int) -> list[str]:
    """The files in ``count`` texts, as even as may be. Raises `EngineError`."""
    try:
        text = [path.read_text("utf-8") for path in paths]
    except (OSError, UnicodeDecodeError) as error:
        raise EngineError(f"the text cannot be read: {error}") from error
    joined = "\n".join(text)
    return [joined[i * len(joined) // count : (i + 1) * len(joined) // count] for i in range(count)]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m assistant.model.hf.quality", description="What attention policies cost.")
    parser.add_argument("--model", default="", metavar="DIR_OR_ID", help="empty: the one that comes with Sotto")
    parser.add_argument("--data", type=Path, nargs="+", required=True, metavar="FILE")
    parser.add_argument("--length", type=int, default=0, metavar="N")
    parser.add_argument("--texts", type=int, default=1, metavar="N")
    parser.add_argument(
        "--attention", default="", metavar="NAME;NAME", help="settings, between semicolons (default: each policy)"
    )
    parser.add_argument("--calibrated", type=Path, metavar="DIR")
    parser.add_argument("--everywhere", action="store_true")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    names = options.attention.split(";") if options.attention else [name for name in POLICIES if name != "dense"]
    try:
        texts = _split(options.data, options.texts)
        place = locate(options.model) if options.model else checkpoint.default_folder()
        with for_transformers(place) as folder:
            answer = measure(folder, texts, options.length, names, options.calibrated, _say, options.everywhere)
    except EngineError as error:
        answer = {"error": str(error)}
    sys.stdout.write(json.dumps(answer) + "\n")
    return 1 if "error" in answer else 0


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
