"""A toy with a long memory, made from a Sotto checkpoint in two minutes: to measure attention policies beyond its own window.

    python -m assistant.training.stretch --out DIR [--model DIR] [--steps N]

Short rows stand for long ones: each is cut in parts that are moved apart over the whole length (PoSE, arXiv 2309.10400), with a
slower rotation. The text is the standard library's, with small definitions planted early and called late. Writes a folder that
transformers loads, once for a checkpoint, inside DIR. Prints one JSON object on the last line of stdout, progress on stderr.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import random
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from assistant.model import checkpoint, saving
from assistant.model.export import transformers_folder
from assistant.model.hf.needles import needle
from assistant.model.rope import rope_tables
from assistant.model.tokenizer import CodeTokenizer
from assistant.model.transformer import Block, Transformer
from assistant.training.sources import standard_library
from assistant.training.tokenizer import SPECIAL_TOKENS
from assistant.types import EngineError

LENGTH = 32768
THETA = 1_600_000.0
"""The base of the rotation. 400,000 makes the slowest as slow at 32,768 positions as 10,000 makes them at 1,024 (NTK-aware
scaling), but the first layer's heads, which look at their neighbours, then met about the same angles again 17,000 keys back
and spent four fifths of their attention there; four times that moves it behind `LENGTH`.
"""
SHARPER = (0.1 * math.log(32) + 1) ** 2
"""Queries are longer by this, for a softmax over 32 times the keys is flatter (YaRN, arXiv 2309.00071, section 3.4)."""
ROW, BATCH, RATE, PARTS = 1024, 4, 1e-3, 4
STEPS = 200
NEEDLES, ASKED_WEIGHT = 16, 3.0
"""Definitions planted in a row; how much more than other text what repeats them weighs in the loss."""
TOKENS_OF_A_NEEDLE = 38
"""A definition and a call: so much less text has room in a row."""
NEAR = 64
"""Keys no further back than this are as many as they are."""
PLAIN, DEFINED = 1.0, 1.001
"""Weights in the loss of plain text and of definitions; they also tell the two apart."""
LONG_ROW, LONG_EVERY = 4096, 4
"""Every fourth step reads one row four times as long: a softmax over more keys is flatter."""
FILES = 400


def texts() -> list[str]:
    """The standard library's files, in a fixed random order."""
    files = sorted(standard_library(), key=lambda file: file.path)
    random.Random(0).shuffle(files)
    return [file.data.decode("utf-8", "replace") for file in files[:FILES]]


class Rows:
    """Rows of text with definitions and calls in them, drawn from a seed."""

    def __init__(self, tokenizer: CodeTokenizer, files: Sequence[str], seed: int) -> None:
        self._encode = tokenizer.encode
        self._files = files
        self._chance = random.Random(seed)

    def draw(self, length: int, needles: int) -> tuple[Tensor, Tensor]:
        """Tokens [length + 1], and the weight of each as something to predict."""
        chance = self._chance
        lines = self._lines(length - TOKENS_OF_A_NEEDLE * needles)
        events = []
        for _ in range(needles):
            one = needle(chance)
            early, late = sorted(chance.random() for _ in range(2))
            events += [(early, one.line, ""), (late, one.asked, one.value)]
        ids: list[int] = []
        weights: list[float] = []
        at = 0
        for place, plain, value in sorted(events):
            until = max(at, int(place * len(lines)))
            self._put("".join(lines[at:until]), PLAIN, ids, weights)
            self._put(plain, DEFINED, ids, weights)
            self._put(value, ASKED_WEIGHT, ids, weights)
            self._put("\n" if value else "", PLAIN, ids, weights)
            at = until
        self._put("".join(lines[at:]), PLAIN, ids, weights)
        while len(ids) <= length:
            self._put(chance.choice(self._files)[:2000], PLAIN, ids, weights)
        return torch.tensor(ids[: length + 1]), torch.tensor(weights[: length + 1])

    def _lines(self, length: int) -> list[str]:
        """Whole lines that are about as long as the row, from some place of some files."""
        text = ""
        while len(text) < 3 * length:
            file = self._chance.choice(self._files)
            start = self._chance.randrange(max(1, len(file) - 3 * length))
            text += file[start : start + 3 * length].partition("\n")[2] + "\n"
        return text.splitlines(keepends=True)

    def _put(self, text: str, weight: float, ids: list[int], weights: list[float]) -> None:
        more = self._encode(text) if text else []
        ids += more
        weights += [weight] * len(more)

    def places(self, length: int) -> Tensor:
        """Positions of a row: its parts in order, moved apart at random so that the last may end anywhere up to `LENGTH`."""
        chance = self._chance
        cuts = sorted(chance.randrange(1, length) for _ in range(PARTS - 1))
        room = int((LENGTH - length) * chance.random())
        gaps = sorted(chance.randint(0, room) for _ in range(PARTS - 1))
        moved = torch.zeros(length, dtype=torch.int64)
        for cut, gap in zip(cuts, gaps, strict=True):
            moved[cut:] = gap
        return torch.arange(length) + moved

    def crowd(self, places: Tensor, weights: Tensor) -> Tensor:
        """What is added to the logits of attention [T, T]: causal, and a far key of plain text counts for many.

        In a long text it would be that many: a model that never met them loses what it looks for among them. A definition
        that somebody asks for stands alone.
        """
        most = max(1.0, LENGTH / len(places))
        many = math.log(most) * self._chance.random()
        far = (places[:, None] - places[None, :] > NEAR) & (weights == PLAIN)
        added = torch.where(far, many, 0.0)
        return added.masked_fill(places[:, None] < places[None, :], -math.inf)


def learn(model: Transformer, rows: Rows, steps: int, say: Callable[[str], None]) -> list[float]:
    """Train in place; the losses."""
    tables = [torch.from_numpy(table) for table in rope_tables(model.config, LENGTH)]
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, betas=(0.9, 0.95), weight_decay=0.0)
    losses = []
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = RATE * min(1.0, (step + 1) / 10, (steps - step) / (0.5 * steps))
        long = step % LONG_EVERY == LONG_EVERY - 1
        count, length = (1, LONG_ROW) if long else (BATCH, ROW)
        losses.append(_step(model, rows, tables, count, length))
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        say(f"stretching the model: step {step + 1} of {steps}, loss {losses[-1]:.2f}")
    return losses


def _step(model: Transformer, rows: Rows, tables: Sequence[Tensor], count: int, length: int) -> float:
    """Gradients of one step; its mean loss in nats a token."""
    total = 0.0
    for _ in range(count):
        tokens, weights = rows.draw(length, NEEDLES * length // ROW)
        places = rows.places(length)
        crowd = rows.crowd(places, weights[:-1])
        with torch.autocast("cpu", torch.bfloat16, enabled=bool(torch.cpu._is_avx512_bf16_supported())):
            logits = _forward(model, tokens[:-1], [table[places] for table in tables], crowd)
        loss = F.cross_entropy(logits.float(), tokens[1:], reduction="none")
        mean: Tensor = (loss * weights[1:]).sum() / weights[1:].sum() / count
        mean.backward()  # type: ignore[no-untyped-call]
        total += float(mean.detach())
    return total


def kept(out: Path, folder: Path, steps: int, say: Callable[[str], None]) -> Path:
    """The stretched checkpoint of ``folder`` inside ``out``, made if it is not there. Raises `EngineError`."""
    digest = hashlib.sha256((folder / checkpoint.CONFIG).read_bytes() + Path(__file__).read_bytes()).hexdigest()
    place = out / f"stretched-{digest[:12]}-{steps}"
    if not (place / checkpoint.CONFIG).is_file():
        place.parent.mkdir(parents=True, exist_ok=True)
        make(place, folder, steps, say)
    return place


def _forward(model: Transformer, tokens: Tensor, tables: Sequence[Tensor], crowd: Tensor) -> Tensor:
    """Logits [T, V] where ``crowd`` [T, T] is added to attention's."""

    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        group = q.shape[-3] // k.shape[-3]
        keys, values = (x.repeat_interleave(group, dim=-3) for x in (k, v))
        return F.scaled_dot_product_attention(q, keys, values, crowd.to(q.dtype))

    x = model.embed(tokens[None])
    for block in model.blocks:
        x = block(x, *tables, attend)
    return model.logits(x)[0]


@torch.no_grad()
def sharpen(model: Transformer, factor: float) -> None:
    """Multiply the logits of attention by ``factor``, in the weights: the gain of the queries' norm, or what makes queries."""
    for block in model.blocks:
        attention = cast(Block, block).attention
        queries = attention.split[0] * attention.head_dim
        (attention.qkv.weight[:queries] if attention.q_norm is None else attention.q_norm.weight).mul_(factor)


def make(out: Path, folder: Path, steps: int, say: Callable[[str], None]) -> list[float]:
    """Stretch the checkpoint in ``folder`` and write it to ``out`` for transformers; the losses. Raises `EngineError`."""
    source = checkpoint.load(folder)
    torch.manual_seed(0)
    model = Transformer(replace(source.config, context=LENGTH, rope_theta=THETA, exits=()))
    model.load_state_dict(source.transformer().state_dict())
    sharpen(model, SHARPER)
    losses = learn(model.train(), Rows(source.tokenizer, texts(), 1), steps, say)
    with tempfile.TemporaryDirectory() as temporary:
        whole = Path(temporary) / "stretched"
        saving.save(
            whole, model, folder / checkpoint.TOKENIZER, name="stretched", special_tokens=SPECIAL_TOKENS, quantization="none"
        )
        transformers_folder.write(checkpoint.load(whole), whole, out, force=True)
    return losses


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m assistant.training.stretch", description="Stretch a checkpoint's context.")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--model", default="", metavar="DIR", help="a Sotto checkpoint (default: the one that comes with it)")
    parser.add_argument("--steps", type=int, default=STEPS)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    folder = Path(options.model).expanduser() if options.model else checkpoint.default_folder()
    try:
        place = kept(options.out, folder, options.steps, _say)
    except (EngineError, OSError) as error:
        sys.stdout.write(json.dumps({"error": str(error)}) + "\n")
        return 1
    sys.stdout.write(json.dumps({"model": str(place)}) + "\n")
    return 0


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
