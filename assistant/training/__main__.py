"""`python -m assistant.training`: the command line of training. Knows argparse; the work is `run.main_train`'s.

``small`` on a GPU machine without a network, in pieces under 10 minutes. Once, where packages can be fetched (about an hour
of one core; four pieces of 14 to 22 MB and the edits in .training/pack-small)::

    for s in corpus tokenizer edits pack; do python -m assistant.training --preset small --device cpu --stage $s; done

On the GPU machine, with the repository and .training/pack-small, and torch, numpy, tokenizers and safetensors::

    python -m assistant.training --preset small --stage corpus       # unpacks
    python -m assistant.training --preset small --stage tokenizer --threads 16
    python -m assistant.training --preset small --stage edits        # encodes
    timeout --signal=TERM 560 python -m assistant.training --preset small --resume --stage pretrain    # again until it ends
    python -m assistant.training --preset small --stage controller --threads 16
    python -m assistant.training --preset small --stage export
    python -m assistant.training --preset small --stage evaluate --threads 16

SIGTERM saves and ends after the step in progress (a state is written every four minutes besides). Between machines,
.training/small/state.pt (46 M parameters and their moments, 450 MB) has to stay or travel; `split --bytes=16M` where files are
bounded. What comes back in the end is .training/small/checkpoint (48 MB of int8, split likewise) and evaluation.json.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from assistant.training.progress import Progress, log_line
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
    found.add_argument("--json", action="store_true", help="tell the progress as JSON lines, for another program")
    return found


def tell(now: Progress) -> None:
    """One JSON line on standard output, at once."""
    sys.stdout.write(now.to_json() + "\n")
    sys.stdout.flush()


def main(arguments: list[str] | None = None) -> int:
    given = vars(parser().parse_args(arguments))
    report = tell if given.pop("json") else log_line
    options = Options(**given)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stdout)
    try:
        main_train(options, report)
    except (ValueError, EngineError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
