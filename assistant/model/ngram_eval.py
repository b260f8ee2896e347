"""Learn the gate of the mixture, and measure what the caches are worth in packages the model never saw.

    python -m assistant.model.ngram_eval learn --corpus DIR --watched DIR
    python -m assistant.model.ngram_eval measure --corpus DIR [--packages a,b] [--items N] [--json]

Knows corpora, walks through their text (`ngram_rows.py`) and tables. Never learns from what it measures: the gate comes from
files of training packages that the model did not see, the figures from the held-out packages.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import random
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from assistant.model import checkpoint
from assistant.model.caches import Hole
from assistant.model.engine import Engine
from assistant.model.mixture import FEATURES, SOURCES, Floats, Gate, Mixture, closed, features
from assistant.model.ngram_rows import Step, Walker, Workspace
from assistant.model.ngrams import NOTHING, NgramModel
from assistant.model.output import Output
from assistant.model.sampling import Sampler
from assistant.training import corpus, evaluate
from assistant.training.corpus import Document
from assistant.types import GenerateRequest, OpenFile

log = logging.getLogger("sotto.ngrams")

PACKAGES = ("httpx", "zarr", "h2", "websockets", "Werkzeug", "WTForms", "h5py", "hvac")
VARIANTS = {"model": (False, False), "+file": (False, True), "+workspace": (True, False), "+both": (True, True)}
HIDDEN = 24
LARGEST_PACKAGE = 6_000_000


@dataclass
class Rows:
    """What the gate learns from, one row a token: its features [F]; what the model and each source gave to the true token,
    and to all tokens that healing allowed, [1 + S] each; which of them have a say [1 + S].
    """

    features: list[Floats] = field(default_factory=list)
    given: list[list[float]] = field(default_factory=list)
    allowed: list[list[float]] = field(default_factory=list)
    present: list[list[bool]] = field(default_factory=list)

    def add(self, step: Step, end: int) -> None:
        matches = [closed(match, step.probs, end, step.closing) for match in step.matches]
        own = float(step.probs[step.true])
        reach = 1.0 if step.allowed is None else float(step.probs[step.allowed].sum())
        given, allowed = [own], [reach]
        for match in matches:
            kept = 1.0 - match.rest if step.allowed is None else float(match.probs[np.isin(match.ids, step.allowed)].sum())
            given.append(match.rest * own + float(match.probs[match.ids == step.true].sum()))
            allowed.append(match.rest * reach + kept)
        self.features.append(features(step.probs, matches, end))
        self.given.append(given)
        self.allowed.append(allowed)
        self.present.append([True, *map(bool, matches)])


def fit(rows: Rows, hidden: int = HIDDEN, passes: int = 12, seed: int = 0) -> Gate:
    """Maximise the likelihood of the true tokens under the mixture, by Adam on the gate alone."""
    torch.manual_seed(seed)
    inputs = torch.tensor(np.stack(rows.features))
    mean, scale = inputs.mean(0), inputs.std(0).clamp_min(0.01)
    inputs = (inputs - mean) / scale
    given, allowed, present = torch.tensor(rows.given), torch.tensor(rows.allowed), torch.tensor(rows.present)
    first, second = torch.nn.Linear(FEATURES, hidden), torch.nn.Linear(hidden, 1 + len(SOURCES))
    optimizer = torch.optim.AdamW([*first.parameters(), *second.parameters()], lr=3e-3, weight_decay=0.03)
    steps = passes * len(inputs) // 1024 + 1
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.02, steps)
    for _ in range(steps):
        at = torch.randint(0, len(inputs), (1024,))
        shares = second(first(inputs[at]).relu()).masked_fill(~present[at], -math.inf).softmax(1)
        likelihood = (shares * given[at]).sum(1).clamp_min(1e-9) / (shares * allowed[at]).sum(1).clamp_min(1e-9)
        optimizer.zero_grad()
        (-likelihood.log().mean()).backward()
        optimizer.step()
        schedule.step()
    weight, bias = first.weight.detach().double() / scale.double(), first.bias.detach().double()
    bias = bias - weight @ mean.double()
    arrays = weight.t(), bias, second.weight.detach().t(), second.bias.detach()
    return Gate(*(array.float().contiguous().numpy() for array in arrays))


class VariantEngine(Engine):
    """The engine with a hole that was chosen, whatever the request brings; tells tokens and passes of its last answer."""

    hole: Hole | None = None
    ids: Sequence[int] = ()
    passes = 0

    def _hole(self, file: OpenFile | None) -> Hole | None:
        return self.hole

    def _choose(
        self, sampler: Sampler, logits: Floats, hole: Hole | None, ids: Sequence[int], tail: bytes, ends: Sequence[int]
    ) -> tuple[int, float]:
        self.ids = ids
        return super()._choose(sampler, logits, hole, ids, tail, ends)

    def _draft(self, hole: Hole | None, ids: Sequence[int], request: GenerateRequest, output: Output) -> list[int]:
        self.passes += 1
        return super()._draft(hole, ids, request, output)


def bits(steps: Iterable[Step], mixture: Mixture, skip_end: bool) -> dict[str, float]:
    """Bits of the text under each variant; of a hole, without its end token."""
    total = dict.fromkeys(VARIANTS, 0.0)
    for step in steps:
        if skip_end and step.true == mixture.end:
            continue
        for name, used in VARIANTS.items():
            matches = [match if use else NOTHING for match, use in zip(step.matches, used, strict=True)]
            probs = mixture.mix(step.probs, matches, step.closing)
            reach = 1.0 if step.allowed is None else float(probs[step.allowed].sum())
            total[name] -= math.log2(float(probs[step.true]) / reach)
    return total


@dataclass(frozen=True)
class Completed:
    """A greedy rest of a line; the tokens decoded, and the passes after prefill that they took."""

    text: str
    tokens: int
    passes: int


def complete(
    engine: VariantEngine, walker: Walker, item: evaluate.Item, workspace: NgramModel, used: tuple[bool, bool]
) -> Completed:
    """Decode from the mixture of the model with the sources in use."""
    file, closing = walker.file(item.prefix, item.suffix)
    engine.passes = 0
    engine.hole = Hole(engine.caches.mixture, workspace if used[0] else None, file if used[1] else None, closing)
    request = GenerateRequest(evaluate.parts(item), evaluate.MAX_NEW_TOKENS, stop=("\n",), budget_ms=math.inf)
    chunks = list(engine.generate(request))
    tokens = len(engine.ids) - chunks[-1].prompt_tokens
    return Completed("".join(chunk.text for chunk in chunks), tokens, engine.passes)


def measure_package(
    walker: Walker, engine: VariantEngine, docs: Sequence[Document], files: int, items: int, tokens: int
) -> dict[str, dict[str, float]]:
    """Sums over some files of one package: bits and bytes of ``tokens`` of each, bits, bytes and exact matches at cursors."""
    workspace = Workspace(walker.tokenizer, walker.vocab_size, docs)
    sums: dict[str, dict[str, float]] = {name: defaultdict(float) for name in VARIANTS}
    suitable = [doc for doc in docs if 2_000 < len(doc.text) < 60_000]
    chosen = random.Random(1).sample(suitable, min(files, len(suitable)))
    for number, doc in enumerate(chosen):
        rng = random.Random(number)
        cursors = [item for i in range(items // len(chosen)) if (item := evaluate._cursor(doc, rng, i))]
        spelled = b"".join(walker.tokenizer.token_bytes[i] for i in walker.tokenizer.encode(doc.text)[:tokens])
        with workspace.without(doc) as others:
            text = bits(walker.document(others, doc, tokens), engine.caches.mixture, False)
            holes = [bits(walker.hole(others, item), engine.caches.mixture, True) for item in cursors]
            for name, used in VARIANTS.items():
                one = sums[name]
                one["text_bits"] += text[name]
                one["text_bytes"] += len(spelled)
                one["hole_bits"] += sum(hole[name] for hole in holes)
                one["hole_bytes"] += sum(len(item.target.encode()) for item in cursors)
                done = [complete(engine, walker, item, others, used) for item in cursors]
                one["exact"] += sum(d.text.rstrip() == c.target.rstrip() for d, c in zip(done, cursors, strict=True))
                one["items"] += len(cursors)
                one["tokens"] += sum(d.tokens for d in done)
                one["passes"] += sum(d.passes for d in done)
    return sums


def figures(sums: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """Bits a byte of running text and of holes, and exact matches in per cent, of each variant."""
    return {
        name: {
            "text_bpb": one["text_bits"] / max(1.0, one["text_bytes"]),
            "hole_bpb": one["hole_bits"] / max(1.0, one["hole_bytes"]),
            "exact_match": 100 * one["exact"] / max(1.0, one["items"]),
            "items": one["items"],
            "tokens_a_pass": one["tokens"] / max(1.0, one["passes"]),
        }
        for name, one in sums.items()
    }


def by_package(path: Path) -> dict[str, list[Document]]:
    packages: dict[str, list[Document]] = defaultdict(list)
    for doc in corpus.read(path):
        packages[doc.package].append(doc)
    return packages


def learn(options: argparse.Namespace) -> None:
    """Collect rows from the documents the training run watched but did not learn from, fit the gate, write it."""
    watched = set(json.loads((options.watched / "paths.json").read_text("utf-8")))
    loaded = checkpoint.load(options.model)
    walker, rows = Walker(loaded), Rows()
    packages = by_package(options.corpus / "train.jsonl")
    for package, docs in packages.items():
        chosen = [doc for doc in docs if doc.path in watched and len(doc.text) > 600]
        if not chosen or len(docs) < 5 or sum(len(doc.text) for doc in docs) > options.largest:
            continue
        workspace = Workspace(walker.tokenizer, walker.vocab_size, docs)
        for doc in chosen:
            rng = random.Random(doc.path)
            with workspace.without(doc) as others:
                steps = [walker.document(others, doc, options.tokens)]
                steps += [walker.hole(others, item) for i in range(options.items) if (item := evaluate._cursor(doc, rng, i))]
                for step in (step for walk in steps for step in walk):
                    rows.add(step, walker.end)
        log.info("%s: %d files, %d rows so far", package, len(docs), len(rows.features))
    if options.rows:
        with options.rows.open("wb") as file:
            np.savez_compressed(file, features=rows.features, given=rows.given, allowed=rows.allowed, present=rows.present)
    fit(rows).save(options.gate, {"rows": len(rows.features), "model": loaded.sha256})


def measure(options: argparse.Namespace) -> None:
    """Print the table, or with --json one object a package and their total."""
    loaded = checkpoint.load(options.model)
    walker, engine = Walker(loaded), VariantEngine(loaded)
    engine.caches.mixture = Mixture(Gate.load(options.gate), walker.end)
    packages = by_package(options.corpus / "held_out.jsonl")
    total: dict[str, dict[str, float]] = {name: defaultdict(float) for name in VARIANTS}
    results = {}
    for package in options.packages.split(","):
        sums = measure_package(walker, engine, packages[package], options.files, options.items, options.tokens)
        for name, one in sums.items():
            for key, value in one.items():
                total[name][key] += value
        results[package] = figures(sums)
        log.info("%s done", package)
    results["all"] = figures(total)
    sys.stdout.write((json.dumps(results, indent=1) if options.json else "\n".join(table(results))) + "\n")


def table(results: dict[str, dict[str, dict[str, float]]]) -> Iterator[str]:
    """Lines: a package each, its figures under each variant."""
    kinds = {
        "text_bpb": "bits/byte, running text",
        "hole_bpb": "bits/byte, rest of a line",
        "exact_match": "exact match %",
        "tokens_a_pass": "tokens a pass, with drafts",
    }
    for kind, title in kinds.items():
        yield f"{title:28}" + "".join(f"{name:>12}" for name in VARIANTS) + "      change"
        for package, variants in results.items():
            numbers = [variants[name][kind] for name in VARIANTS]
            relative = f"{numbers[-1] / max(1e-9, numbers[0]) - 1:+.1%}"
            change = f"{numbers[-1] - numbers[0]:+.1f}" if kind == "exact_match" else relative
            yield f"  {package:26}" + "".join(f"{number:12.3f}" for number in numbers) + f"{change:>12}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="assistant.model.ngram_eval", description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("what", choices=("learn", "measure"))
    parser.add_argument("--corpus", type=Path, required=True, help="folder of train.jsonl and held_out.jsonl")
    parser.add_argument("--watched", type=Path, help="learn: folder of paths.json, the documents kept out of training")
    parser.add_argument("--model", type=Path, default=checkpoint.default_folder())
    parser.add_argument("--gate", type=Path, default=Path(__file__).with_name("mixture.json"))
    parser.add_argument("--rows", type=Path, help="learn: also keep the rows, as .npz")
    parser.add_argument("--packages", default=",".join(PACKAGES), help="measure: held-out packages")
    parser.add_argument("--files", type=int, default=6, help="measure: files of each package")
    parser.add_argument("--items", type=int, default=60, help="cursors: measure, of each package; learn, of each file")
    parser.add_argument("--tokens", type=int, default=1200, help="tokens from the top of each file as running text")
    parser.add_argument("--largest", type=int, default=LARGEST_PACKAGE, help="learn: characters of the largest package used")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(1)
    if options.what == "learn" and options.watched is None:
        parser.error("learn needs --watched")
    (learn if options.what == "learn" else measure)(options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
