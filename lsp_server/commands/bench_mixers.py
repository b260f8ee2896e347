"""`sotto bench mixers`: which ways of mixing tokens learn, side by side, and how fast: small models trained here and now.

The training runs in a process of its own, because this package never loads torch. Knows how to show its JSON lines.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from lsp_server.commands.local import CommandError, fail
from lsp_server.commands.plot import Panel, svg
from lsp_server.spawn import python_command

YARDSTICKS = ("dense", "none")
"""Softmax attention, and a model whose tokens never see each other: what lies between the two was learnt by the mixer."""


def run(names: list[str], steps: int, plot: Path | None, as_json: bool) -> int:
    """0, or 2 with one sentence."""
    console = Console(stderr=True, quiet=as_json)
    try:
        with console.status("training") as status:
            rows = []
            for row in _rows([*names, *(y for y in YARDSTICKS if names and y not in names)], steps):
                rows.append(row)
                status.update(f"{row['mixer']}: {row['curve'][-1][1]:.2f} bits a byte")
        if plot is not None:
            plot.write_text(_picture(rows), encoding="utf-8")
    except (CommandError, OSError) as error:
        return fail(str(error))
    if as_json:
        sys.stdout.write(json.dumps({"steps": steps, "rows": rows}) + "\n")
    else:
        _print(rows)
    return 0


def _rows(names: list[str], steps: int) -> Any:
    command = python_command("assistant.training.mixers", "--steps", str(steps), *names)
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        for line in child.stdout:
            yield json.loads(line)
        last = child.stderr.read().strip().splitlines()[-1:]
    if child.returncode:
        raise CommandError(f"the training broke off ({last[0] if last else f'exit code {child.returncode}'})")


def _print(rows: list[dict[str, Any]]) -> None:
    ends = {row["mixer"]: row["curve"][-1][1] for row in rows}
    table = Table("mixer", "bits a byte, before", "after", "of what attention learns", "CPU s")
    for row in sorted(rows, key=lambda row: float(row["curve"][-1][1])):
        name, before = row["mixer"], row["curve"][0][1]
        learnt = f"{(ends['none'] - ends[name]) / (ends['none'] - ends['dense']):.0%}" if ends["dense"] < ends["none"] else ""
        table.add_row(name, f"{before:.2f}", f"{ends[name]:.2f}", learnt, f"{row['cpu_s']:.0f}")
    Console().print(table)


def _picture(rows: list[dict[str, Any]]) -> str:
    """One panel a mixer, with both yardsticks in each."""
    curves = {row["mixer"]: row["curve"] for row in rows}
    panels = []
    for name in (name for name in curves if name not in YARDSTICKS):
        shown = {each: [bits for step, bits in curves[each] if step] for each in (name, *YARDSTICKS) if each in curves}
        panels.append(Panel(f"{name}, bits a byte", [step for step, _ in curves[name] if step], shown, straight=True))
    return svg(panels, "steps")
