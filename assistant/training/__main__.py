"""`python -m assistant.training`: the command line of training. Knows argparse; the work is `run.main_train`'s."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from assistant.training.run import ASKED_FOR, RECIPES, STAGES, Options, main_train
from assistant.types import EngineError


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(
        "sotto train", description="Train Sotto's own model: corpus, tokenizer, pretraining, export, card."
    )
    found.add_argument("--preset", choices=sorted(RECIPES), default="tiny")
    found.add_argument("--resume", action="store_true", help="continue from the run folder's last state")
    found.add_argument("--device", help="cpu or cuda; the preset's own by default")
    found.add_argument("--out", type=Path, help="run folder (default: CACHE/PRESET)")
    found.add_argument("--cache", type=Path, default=Path(".training"), help="where fetched packages and the corpus lie")
    found.add_argument("--weights", type=Path, help="checkpoint folder to write (default: OUT/checkpoint)")
    found.add_argument("--threads", type=int, default=1, help="CPU threads (default 1: the same result on every machine)")
    size = found.add_mutually_exclusive_group()
    size.add_argument("--tokens", type=lambda text: int(float(text)), help="tokens to train on")
    size.add_argument("--flops", type=float, help="training FLOPs to spend, e.g. 1e15")
    found.add_argument("--seed", type=int, default=1)
    found.add_argument("--dry-run", type=float, metavar="SECONDS", help="rehearse every stage on the standard library")
    found.add_argument("--stage", choices=STAGES + ASKED_FOR, help="run one stage only, again if it was run before")
    return found


def main(arguments: list[str] | None = None) -> int:
    options = Options(**vars(parser().parse_args(arguments)))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stdout)
    try:
        main_train(options)
    except (ValueError, EngineError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
