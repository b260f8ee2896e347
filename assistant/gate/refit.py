"""Learn this user's gate: rows as JSON lines on stdin, the gate on stdout. ``python -m assistant.gate.refit [--prior FILE]``.

A process of its own, started when the server is idle: numpy and the rows are gone with it. Exit code 2 and one sentence on
stderr when the rows or the prior cannot be read.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from assistant.gate.learn import personalise
from assistant.gate.model import PRIOR_PATH, ArtefactError, Gate, dumps, load
from assistant.gate.rows import LABEL_AGE_MS, GateRow, RowError, read


def refit(prior: Gate, rows: Iterable[GateRow], now_ms: int) -> Gate:
    """The gate of whoever left ``rows``; the newest are left out, their outcome may still change."""
    return personalise(prior, [row for row in rows if row.ts_ms <= now_ms - LABEL_AGE_MS], now_ms)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m assistant.gate.refit", description="Learn this user's gate.")
    parser.add_argument("--prior", type=Path, default=PRIOR_PATH, metavar="FILE", help="what to start from")
    arguments = parser.parse_args(argv)
    try:
        gate = refit(load(arguments.prior), read(sys.stdin), int(time.time() * 1000))
    except (ArtefactError, RowError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(dumps(gate))
    return 0


if __name__ == "__main__":
    sys.exit(main())
