"""The options of `sotto bench attention`. Light: what runs is imported when it is asked for."""

from __future__ import annotations

import argparse
from pathlib import Path


def add(kinds: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    attention = kinds.add_parser(
        "attention",
        help="what each attention policy costs in quality: perplexity, needles far up, attention kept; and its speed",
    )
    attention.add_argument(
        "--model",
        default="",
        metavar="DIR_OR_ID",
        help="a checkpoint that transformers loads (default: Sotto's own in its window, and one stretched from it here)",
    )
    attention.add_argument(
        "--length", type=int, default=0, metavar="N", help="tokens of a text (default: the model's own; 20480 where stretched)"
    )
    attention.add_argument("--texts", type=int, default=1, metavar="N", help="texts to read (default: %(default)s)")
    attention.add_argument(
        "--attention", action="append", default=[], metavar="SETTING", help="only this, as in the setting; may be repeated"
    )
    attention.add_argument(
        "--data",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="code to read (default: a package Sotto never trained on)",
    )
    attention.add_argument(
        "--everywhere",
        action="store_true",
        help="let policies act from their budget on, also where they are dense here because that is faster",
    )
    attention.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def run(options: argparse.Namespace) -> int:
    from lsp_server.commands import bench_attention

    return bench_attention.run(options)
