"""Where this user's gate and its rows are: ``gate.json`` in the data folder, opportunities in the store.

What is read and written here is small or may take a while: never call `judged` from the event loop. Learns nothing itself.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from assistant.gate.model import PRIOR_PATH, Gate, load
from assistant.gate.rows import GateRow
from telemetry import queries

FILE = "gate.json"
DECIDED = frozenset(("shown", "gated_skip", "gated_hide"))
"""The reasons of opportunities that came before the gate; of the others it decided nothing."""
_DAY_MS = 86_400_000


def current(data_dir: Path) -> tuple[Gate, bool]:
    """The gate in force, and whether it is this user's own. Raises `ArtefactError`."""
    path = data_dir / FILE
    return (load(path), True) if path.exists() else (load(PRIOR_PATH), False)


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
        if row.reason in DECIDED:
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
                reason="explored" if row.explored else row.reason,
                gate=row.gate,
                language=row.language,
                trigger=row.trigger,
                visible_ms=row.visible_ms,
                n_chars=row.n_chars,
                accepted_chars=row.accepted_chars,
                retained=row.retained,
            )


def last(store: Path, count: int, days: tuple[int, ...] = (1, 7, 30)) -> list[GateRow]:
    """The newest ``count`` rows, oldest first; looks no further back than it must, and no further than the last of ``days``."""
    rows: deque[GateRow] = deque(maxlen=count)
    for back in days:
        rows = deque(judged(store, int(time.time() * 1000) - back * _DAY_MS), maxlen=count)
        if len(rows) == count:
            break
    return list(rows)
