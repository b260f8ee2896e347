"""The options of `sotto gate`, `sotto bench gate` and `sotto bench telemetry`; imports their work only when it is run."""

from __future__ import annotations

import argparse
from pathlib import Path

SETTINGS = ("eager", "balanced", "quiet")
_EVENTS = "rows as JSON lines, one opportunity each"
_STORED = f"{_EVENTS} (default: your own record)"


def add_gate(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`sotto gate` below ``commands``."""
    gate = commands.add_parser("gate", help="what the gate has learned from you, why it hides, what another would be worth")
    kinds = gate.add_subparsers(dest="kind", required=True, metavar="WHAT")
    status = kinds.add_parser("status", help="the gate in force and what it did")
    train = kinds.add_parser("train", help="learn your gate now")
    replay = kinds.add_parser("replay", help="estimate what the gate would be worth on what was recorded")
    reset = kinds.add_parser("reset", help="forget what was learned from you; Sotto starts from its prior again")
    explain = kinds.add_parser("explain", help="what moved one decision")
    explain.add_argument("id", metavar="ID", help="an opportunity's id")
    replay.add_argument(
        "--setting", choices=SETTINGS, default="balanced", help="how eager the candidate is (default: %(default)s)"
    )
    for parser in (status, train, replay, explain):
        parser.add_argument("--events", type=Path, metavar="FILE", help=_STORED)
    for parser in (status, train, replay, reset, explain):
        parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def add_bench_gate(kinds: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`sotto bench gate` below the kinds of bench."""
    bench = kinds.add_parser("gate", help="the gate on people it has not seen, and on made-up ones in bad patches")
    bench.add_argument("--events", type=Path, metavar="FILE", help=f"the study's events, or {_EVENTS} with a user")
    bench.add_argument("--users", type=int, default=100, metavar="N", help="made-up users (default: %(default)s; 0 for none)")
    bench.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def add_bench_telemetry(kinds: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`sotto bench telemetry` below the kinds of bench."""
    bench = kinds.add_parser("telemetry", help="what the record costs a completion, and the dashboard's time with a large one")
    bench.add_argument(
        "--answers", type=int, default=4000, metavar="N", help="completions with the record and without (default: %(default)s)"
    )
    bench.add_argument(
        "--moments", type=int, default=1_000_000, metavar="N", help="rows of a made-up store (default: %(default)s; 0: none)"
    )
    bench.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def run_gate(arguments: argparse.Namespace, data_dir: Path) -> int:
    """Run what `add_gate` parsed; returns the exit code."""
    from lsp_server.commands import gate

    if arguments.kind == "status":
        return gate.status(data_dir, arguments.events, arguments.json)
    if arguments.kind == "train":
        return gate.train(data_dir, arguments.events, arguments.json)
    if arguments.kind == "replay":
        return gate.replay(data_dir, arguments.events, arguments.setting, arguments.json)
    if arguments.kind == "reset":
        return gate.reset(data_dir, arguments.json)
    return gate.explain(data_dir, arguments.events, arguments.id, arguments.json)


def run_bench_gate(arguments: argparse.Namespace) -> int:
    """Run what `add_bench_gate` parsed; returns the exit code."""
    from lsp_server.commands import bench_gate

    return bench_gate.run(arguments.events, arguments.users, arguments.json)


def run_bench_telemetry(arguments: argparse.Namespace) -> int:
    """Run what `add_bench_telemetry` parsed; returns the exit code."""
    from lsp_server.commands import bench_telemetry

    return bench_telemetry.run(arguments.answers, arguments.moments, arguments.json)
