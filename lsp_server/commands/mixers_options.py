"""The options of `sotto bench mixers`. Light: what runs is imported when it is asked for."""

from __future__ import annotations

import argparse
from pathlib import Path


def add(kinds: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    mixers = kinds.add_parser("mixers", help="train each linear, recurrent and sparse mixer at toy size, beside attention")
    mixers.add_argument("mixers", nargs="*", metavar="NAME", help="default: all of them")
    mixers.add_argument("--steps", type=int, default=150, metavar="N", help="training steps (default: %(default)s)")
    mixers.add_argument("--plot", type=Path, metavar="FILE.svg", help="draw the loss curves")
    mixers.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def run(options: argparse.Namespace) -> int:
    from lsp_server.commands import bench_mixers

    return bench_mixers.run(options.mixers, max(1, options.steps), options.plot, options.json)
