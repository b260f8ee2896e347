"""The options of `sotto train --edits` and `sotto bench next-edit`; imports their work only when it is run."""

from __future__ import annotations

import argparse
from pathlib import Path


def training() -> argparse.ArgumentParser:
    """The parser of `sotto train --edits`."""
    train = argparse.ArgumentParser(
        "sotto train", description="Learn the ranker of next edits from commits, yours say; nothing leaves this machine."
    )
    train.add_argument("--edits", type=Path, required=True, metavar="DIR", help="a git clone, or a folder of clones")
    train.add_argument("--out", type=Path, metavar="FILE", help="the ranker to write (default: your own, in the data folder)")
    train.add_argument("--moments", type=Path, metavar="FILE", help="keep what was seen, or learn from what was kept")
    _replay_options(train)
    return train


def add_bench(kinds: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """`sotto bench next-edit` below the kinds of bench; returns its parser."""
    bench = kinds.add_parser("next-edit", help="replay commits or recorded sessions and count what would have been proposed")
    bench.add_argument("--data", type=Path, metavar="DIR|FILE", help="git clones, or a recorded session as JSON")
    bench.add_argument("--grow", type=Path, metavar="FILE.svg", help="instead: cost by file length and open files, a picture")
    bench.add_argument(
        "--next-edit-model",
        default="",
        metavar="DIR",
        help="a model of your own that writes and judges, as the setting names it",
    )
    bench.add_argument("--next-edit-format", default="auto", choices=("auto", "sweep", "zeta", "instruct"))
    _replay_options(bench)
    return bench


def _replay_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--commits", type=int, default=60, metavar="N", help="of each history (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="draws other commits and orders (default: 0)")
    parser.add_argument("--no-model", action="store_true", help="the rules alone")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def run(arguments: argparse.Namespace) -> int:
    """Run `sotto bench next-edit` as parsed; returns the exit code."""
    from lsp_server.commands import bench_next_edit

    given = arguments.commits, arguments.seed, arguments.no_model
    model = arguments.next_edit_model, arguments.next_edit_format
    rest = arguments.json, arguments.model, arguments.threads
    return bench_next_edit.run(arguments.data, *given, arguments.grow, *model, *rest)


def run_training(arguments: argparse.Namespace, data_dir: Path) -> int:
    """Run `sotto train --edits` as parsed; returns the exit code."""
    from lsp_server.commands import next_edit

    given = arguments.commits, arguments.seed, arguments.no_model
    rest = arguments.json, arguments.model, arguments.threads
    out = arguments.out or data_dir / "next_edit" / next_edit.FILE
    return next_edit.train(arguments.edits, *given, out, arguments.moments, *rest)
