"""What a closing server could not commit, because another process held the file: one JSON line an event, for the next start.

The lines hold what the tables would: every event is first put into an empty database in memory, and what its checks refuse is
not written. Knows a file and events, not the queue or the database.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from telemetry import disk, events, rows, schema
from telemetry.events import Event

LIMIT_BYTES = 16 << 20  # a full queue of 10,000 events takes some 8 MB
_KINDS: dict[str, Any] = {
    kind.__name__: kind
    for kind in (
        events.Session, events.SessionEnd, events.Model, events.Gate,
        events.Opportunity, events.Exits, events.Impression, events.Outcome, events.Retention,
    )
}  # fmt: skip


def path_of(database: Path) -> Path:
    return database.with_name(f"{database.name}.spool")


def put(database: Path, queued: Sequence[Event]) -> int:
    """Append ``queued`` to the spool beside ``database``. Returns how many were refused. Raises OSError."""
    kept = _fitting(queued)
    lines = b"".join(_line(event) for event in kept)
    path = path_of(database)
    disk.private_file(path)
    if path.stat().st_size + len(lines) > LIMIT_BYTES:
        return len(queued)
    with path.open("ab") as file:  # one write: lines of two servers do not mix
        file.write(lines)
        file.flush()
        os.fsync(file.fileno())
    return len(queued) - len(kept)


def take(database: Path) -> list[Event]:
    """The spooled events; a line that a dying process cut short is skipped. `clear` when they are committed."""
    try:
        lines = path_of(database).read_bytes().splitlines()
    except FileNotFoundError:
        return []
    found = []
    for line in lines:
        with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):
            data = json.loads(line)
            found.append(_KINDS[data.pop("event")](**data))
    return found


def clear(database: Path) -> None:
    disk.shred(path_of(database))


def _line(event: Event) -> bytes:
    return json.dumps({"event": type(event).__name__, **asdict(event)}, separators=(",", ":")).encode() + b"\n"


def _fitting(queued: Sequence[Event]) -> list[Event]:
    """The events the tables' checks accept, features and names as the tables hold them."""
    kept = []
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as trial:
        trial.executescript(schema.SUGGESTIONS + schema.GATE_LOOP + schema.REASONS)
        for event in queued:
            made, _ = rows.statements([event])
            with contextlib.suppress(sqlite3.Error, OverflowError):
                for sql, values in made:
                    trial.execute(sql, values)
                    kept.append(_stored(event, values))
    return kept


def _stored(event: Event, values: tuple[object, ...]) -> Event:
    """``event`` with the texts that the writer would have cleaned."""
    if isinstance(event, events.SessionEnd):
        return event
    named = dict(zip(asdict(event), values, strict=False))
    for name in ("features", "metrics"):
        if isinstance(named.get(name), str):
            named[name] = json.loads(str(named[name]))
    for name in ("explored", "cancelled", "final"):
        if name in named:
            named[name] = bool(named[name])
    made: Event = _KINDS[type(event).__name__](**named)
    return made
