"""Where this user's gate and its rows are: ``gate.json`` in the data folder, opportunities in the store.

What is read and written here is small or may take a while: never call `judged` from the event loop. Learns nothing itself.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from assistant.gate.model import PRIOR_PATH, ArtefactError, Gate, dumps, load
from assistant.gate.rows import GateRow
from telemetry import queries
from telemetry.store import FILE_NAME

FILE = "gate.json"
SINCE = "since_ms"
"""In a gate's record: rows of before were forgotten by the user's wish, and are not learned from again."""

DECIDED = frozenset(("shown", "gated_skip", "gated_hide"))
"""The reasons of opportunities that came before the gate; of the others it decided nothing."""
_DAY_MS = 86_400_000


def current(data_dir: Path) -> tuple[Gate, bool]:
    """The gate in force, and whether it is this user's own. Raises `ArtefactError`."""
    path = data_dir / FILE
    gate = load(path if path.exists() else PRIOR_PATH)
    return gate, is_own(gate)


def is_own(gate: Gate) -> bool:
    """Whether anything was learned from this user."""
    return "yours" in gate.record


def since(gate: Gate) -> int:
    """UTC milliseconds before which rows are forgotten; 0 for none."""
    found = gate.record.get(SINCE, 0)
    return found if isinstance(found, int) else 0


def forget(data_dir: Path) -> bool:
    """Put the prior in force again, and learn from nothing that is recorded by now. Whether anything had been learned.

    A running server takes it up within seconds. Raises `OSError`.
    """
    path = data_dir / FILE
    if not path.exists() and not (data_dir / FILE_NAME).exists():
        return False
    try:
        had = is_own(load(path))
    except ArtefactError:
        had = path.exists()
    prior = load(PRIOR_PATH)
    save(data_dir, dumps(replace(prior, record={**prior.record, SINCE: int(time.time() * 1000)})))
    return had


def mark(data_dir: Path) -> tuple[int, int] | None:
    """Something that differs when the user's gate was replaced; ``None`` where there is none."""
    try:
        stat = (data_dir / FILE).stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_ino


def save(data_dir: Path, text: str) -> None:
    """Replace the user's gate in one step; readable by this user alone. Raises `OSError`."""
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = data_dir / f"{FILE}.{os.getpid()}"
    with os.fdopen(os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(draft, data_dir / FILE)


def judged(store: Path, since_ms: int = 0) -> Iterator[GateRow]:
    """What the store holds of the gate's opportunities, oldest first. Raises `telemetry.connection.UnreadableError`."""
    for row in queries.gate_rows(store, since_ms):
        if row.kind == "inline" and row.reason in DECIDED:
            yield GateRow(
                id=row.id,
                ts_ms=row.ts_ms,
                features=row.features,
                decision=row.decision,
                outcome=row.outcome,
                propensity=row.propensity,
                explored=row.explored,
                p1=row.p1,
                p2=row.p2,
                threshold=row.threshold,
                reason="explored" if row.explored else row.why or row.reason,
                gate=row.gate,
                model=row.model,
                language=row.language,
                trigger=row.trigger,
                visible_ms=row.visible_ms,
                n_chars=row.n_chars,
                accepted_chars=row.accepted_chars,
                retained=row.retained,
            )


def last(store: Path, count: int, since_ms: int = 0, days: tuple[int, ...] = (1, 7, 30)) -> list[GateRow]:
    """The newest ``count`` rows of ``since_ms`` or later, oldest first; looks no further back than it must, and no further than
    the last of ``days``.
    """
    rows: deque[GateRow] = deque(maxlen=count)
    for back in days:
        rows = deque(judged(store, max(since_ms, int(time.time() * 1000) - back * _DAY_MS)), maxlen=count)
        if len(rows) == count:
            break
    return list(rows)
