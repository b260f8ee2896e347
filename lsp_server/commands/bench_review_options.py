"""The options of `sotto bench review`; its work is imported only when it is run."""

from __future__ import annotations

import argparse
from pathlib import Path

COMMITS = 200


def add(kinds: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`sotto bench review` below the kinds of bench."""
    bench = kinds.add_parser("review", help="review of known bugs and of accepted commits: recall, noise, precision")
    bench.add_argument(
        "--data", type=Path, required=True, metavar="FILE|DIR", help="rows as JSON lines, a git repository, or a folder of them"
    )
    bench.add_argument(
        "--commits", type=int, default=COMMITS, metavar="N", help="ordinary commits of each repository (default: %(default)s)"
    )
    bench.add_argument(
        "--verdicts",
        type=Path,
        metavar="FILE.jsonl",
        help="what a reader thinks of the comments: rows of id, rule, path, line, verdict and why (default: the shipped ones)",
    )
    bench.add_argument("--hidden", action="store_true", help="list what ranking hides, too")
    bench.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
