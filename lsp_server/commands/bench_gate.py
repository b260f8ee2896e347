"""`sotto bench gate`: the learner on people it has not seen, the whole gate on made-up users, and what a decision costs.

Reads the study of 21 programmers (``cups_copilot_events.jsonl.gz`` with ``cups_state_model.csv`` beside it), or rows of
several users as JSON lines, which have no made-up users. Everything measured is the shipped code.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from assistant.gate import cups
from assistant.gate.evaluate import leave_one_user_out
from assistant.gate.learn import Labelled, fit_prior, personalise
from assistant.gate.model import Gate
from assistant.gate.policy import Policy
from assistant.gate.rows import GateRow
from assistant.gate.simulate import States, simulate, world
from lsp_server.commands.gate import read_rows
from lsp_server.commands.local import CommandError, fail, percentile

STUDY = Path(__file__).resolve().parents[3] / "shared" / "data" / "gate" / cups.EVENTS
LEAST_USERS = 3
REFIT_ROWS = 10_000


def load_rows(path: Path | None) -> tuple[list[GateRow], Path | None]:
    """Rows, and the study's state table where it lies beside them. Raises `CommandError`."""
    path = path or STUDY
    if not path.exists():
        raise CommandError(f"{path} is not there: give the study's {cups.EVENTS}, or rows of several users, with --events")
    if path.name != cups.EVENTS:
        return read_rows(path), None
    states = path.with_name(cups.STATES)
    return cups.rows(path), states if states.exists() else None


def measure(rows: list[GateRow], states: Path | None, users: int, console: Console) -> dict[str, Any]:
    """The object that ``--json`` prints. Raises `CommandError`."""
    data = Labelled.of(rows, count_unread=True)
    if len(set(data.group.tolist())) < LEAST_USERS or not 0 < data.y.sum() < len(data):
        raise CommandError(f"judged rows of {LEAST_USERS} users or more are needed; each row's `user` names its own")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("leaving one user out", total=1)
        louo = leave_one_user_out(data, lambda done, total: progress.update(bar, completed=done, total=total))
        gate, _, p2 = fit_prior(data, {})
        simulated = None
        if states is not None and users > 0:
            row = progress.add_task("made-up users", total=users)
            drawn = world(data.rows, p2, States.read(states))
            simulated = simulate(gate, drawn, users, progress=lambda done, _: progress.update(row, completed=done)).to_json()
    return {"louo": louo.to_json(), "simulation": simulated, "speed": speed(gate, data.rows)}


def speed(gate: Gate, rows: tuple[GateRow, ...]) -> dict[str, float]:
    """Milliseconds of both stages of a decision, and seconds of a personal refit on ten thousand rows; processor time."""
    policy, times = Policy(gate, lambda: 0.5), []
    for row in rows:
        start = time.thread_time()
        one = policy.before(row.features, invoked=False)
        policy.after(row.features, False, one)
        times.append((time.thread_time() - start) * 1000)
    many = [replace(rows[index % len(rows)], id=str(index)) for index in range(REFIT_ROWS)]
    start = time.process_time()
    personalise(gate, many, count_unread=True)
    refit = time.process_time() - start
    return {"decision_p50_ms": percentile(times, 50), "decision_p99_ms": percentile(times, 99), "refit_10000_rows_s": refit}


def run(events: Path | None, users: int, as_json: bool) -> int:
    try:
        rows, states = load_rows(events)
        answer = measure(rows, states, users, Console(stderr=True, quiet=as_json))
    except CommandError as error:
        return fail(str(error))
    if as_json:
        sys.stdout.write(json.dumps(answer) + "\n")
    else:
        _print(answer)
    return 0


def _print(answer: dict[str, Any]) -> None:
    table = Table(title="the gate", show_header=True)
    for column in ("", "measured"):
        table.add_column(column)
    for part, numbers in answer.items():
        for name, number in (numbers or {"not run": "no state table beside the rows"}).items():
            text = f"{number:.4f}" if isinstance(number, float) else str(number)
            table.add_row(f"{part} {name.replace('_', ' ')}", text)
    Console().print(table)
    if answer["louo"]["leak"]:
        Console().print("An AUC this high is a leak: some feature knows what came after the display.", style="bold red")
