"""Learn this user's gate: rows as JSON lines on stdin; on stdout the gate to have in force, then what the trial said.

``python -m assistant.gate.refit [--prior FILE] [--incumbent FILE] [--setting NAME] [--since MS]``. A process of its own,
started when the server is idle: numpy and the rows are gone with it. Exit code 2 and one sentence on stderr when something
cannot be read.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from assistant.gate.model import PRIOR_PATH, ArtefactError, Gate, dumps, load, named
from assistant.gate.policy import SETTINGS
from assistant.gate.promote import Trial, learn
from assistant.gate.rows import LABEL_AGE_MS, GateRow, RowError, read


def refit(
    prior: Gate,
    rows: Iterable[GateRow],
    now_ms: int,
    incumbent: Gate | None = None,
    setting: str = "balanced",
    since_ms: int = 0,
) -> tuple[Gate, Trial]:
    """The gate of whoever left ``rows``, or ``incumbent`` (the prior without one) where that is worth more.

    The newest rows are left out, their outcome may still change. ``rows`` are of one model, none is older than ``since_ms``;
    a gate notes both.
    """
    old = [row for row in rows if row.ts_ms <= now_ms - LABEL_AGE_MS]
    before = prior if incumbent is None else incumbent
    gate, trial = learn(prior, old, before, setting, now_ms)
    if gate is before:
        return gate, trial
    model = next((row.model for row in reversed(old) if row.model), "")
    return named(replace(gate, record={**gate.record, "since_ms": since_ms, "model": model})), trial


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m assistant.gate.refit", description="Learn this user's gate.")
    parser.add_argument("--prior", type=Path, default=PRIOR_PATH, metavar="FILE", help="what to start from")
    parser.add_argument("--incumbent", type=Path, metavar="FILE", help="the gate in force (default: the prior)")
    parser.add_argument("--since", type=int, default=0, metavar="MS", help="rows of before were forgotten (UTC milliseconds)")
    parser.add_argument("--setting", choices=tuple(SETTINGS), default="balanced", help="how eager it is")
    arguments = parser.parse_args(argv)
    try:
        incumbent = load(arguments.incumbent) if arguments.incumbent else None
        now, prior = int(time.time() * 1000), load(arguments.prior)
        gate, trial = refit(prior, read(sys.stdin), now, incumbent, arguments.setting, arguments.since)
    except (ArtefactError, RowError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(dumps(gate) + json.dumps(trial.to_json()) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
