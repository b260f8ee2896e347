"""`sotto train ...`: run the trainer in its own interpreter, because this package never loads torch, and show how far it is.

Knows the trainer's JSON lines. On a terminal they become a bar with speed, loss and time left; elsewhere the trainer's own
plain log lines pass through.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from lsp_server.spawn import python_command


def run(arguments: Sequence[str]) -> int:
    """Pass the arguments on; returns the trainer's exit code. An interrupt reaches the trainer, which saves and ends."""
    wanted = [a for a in arguments if a != "--"]
    if not sys.stdout.isatty() or Console().is_dumb_terminal or {"--json", "-h", "--help"} & set(wanted):
        with subprocess.Popen(python_command("assistant.training", *wanted)) as trainer:
            return _ended(trainer)
    command = python_command("assistant.training", *wanted, "--json")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, encoding="utf-8", errors="replace") as trainer:
        assert trainer.stdout is not None
        show(trainer.stdout, Console())
        return _ended(trainer)


def _ended(trainer: subprocess.Popen[Any]) -> int:
    while True:
        try:
            return trainer.wait()
        except KeyboardInterrupt:
            continue


def show(lines: TextIO | Iterable[str], console: Console) -> None:
    """Draw the trainer's progress until its lines end; what is no progress is printed above the bar."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[figures]}"),
        TimeRemainingColumn(),
    )
    stream = iter(lines)
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("starting", total=None, figures="")
        while True:
            try:
                line = next(stream)
            except StopIteration:
                return
            except KeyboardInterrupt:  # the trainer has it too: it saves, and its lines end
                continue
            now = progress(line)
            if now is None:
                bar.console.print(line.rstrip("\n"), markup=False, highlight=False)
            else:
                bar.update(task, refresh=True, **now)


def progress(line: str) -> dict[str, Any] | None:
    """What the bar shows of one line; None for a line that is no progress."""
    try:
        now = json.loads(line)["progress"]
        amount = f"{now['tokens'] / max(1, now['total']):.0%}, {now['tokens'] / 1e6:.1f} of {now['total'] / 1e6:.1f} M tokens"
        figures = f"{amount}, {now['speed']:.0f}/s, loss {now['loss']:.3f}"
        return {
            "description": str(now["stage"]),
            "completed": int(now["tokens"]),
            "total": int(now["total"]) or None,
            "figures": figures if now["total"] else "",
        }
    except (ValueError, TypeError, KeyError):
        return None
