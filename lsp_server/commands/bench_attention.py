"""`sotto bench attention`: what attention policies cost in quality at their default budgets, and what they save.

What reads runs in processes of its own, because this package never loads torch: `assistant.training.stretch` makes a model with
a long memory once and keeps it in the cache folder, `assistant.model.hf.quality` measures. Knows how to show their answers.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from lsp_server.commands.bench_kernels import measure
from lsp_server.commands.local import CommandError, fail
from lsp_server.paths import cache_dir, calibrated_dir, default_data_dir, model_place

READ = "watchdog"
"""A package that Sotto depends on and never trained on (the manifest of `assistant.training` keeps names in w for tests)."""
LENGTH = 20480
"""Beyond every default budget, and as many tokens as the stretched model's attention was looked at in."""
Say = Callable[[str], None]


def run(options: argparse.Namespace) -> int:
    """0; 1 where a policy that looked away misses a demand; 2 with one sentence."""
    console = Console(stderr=True, quiet=options.json)
    try:
        data = options.data or package_files(READ)
        with console.status("reading") as status:
            reports = [
                _ask("assistant.model.hf.quality", [*one, *_rest(options, data)], status.update)
                for one in _models(options, status.update)
            ]
    except CommandError as error:
        return fail(str(error))
    if options.json:
        sys.stdout.write(json.dumps({"models": reports}) + "\n")
    else:
        for report in reports:
            show(report, Console())
    return 1 if any(row["failed"] for report in reports for row in report["rows"]) else 0


def package_files(name: str) -> list[Path]:
    """The Python files of an installed package. Raises `CommandError`."""
    try:
        files = importlib.metadata.files(name) or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    found = sorted(Path(str(file.locate())) for file in files if file.suffix == ".py")
    if not found:
        raise CommandError(f"the package {name} is not installed here; name code to read with --data FILE ...")
    return found


def _models(options: argparse.Namespace, say: Say) -> list[list[str]]:
    """The model and the length of each run."""
    if options.model:
        return [["--model", model_place(options.model), "--length", str(options.length)]]
    kept = cache_dir(default_data_dir()) / "stretched"
    stretched = _ask("assistant.training.stretch", ["--out", str(kept)], say)["model"]
    return [["--model", ""], ["--model", stretched, "--length", str(options.length or LENGTH)]]


def _rest(options: argparse.Namespace, data: Sequence[Path]) -> list[str]:
    named = ["--attention", ";".join(options.attention)] if options.attention else []
    named += ["--everywhere"] if options.everywhere else []
    return [*named, "--texts", str(options.texts), "--calibrated", str(calibrated_dir()), "--data", *map(str, data)]


def _ask(module: str, arguments: Sequence[str], say: Say) -> dict[str, Any]:
    answer = measure(arguments, say, module)
    if "error" in answer:
        raise CommandError(str(answer["error"]))
    return answer


def show(report: dict[str, Any], console: Console) -> None:
    """The table is readable in eighty columns; what each policy misses stands below it."""
    rows = report["rows"]
    acting = [row for row in rows if row["acts_from"] is not None]
    console.print(
        f"{report['model']}: {report['texts']} x {report['length']} tokens of code, each policy at its default budget"
    )
    if acting:
        dense = acting[0]
        console.print(
            f"dense: perplexity {dense['dense_perplexity']:.3f}, needles {dense['dense_needles']}; speeds are over it"
        )
    table = Table(box=None, padding=(0, 1, 0, 0))
    for name in ("attention", "acts from", "keys", "perplex.", "needles", "same", "kept", "worst", "prefill", "step"):
        table.add_column(name, justify="left" if name == "attention" else "right", no_wrap=True)
    for row in rows:
        table.add_row(row["policy"], *_cells(row))
    console.print(table)
    if not acting:
        console.print("Nothing was left out: every budget holds this much.")
    for row in acting:
        console.print(f"{row['policy']} {_verdict(row)}", soft_wrap=True)


def _cells(row: dict[str, Any]) -> list[str]:
    if row["acts_from"] is None:
        return ["dense", "all", "", row["needles"], *[""] * 5]
    return [
        str(row["acts_from"]),
        f"{row['tokens_read']:.0f}",
        f"{row['change']:+.2%}",
        row["needles"],
        f"{row['same_answers']:.0%}",
        f"{row['mass']:.3f}",
        f"{row['worst_head']:.3f}",
        f"{row['reading_ratio']:.2f}x",
        f"{row['step_ratio']:.2f}x",
    ]


def _verdict(row: dict[str, Any]) -> str:
    """What a policy misses: by chance of this text, or because it was made so."""
    unknown = ["needle"] if row["needle_ratio"] is None else []
    rest = [demand for demand in row["failed"] if demand not in row["by_construction"] + unknown]
    told = [f"misses {', '.join(rest)}"] if rest else []
    if unknown:
        told.append("loses no needle that dense finds, for it finds none")
    if row["by_construction"]:
        told.append(f"by construction without {', '.join(row['by_construction'])}: what left its window is forgotten")
    return "; ".join(told) or "holds"
