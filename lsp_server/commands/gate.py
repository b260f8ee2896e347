"""`sotto gate status|train|replay|reset|explain`: what the gate learned from this user, and what it is worth.

Rows come from the store, or from a file of JSON lines (`assistant.gate.rows`). Knows no tables.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from assistant.gate import policy
from assistant.gate.model import PRIOR_PATH, ArtefactError, Gate, dumps, load
from assistant.gate.rows import GateRow, RowError, read, target
from assistant.gate.safety import SHOW_FIRST
from lsp_server.commands.local import CommandError, fail
from lsp_server.gate_file import FILE, current, forget, judged, save, since
from telemetry.connection import UnreadableError
from telemetry.store import FILE_NAME


def status(data_dir: Path, events: Path | None, as_json: bool) -> int:
    try:
        gate, own = current(data_dir)
        answer: dict[str, Any] = {**_describe(gate), "own": own, "file": str(data_dir / FILE) if own else str(PRIOR_PATH)}
        if events is not None or (data_dir / FILE_NAME).exists():
            answer["record"] = account(_rows(data_dir, events))
    except (CommandError, ArtefactError) as error:
        return fail(str(error))
    return _tell("the gate in force", answer, as_json)


def train(data_dir: Path, events: Path | None, as_json: bool) -> int:
    """Learn from the rows, and put the result in force unless it is worth less than the gate that is.

    Left out are the rows of the last quarter of an hour, and those of other models than the last row's.
    """
    from assistant.gate.refit import refit

    try:
        before, _ = current(data_dir)
        rows = [row for row in _rows(data_dir, events) if row.ts_ms >= since(before)]
        model = next((row.model for row in reversed(rows) if row.model), "")
        rows = [row for row in rows if row.model in ("", model)]
        gate, trial = refit(load(PRIOR_PATH), rows, int(time.time() * 1000), before, since_ms=since(before))
        if trial.promoted:
            save(data_dir, dumps(gate))
    except (CommandError, ArtefactError) as error:
        return fail(str(error))
    except OSError as error:
        return fail(f"the gate could not be written ({error.strerror}): check that {data_dir} is writable")
    told = {**_describe(gate), "trial": trial.to_json(), "file": str(data_dir / FILE)}
    return _tell("learned" if trial.promoted else "learned, but worth less than the gate in force, which stays", told, as_json)


def replay(data_dir: Path, events: Path | None, setting: str, as_json: bool) -> int:
    """The value of the gate in force against the one that wrote the record. Worth it once dr - 2 dr_error is above logged."""
    from assistant.gate.evaluate import value

    def shows(row: GateRow, p1: float, p2: float) -> float:
        return policy.chance(gate, setting, p1, p2, row.features.get("chars", 25.0))

    try:
        gate, own = current(data_dir)
        answer = value(_rows(data_dir, events), gate, shows).to_json()
    except (CommandError, ArtefactError) as error:
        return fail(str(error))
    better = answer["dr"] - 2 * answer["dr_error"] > answer["logged"]
    return _tell("replay", {"gate": gate.id, "own": own, "setting": setting, **answer, "better": better}, as_json)


def reset(data_dir: Path, as_json: bool) -> int:
    """The prior again, at once in servers that run; what is recorded by now is not learned from any more."""
    try:
        had = forget(data_dir)
    except OSError as error:
        return fail(f"{data_dir / FILE} could not be replaced ({error.strerror})")
    return _tell("forgotten" if had else "nothing was learned yet", {"removed": had}, as_json)


def explain(data_dir: Path, events: Path | None, id: str, as_json: bool) -> int:
    """What moved the log-odds of one opportunity, as the gate in force sees it."""
    from assistant.gate.evaluate import contributions

    try:
        gate, _ = current(data_dir)
        row = next((row for row in _rows(data_dir, events) if row.id == id), None)
    except (CommandError, ArtefactError) as error:
        return fail(str(error))
    if row is None:
        return fail(f"{events or 'the record'} has no opportunity {id} that came before the gate; ids stand in the rows' `id`")
    stage = gate.one if row.decision == "skip" else gate.two
    answer = {
        "id": row.id,
        "decision": row.decision,
        "reason": row.reason,
        "threshold": row.threshold,
        "recorded": row.p,
        "now": stage.probability(row.features),
        "log_odds": dict(contributions(stage, row)),
        "outcome": row.outcome or "none",
    }
    return _tell(f"opportunity {id}", answer, as_json)


def read_rows(path: Path) -> list[GateRow]:
    """All rows of a file. Raises `CommandError`."""
    try:
        with path.open(encoding="utf-8") as lines:
            return list(read(lines))
    except (OSError, UnicodeDecodeError, RowError) as error:
        raise CommandError(f"{path}: {error}") from error


def _rows(data_dir: Path, events: Path | None) -> list[GateRow]:
    """The file's rows, or the record's. Raises `CommandError`."""
    try:
        return list(judged(data_dir / FILE_NAME)) if events is None else read_rows(events)
    except UnreadableError as error:
        raise CommandError(str(error)) from error


def account(rows: Sequence[GateRow]) -> dict[str, Any]:
    """What the gate did: decisions, silence, explored hides and what became of them, retained characters beside acceptance."""
    labels = [label[0] for row in rows if row.decision == "show" and (label := target(row)) is not None]
    explored = [row for row in rows if row.explored]
    judged = [label[0] for row in explored if (label := target(row)) is not None]
    streak = longest = 0
    for row in sorted(rows, key=lambda row: (row.ts_ms, row.id)):
        streak = 0 if row.decision == "show" else streak + 1
        longest = max(longest, streak)
    return {
        "rows": len(rows),
        "decisions": dict(Counter(row.decision for row in rows)),
        "acceptance": sum(labels) / len(labels) if labels else None,
        "judged": len(labels),
        "retained_chars": sum(row.accepted_chars * row.retained for row in rows if row.retained is not None),
        "accepted_chars": sum(row.accepted_chars for row in rows),
        "explored": len(explored),
        "explored_judged": len(judged),
        "explored_taken": int(sum(judged)),
        "silence": streak,
        "longest_silence": longest,
    }


def _describe(gate: Gate) -> dict[str, Any]:
    return {
        "id": gate.id,
        "decided": gate.decided,
        "shows_all_until": SHOW_FIRST,
        "bounds": {name: dict(shares) for name, shares in gate.bounds.items()},
        "bias": {"one": gate.one.bias, "two": gate.two.bias},
        "weights": {name: {t.name: t.weight for t in stage.terms} for name, stage in (("one", gate.one), ("two", gate.two))},
        "record_of_fit": dict(gate.record),
    }


def _tell(title: str, answer: dict[str, Any], as_json: bool) -> int:
    if as_json:
        sys.stdout.write(json.dumps(answer) + "\n")
        return 0
    table = Table(title=title, show_header=False)
    for name, value in answer.items():
        table.add_row(name.replace("_", " "), _shown(value))
    Console().print(table)
    return 0


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "\n".join(f"{name}: {_shown(part)}" for name, part in value.items()) or "none"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
