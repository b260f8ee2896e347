"""`python -m assistant.training.ablate VARIANT...`: short twin runs that tell what one choice of the recipe costs.

Knows the corpus and the tokenizer of a run that is already made. Each variant trains for the same FLOPs and is measured left to
right on the same files of training packages that no run learns from; the held-out packages are not touched. Results are
appended to OUT/ablations.jsonl.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from assistant.model.config import PRESETS, ModelConfig
from assistant.model.tokenizer import CodeTokenizer
from assistant.training import corpus, evaluate, rows, sources, tokenizer
from assistant.training.corpus import Document
from assistant.training.pretrain import Recipe, Trainer
from assistant.training.run import RECIPES, is_dev, keep_memory

log = logging.getLogger(__name__)

SAMPLE_ONE_IN = 12  # of the training files, where a variant needs its own encoding
SCRIPT_SHARE = 0.1


@dataclass(frozen=True)
class Variant:
    """What differs from the base: shape, recipe, and whether the corpus is encoded anew, with JavaScript among it or not."""

    config: Callable[[ModelConfig], ModelConfig] = lambda config: config
    recipe: Callable[[Recipe], Recipe] = lambda recipe: recipe
    encode: bool = False
    script: bool = False


VARIANTS = {
    "base": Variant(),
    "no-exits": Variant(recipe=lambda recipe: replace(recipe, exits=False)),
    "no-fim": Variant(recipe=lambda recipe: replace(recipe, fim=0.0)),
    "vocabulary-16k": Variant(config=lambda config: replace(config, vocab_size=16_384), encode=True),
    "javascript": Variant(encode=True, script=True),
}


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser("assistant.training.ablate", description="Short twin runs of one preset.")
    found.add_argument("variants", nargs="+", choices=sorted(VARIANTS))
    found.add_argument("--preset", choices=sorted(RECIPES), default="tiny")
    found.add_argument("--cache", type=Path, default=Path(".training"))
    found.add_argument("--run", type=Path, help="a run folder with its tokens (default: CACHE/PRESET)")
    found.add_argument("--out", type=Path, help="default: CACHE/ablate")
    found.add_argument("--tokens", type=float, default=2e6, help="of the base variant; the others get the same FLOPs")
    found.add_argument("--seeds", type=int, nargs="+", default=[1])
    found.add_argument("--characters", type=int, default=300_000, help="of the files that are measured")
    return found


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stdout)
    torch.set_num_threads(1)
    keep_memory()
    out = options.out or options.cache / "ablate"
    for name in options.variants:
        for seed in options.seeds:
            result = run(name, seed, options, out)
            log.info("%s", json.dumps(result))
            with (out / "ablations.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(result) + "\n")
    return 0


def run(name: str, seed: int, options: argparse.Namespace, out: Path) -> dict[str, object]:
    """One variant with one seed: its bits per byte and what it saw."""
    variant, base = VARIANTS[name], PRESETS[options.preset]
    config = variant.config(base)
    recipe = variant.recipe(RECIPES[options.preset])
    tokens = int(options.tokens * base.flops_per_token(recipe.length) / config.flops_per_token(recipe.length))
    recipe = replace(recipe, tokens=tokens, seed=seed, device="cpu", edits=0.0)
    folder = out / f"{name}-{seed}"
    texts = options.cache / f"corpus-{options.preset}" / "train.jsonl"
    made = (
        _encoded(variant, config, texts, options, out / name)
        if variant.encode
        else options.run or options.cache / options.preset
    )
    began = time.process_time()
    stream = rows.Rows(
        rows.TokenStore(made / "tokens"), tokenizer.load(made / "tokenizer.json"), recipe.length, seed, recipe.fim
    )
    trainer = Trainer(config, recipe, stream, folder)
    trainer.train()
    seconds = time.process_time() - began
    dev = [doc for doc in corpus.read(texts) if is_dev(doc.path)]
    random.Random(0).shuffle(dev)
    reader = CodeTokenizer(made / "tokenizer.json", tokenizer.SPECIAL_TOKENS)
    figures = evaluate.left_to_right(trainer.model.eval(), reader, list(_first(dev, options.characters)))
    return {
        "variant": name,
        "seed": seed,
        "bits_per_byte": round(figures.bits_per_byte, 4),
        "agreement": {layer: round(share, 4) for layer, share in figures.agreement.items()},
        "tokens": trainer.tokens,
        "flops": trainer.flops,
        "parameters": config.n_params,
        "cpu_seconds": round(seconds),
    }


def _first(docs: list[Document], characters: int) -> Iterator[Document]:
    for doc in docs:
        characters -= len(doc.text)
        if characters < 0:
            return
        yield doc


def _scripts(folder: Path) -> list[Document]:
    """The files of the npm archives that pass the corpus's filters, in a fixed random order."""
    duplicates, found = corpus.Deduplicator(), corpus.Report()
    docs = list(corpus.documents(sources.scripts(folder), duplicates, found))
    random.Random(0).shuffle(docs)
    return docs


def _encoded(variant: Variant, config: ModelConfig, texts: Path, options: argparse.Namespace, out: Path) -> Path:
    """A sample of the corpus in the variant's own vocabulary; with JavaScript, a tenth of its characters are."""
    if (out / "tokens" / "paths.json").exists():
        return out
    out.mkdir(parents=True, exist_ok=True)
    docs = [doc for i, doc in enumerate(corpus.read(texts)) if i % SAMPLE_ONE_IN == 0 and not is_dev(doc.path)]
    if variant.script:
        room = SCRIPT_SHARE / (1 - SCRIPT_SHARE) * sum(len(doc.text) for doc in docs)
        docs += _first(_scripts(options.cache / "npm"), int(room))
    if config.vocab_size == PRESETS[options.preset].vocab_size:
        text = ((options.run or options.cache / options.preset) / "tokenizer.json").read_text(encoding="utf-8")
    else:
        text = tokenizer.train((doc.text for doc in docs), config.vocab_size).to_str()
    (out / "tokenizer.json").write_text(text, encoding="utf-8")
    rows.encode(docs, tokenizer.load(out / "tokenizer.json"), out / "tokens")
    return out


if __name__ == "__main__":
    sys.exit(main())
