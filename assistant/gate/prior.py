"""Make the prior that Sotto ships: ``python -m assistant.gate.prior --data FOLDER [--out FILE]``.

FOLDER holds the study's ``cups_copilot_events.jsonl.gz`` (microsoft/coderec_programming_states, MIT, converted line for line).
The same rows give the same file, byte for byte on one machine. The rows are not kept, the fitted numbers are.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path

from assistant.gate import cups
from assistant.gate.learn import Labelled, fit_prior
from assistant.gate.model import PRIOR_PATH, dumps

SOURCE = "CUPS, 21 programmers with Copilot: github.com/microsoft/coderec_programming_states, MIT, (c) Microsoft Corporation"


def make(events: Path) -> str:
    """The prior's file as text. Every judged display counts, fast refusals too: they cost a new user's glance as well."""
    data = Labelled.of(cups.rows(events), count_unread=True)
    record = {
        "source": SOURCE,
        "events_sha256": hashlib.sha256(events.read_bytes()).hexdigest(),
        "rows": len(data),
        "taken": int(data.y.sum()),
        "users": len({row.user for row in data.rows}),
    }
    return dumps(fit_prior(data, record)[0])


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m assistant.gate.prior", description="Fit the gate's prior on the study.")
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER", help=f"where {cups.EVENTS} lies")
    parser.add_argument(
        "--out", type=Path, default=PRIOR_PATH, metavar="FILE", help="the file to write (default: the shipped one)"
    )
    arguments = parser.parse_args(argv)
    arguments.out.write_text(make(arguments.data / cups.EVENTS), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
