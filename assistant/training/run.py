"""Every stage from package manifest to model card, each resumable: what `sotto train` and `python -m assistant.training` call.

Knows the order of the stages and where their files lie. A stage whose result is there is passed over; asking for a stage by
name runs it again.
"""

from __future__ import annotations

import ctypes
import json
import logging
import math
import sys
import time
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from assistant.model import checkpoint
from assistant.model.config import PRESETS, ModelConfig
from assistant.model.engine import Engine
from assistant.model.tokenizer import CodeTokenizer
from assistant.training import (
    card,
    controller,
    corpus,
    edit_evaluate,
    edit_examples,
    evaluate,
    export,
    ngram_baseline,
    pack,
    progress,
    rows,
    sources,
    tokenizer,
)
from assistant.training.pretrain import Recipe, Trainer
from assistant.training.progress import Progress, Report

log = logging.getLogger(__name__)

STAGES = ("corpus", "tokenizer", "edits", "pretrain", "controller", "export", "evaluate")
ASKED_FOR = ("pack",)  # only when named
RECIPES: dict[str, Recipe] = {
    "tiny": Recipe(tokens=80_000_000, edits=0.25, edits_from=36_503_552),
    "small": Recipe(
        tokens=1_000_000_000,
        batch_tokens=131_072,
        micro_tokens=32_768,
        length=1024,
        long_length=2048,
        embed_rate=2e-3,
        edits=0.08,
        device="cuda",
    ),
}
EDIT_EXAMPLES = {"tiny": 40_000, "small": 120_000}
PACKAGE_CHARACTERS = {"tiny": 6_000_000, "small": None}
MORE_PACKAGES = ("small",)
DEV_ONE_IN = 250  # of the training packages' files: watched during training, and what the controller learns from
TOKENIZER_ONE_IN = 4


@dataclass(frozen=True)
class Options:
    """What the command line sets; None means the preset's own choice. ``dry_run``: seconds to rehearse all stages in."""

    preset: str = "tiny"
    resume: bool = False
    device: str | None = None
    out: Path | None = None
    cache: Path = Path(".training")
    weights: Path | None = None
    threads: int = 1
    tokens: int | None = None
    flops: float | None = None
    seed: int = 1
    dry_run: float | None = None
    stage: str | None = None


class Run:
    """One preset's run: paths, shape and recipe."""

    def __init__(self, options: Options, report: Report = progress.log_line) -> None:
        self.options, self.report = options, report
        self.config, self.recipe = _plan(options)
        rehearsal = options.dry_run is not None
        self.folder = options.out or options.cache / (options.preset + ("-rehearsal" if rehearsal else ""))
        self.corpus = self.folder / "corpus" if rehearsal else options.cache / f"corpus-{options.preset}"
        self.weights = options.weights or self.folder / "checkpoint"
        self.deadline = time.monotonic() + options.dry_run if options.dry_run is not None else math.inf
        self.folder.mkdir(parents=True, exist_ok=True)

    # Stages, in order.

    def build_corpus(self) -> None:
        if self.options.dry_run is not None:
            self._rehearsal_corpus()
            return
        packed = self.options.cache / f"pack-{self.options.preset}"
        if packed.is_dir():
            pack.unpack(packed, self.corpus)
            return
        held, train = corpus.build(
            self.options.cache,
            self.corpus,
            PACKAGE_CHARACTERS[self.options.preset],
            more=self.options.preset in MORE_PACKAGES,
        )
        log.info("corpus: %d files, %.1f M characters; held out %d files", train.files, train.characters / 1e6, held.files)
        log.info("left out: %s", dict(train.rejected.most_common()))

    def pack_corpus(self) -> None:
        """For a machine without a network: copy the pieces to the same place under its cache folder."""
        pieces = pack.pack(self.corpus, self.options.cache / f"pack-{self.options.preset}")
        log.info("packed: %s", ", ".join(f"{piece.name} {piece.stat().st_size / 1e6:.1f} MB" for piece in pieces))

    def train_tokenizer(self) -> None:
        texts = (doc.text for i, doc in enumerate(corpus.read(self.corpus / "train.jsonl")) if i % TOKENIZER_ONE_IN == 0)
        trained = tokenizer.train(texts, self.config.vocab_size)
        (self.folder / "tokenizer.json").write_text(trained.to_str(), encoding="utf-8")
        loaded = tokenizer.load(self.folder / "tokenizer.json")
        docs = list(corpus.read(self.corpus / "train.jsonl"))
        count = rows.encode((d for d in docs if not self.is_dev(d)), loaded, self.folder / "tokens")
        dev = rows.encode((d for d in docs if self.is_dev(d)), loaded, self.folder / "dev")
        log.info("tokens: %.1f M for training, %.2f M to watch", count / 1e6, dev / 1e6)

    def make_edits(self) -> None:
        """Examples of the edit format, in text beside the corpus and encoded in the run folder."""
        path = self.corpus / edit_examples.FILE
        if not path.exists():
            docs = (doc for doc in corpus.read(self.corpus / "train.jsonl") if not self.is_dev(doc))
            rehearsal = self.options.dry_run is not None
            count = 200 if rehearsal else EDIT_EXAMPLES[self.options.preset]
            made = edit_examples.build(None if rehearsal else self.options.cache / "histories", self.corpus, docs, count)
            log.info("edits: %d examples", made)
        loaded = tokenizer.load(self.folder / "tokenizer.json")
        tokens = edit_examples.encode(edit_examples.load(path), loaded, self.folder / "edits")
        log.info("edits: %.2f M tokens", tokens / 1e6)

    def pretrain(self) -> None:
        loaded = tokenizer.load(self.folder / "tokenizer.json")
        edits = rows.TokenStore(self.folder / "edits") if self.recipe.edits else None
        store = rows.TokenStore(self.folder / "tokens")
        stream = rows.Rows(store, loaded, self.recipe.length, self.recipe.seed, self.recipe.fim, edits)
        dev = rows.Rows(rows.TokenStore(self.folder / "dev"), loaded, self.recipe.length, 7, fim=0.0).next(96)
        trainer = Trainer(self.config, self.recipe, stream, self.folder, self.report)
        if self.options.resume and trainer.resume():
            log.info("resumed at step %d, %.2f M tokens", trainer.steps, trainer.tokens / 1e6)
        trainer.train(dev if self.options.dry_run is None else dev[:4], until=self.deadline)

    def train_controller(self) -> None:
        model, _ = export.load_run(self.folder)
        model = export.rounded(model)
        reader = CodeTokenizer(self.folder / "tokenizer.json", tokenizer.SPECIAL_TOKENS)
        dev = [doc for doc in corpus.read(self.corpus / "train.jsonl") if self.is_dev(doc)]
        limit = 150_000 if self.options.dry_run is None else 2000
        layers = (*model.config.exits, model.config.n_layers)
        half = len(dev) // 2
        learner = controller.train(controller.examples(model, reader, dev[:half], limit), layers, seed=self.recipe.seed)
        threshold = controller.stop_threshold(learner, controller.examples(model, reader, dev[half:], limit // 2))
        controller.save(learner, self.folder)
        _write_json(
            self.folder / "controller.json", {"layers": layers, "classes": controller.CLASSES, "stop_threshold": threshold}
        )

    def export(self) -> None:
        export.export(self.folder, self.weights, f"sotto-{self.options.preset}")
        log.info("checkpoint written to %s", self.weights)

    def measure(self) -> None:
        figures = self.figures()
        _write_json(self.folder / "evaluation.json", figures)
        notes = self.folder / "notes.md"
        text = card.write(self.options.preset, self.config, self.recipe, figures, _read_json(self.corpus / "corpus.json"))
        if notes.exists():
            text += "\n## Notes of this run\n\n" + notes.read_text(encoding="utf-8")
        (self.weights / "README.md").write_text(text, encoding="utf-8")
        log.info("%s", json.dumps(figures, indent=1))

    def figures(self) -> dict[str, Any]:
        """Every number of the card, measured on the exported checkpoint and the held-out packages."""
        rehearsal = self.options.dry_run is not None
        shipped = checkpoint.load(self.weights)
        held = list(corpus.read(self.corpus / "held_out.jsonl"))
        docs = evaluate.sample(held, 3000 if rehearsal else 60_000)
        items = evaluate.cursor_items(held, 5 if rehearsal else 1000)
        evaluate.write_items(items, self.folder / "infilling.jsonl")
        model, state = export.load_run(self.folder)
        exact = evaluate.left_to_right(model, shipped.tokenizer, docs)
        whole = evaluate.left_to_right(shipped.transformer(), shipped.tokenizer, docs)
        engine = Engine(shipped)
        return {
            "tokens": state["tokens"],
            "flops": state["flops"],
            "left_to_right": asdict(whole),
            "int8_cost_bits_per_byte": whole.bits_per_byte - exact.bits_per_byte,
            "infilling": asdict(evaluate.infill(engine, items)),
            "infilling_without_suffix": asdict(evaluate.infill(engine, items, with_suffix=False)),
            "five_gram": self._baseline(shipped, docs, items, state["tokens"]),
            "controller": self._controller_report(shipped, docs),
            "edits": self._edit_report(shipped, held) if self.recipe.edits else None,
        }

    def _edit_report(self, shipped: checkpoint.Checkpoint, held: list[corpus.Document]) -> dict[str, dict[str, float]]:
        """Next edits of made-up sessions on the held-out packages; the threshold is chosen on files of training packages."""
        rehearsal = self.options.dry_run is not None
        loaded, model = tokenizer.load(self.folder / "tokenizer.json"), shipped.transformer()
        watched = [doc for doc in corpus.read(self.corpus / "train.jsonl") if self.is_dev(doc)]
        level = edit_evaluate.threshold(
            edit_evaluate.guesses(model, loaded, edit_evaluate.sample(watched, 10 if rehearsal else 200))
        )
        pairs = edit_evaluate.guesses(model, loaded, edit_evaluate.sample(held, 40 if rehearsal else 800))
        return edit_evaluate.by_kind(pairs, level)

    def _baseline(
        self, shipped: checkpoint.Checkpoint, docs: list[corpus.Document], items: list[evaluate.Item], tokens: int
    ) -> dict[str, Any]:
        """The 5-gram model of as many tokens as the network saw (after a rehearsal that had no time, of a few)."""
        store = rows.TokenStore(self.folder / "tokens")
        model = ngram_baseline.NgramModel(np.asarray(store.tokens[: max(tokens, 10_000)]), self.config.vocab_size)
        guesses = ngram_baseline.completions(model, shipped.tokenizer, items)
        bits = ngram_baseline.bits_per_byte(model, shipped.tokenizer, docs)
        return {"bits_per_byte": bits, **asdict(evaluate.compare(guesses, [item.target for item in items]))}

    def _controller_report(self, shipped: checkpoint.Checkpoint, docs: list[corpus.Document]) -> dict[str, Any]:
        learner = controller.load(self.folder)
        data = controller.examples(shipped.transformer(), shipped.tokenizer, docs, 200_000)
        threshold = float(_read_json(self.folder / "controller.json")["stop_threshold"])
        return {**asdict(controller.report(learner, data, threshold)), "accuracy": controller.accuracy(learner, data)}

    def is_dev(self, doc: corpus.Document) -> bool:
        """Whether a file of a training package is kept for watching the run instead of learning from."""
        return is_dev(doc.path, DEV_ONE_IN if self.options.dry_run is None else 8)

    def _rehearsal_corpus(self) -> None:
        """The standard library alone, a few files of it held out: no network, a few seconds."""
        self.corpus.mkdir(parents=True, exist_ok=True)
        held, train = corpus.Report(), corpus.Report()

        def some(*prefix: str) -> Iterator[sources.SourceFile]:
            return (file for file in sources.standard_library() if file.path.startswith(prefix))

        duplicates = corpus.Deduplicator()
        corpus.write(corpus.documents(some("json/"), duplicates, held), self.corpus / "held_out.jsonl", held)
        corpus.write(
            corpus.documents(some("asyncio/", "email/", "logging/", "unittest/"), duplicates, train),
            self.corpus / "train.jsonl",
            train,
        )
        corpus.write_summary(self.corpus, held, train)


def is_dev(path: str, one_in: int = DEV_ONE_IN) -> bool:
    """Whether the training package's file ``path`` is watched, not learnt from."""
    return zlib.crc32(path.encode()) % one_in == 0


def _plan(options: Options) -> tuple[ModelConfig, Recipe]:
    if options.preset not in PRESETS or options.preset not in RECIPES:
        raise ValueError(f"there is no preset called {options.preset!r}; choose one of {', '.join(RECIPES)}")
    config, recipe = PRESETS[options.preset], RECIPES[options.preset]
    tokens = options.tokens or recipe.tokens
    if options.flops:
        tokens = int(options.flops / config.flops_per_token(recipe.length))
    recipe = replace(recipe, tokens=tokens, seed=options.seed, device=options.device or recipe.device)
    if recipe.device.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError(
            f"preset {options.preset} wants a GPU and torch sees none; add --device cpu (slow) or take another preset"
        )
    if options.dry_run is not None:
        recipe = replace(recipe, tokens=10_000_000, batch_tokens=2048, micro_tokens=2048, compile=False)
        recipe = replace(recipe, length=min(recipe.length, 512), long_length=min(recipe.long_length, 1024), edits_from=0)
    return config, recipe


def main_train(options: Options, report: Report = progress.log_line) -> Path:
    """Run the stages that ``options`` asks for; returns the checkpoint folder. Raises ValueError with what to do.

    ``report`` is told of every stage, and every 20 steps of pretraining.
    """
    if options.stage not in (None, *STAGES, *ASKED_FOR):
        raise ValueError(f"there is no stage called {options.stage!r}; choose one of {', '.join(STAGES + ASKED_FOR)}")
    torch.set_num_threads(options.threads)
    keep_memory()
    run = Run(options, report)
    if options.stage == "pack":
        run.pack_corpus()
        return run.weights
    work = {
        "corpus": (run.build_corpus, run.corpus / "train.jsonl"),
        "tokenizer": (run.train_tokenizer, run.folder / "dev" / "paths.json"),
        "edits": (run.make_edits, run.folder / "edits" / "paths.json"),
        "pretrain": (run.pretrain, None),
        "controller": (run.train_controller, None),
        "export": (run.export, None),
        "evaluate": (run.measure, None),
    }
    for stage, (function, result) in work.items():
        if options.stage not in (None, stage) or (options.stage is None and result is not None and result.exists()):
            continue
        report(Progress(stage))
        function()
        if stage == "pretrain" and options.stage is None and not _finished(run):
            log.info("stopped before the end; run again with --resume")
            break
    return run.weights


def _finished(run: Run) -> bool:
    state = torch.load(run.folder / "state.pt", map_location="cpu", weights_only=True)
    return run.options.dry_run is not None or state["tokens"] >= state["schedule"]["total"]


def keep_memory() -> None:
    """Tell glibc to keep freed memory: handing 60 MB back and forth a step costs a quarter of the speed in page faults."""
    if sys.platform != "linux":
        return
    trim_threshold, top_pad, mmap_max = -1, -2, -4
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return
    for parameter, value in ((mmap_max, 0), (trim_threshold, 2**31 - 1), (top_pad, 1 << 28)):
        mallopt(parameter, value)


def _write_json(path: Path, data: dict[str, Any]) -> None:
    path.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")


def _read_json(path: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return data
