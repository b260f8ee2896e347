"""The options of `sotto review`: what the command line takes, without loading anything that does the work."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

FORMATS = ("text", "json", "sarif", "github")
LEVELS: Mapping[str, Literal["high", "medium", "low"]] = {
    "high": "high",
    "medium": "medium",
    "low": "low",
    "error": "high",
    "warning": "medium",
    "note": "low",
}
"""Beside our names those of other tools."""

EXIT_CODES = "Exit codes: 0, with comments or without; 1 where --fail-on asks for it; 2 when nothing can be reviewed."

LINTERS = ("ruff", "mypy", "pyright", "eslint", "semgrep")


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    review = commands.add_parser("review", help="a few comments on what changed, each with its evidence", epilog=EXIT_CODES)
    review.add_argument(
        "what",
        nargs="?",
        default="",
        metavar="REV|RANGE",
        help="compare the working tree with this revision (default: HEAD), or two: A..B, A...B, A^! for the commit A alone",
    )
    review.add_argument("--staged", action="store_true", help="compare what is staged instead of the working tree")
    review.add_argument("--format", choices=FORMATS, default="text", help="(default: %(default)s)")
    review.add_argument(
        "--fail-on", choices=tuple(LEVELS), metavar="SEVERITY", help="exit with 1 for a comment so grave: high, medium or low"
    )
    review.add_argument("--all", action="store_true", help="show the hidden comments too, each with the reason")
    review.add_argument(
        "--path", type=Path, default=Path("."), metavar="DIR", help="a folder of the repository (default: the current one)"
    )
    review.add_argument(
        "--linter", action="append", default=[], choices=LINTERS, metavar="NAME", help=f"run it too: {', '.join(LINTERS)}"
    )
    review.add_argument(
        "--results", action="append", default=[], type=Path, metavar="FILE", help="a linter's SARIF or JSON to merge"
    )
    review.add_argument(
        "--review-model", default="", metavar="PLACE", help="also ask this instruct model: a folder or an id in the hub's cache"
    )
    review.add_argument("--no-model", action="store_true", help="do not start the model, which helps to choose among comments")
