"""What the raw rows tell: named, read-only questions and typed answers, for the command line, the demo and the gate's learner.

They scan; what a dashboard asks of a million rows is answered from counts by `telemetry.panels`. May be asked while servers
write. Knows the tables, not who asks. Raises `telemetry.connection.UnreadableError` for a file that cannot be read; a missing
or still empty file is an empty answer.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from telemetry.connection import reading
from telemetry.events import LABELS

_MINE = "(:session = '' OR o.session = :session)"

_DECISIONS = f"SELECT o.decision, count(*) FROM opportunity o WHERE {_MINE} GROUP BY 1 ORDER BY 2 DESC, 1"
_REASONS = f"SELECT o.reason, count(*) FROM opportunity o WHERE {_MINE} GROUP BY 1 ORDER BY 2 DESC, 1"
_OUTCOMES = f"""
SELECT coalesce(c.kind, 'pending'), count(*)
FROM impression i LEFT JOIN opportunity o ON o.id = i.opportunity LEFT JOIN outcome c ON c.impression = i.id AND c.final = 1
WHERE {_MINE} GROUP BY 1 ORDER BY 2 DESC, 1
"""
_CHARS = f"""
SELECT coalesce(sum(i.n_chars), 0), coalesce(sum(CASE WHEN c.kind = 'accepted' THEN c.accepted_chars END), 0)
FROM impression i LEFT JOIN opportunity o ON o.id = i.opportunity LEFT JOIN outcome c ON c.impression = i.id AND c.final = 1
WHERE {_MINE}
"""
_SPAN = f"""
SELECT count(*), count(DISTINCT o.session), min(o.ts_ms), max(o.ts_ms), coalesce(sum(o.cancelled), 0),
    total(CASE WHEN o.t_decode > 0 THEN o.new_tokens END) * 1000
        / nullif(total(CASE WHEN o.new_tokens > 0 THEN o.t_decode END), 0)
FROM opportunity o WHERE {_MINE}
"""
_ANSWERED = f"FROM opportunity o WHERE {_MINE} AND o.decision = 'show'"
_RECENT = f"""
SELECT o.id, o.session, o.ts_ms, o.kind, o.language, o.trigger, o.decision, o.reason, o.t_total, o.new_tokens,
    i.id AS impression, i.n_chars, i.n_lines, i.source, i.how AS seen_how,
    c.kind AS outcome, c.how AS outcome_how, c.visible_ms, c.accepted_chars
FROM opportunity o LEFT JOIN impression i ON i.opportunity = o.id
LEFT JOIN outcome c ON c.impression = i.id
    AND c.final = (SELECT max(final) FROM outcome WHERE impression = i.id)
WHERE {_MINE} ORDER BY o.ts_ms DESC, o.id DESC LIMIT :count
"""
_GATE_ROWS = """
SELECT o.rowid AS _row, o.id, o.session, o.ts_ms, o.mono_ms, o.kind, o.language, o.trigger, o.model, o.gate,
    o.features, o.feature_version, o.stage, o.p1, o.p2, o.threshold, o.decision, o.reason, o.why, o.rule,
    o.propensity, o.explored,
    i.id IS NOT NULL AS shown, coalesce(i.n_chars, 0) AS n_chars, coalesce(c.kind, '') AS outcome,
    coalesce(c.visible_ms, 0.0) AS visible_ms, coalesce(c.accepted_chars, 0) AS accepted_chars,
    CAST(r.retained_chars AS REAL) / nullif(r.accepted_chars, 0) AS retained
FROM opportunity o LEFT JOIN impression i ON i.opportunity = o.id
LEFT JOIN outcome c ON c.impression = i.id AND c.final = 1
LEFT JOIN retention r ON r.impression = i.id AND r.horizon_s = 120
WHERE (o.ts_ms, o.rowid) > (:since, :last) ORDER BY o.ts_ms, o.rowid LIMIT :chunk
"""


@dataclass(frozen=True)
class Percentiles:
    """Nearest-rank percentiles in milliseconds; None when ``n`` is 0."""

    n: int = 0
    p50: float | None = None
    p95: float | None = None


@dataclass(frozen=True)
class Summary:
    """Counts over the raw rows (the last 90 days), or over one session.

    ``outcomes`` counts impressions by their final kind, ``pending`` those that have none yet. ``latency`` is the whole time
    of opportunities that were shown. ``accepted_chars`` are of wholly accepted suggestions. ``bytes`` is the file's size.
    """

    opportunities: int = 0
    sessions: int = 0
    impressions: int = 0
    cancelled: int = 0
    first_ms: int | None = None
    last_ms: int | None = None
    decisions: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    outcomes: dict[str, int] = field(default_factory=dict)
    latency: Percentiles = Percentiles()
    tokens_per_second: float | None = None
    shown_chars: int = 0
    accepted_chars: int = 0
    bytes: int = 0

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Recent:
    """One opportunity, with its impression and what became of it (or its partial acceptance so far) where there is one."""

    id: str
    session: str
    ts_ms: int
    kind: str
    language: str
    trigger: str
    decision: str
    reason: str
    t_total: float
    new_tokens: int
    impression: str | None
    n_chars: int | None
    n_lines: int | None
    source: str | None
    seen_how: str | None
    outcome: str | None
    outcome_how: str | None
    visible_ms: float | None
    accepted_chars: int | None


@dataclass(frozen=True)
class GateRow:
    """One opportunity as the gate's learner wants it: what was known, what was decided and how likely, what became of it.

    ``label`` is 1 for taken, 0 for not, None while nothing is known of the user's will; ``weight`` says how much of a
    judgement it was (`telemetry.events.LABELS`). ``outcome`` is the final kind, empty while there is none. ``retained`` is the
    share of the accepted text that stood there after two minutes, None where that was not looked at.
    """

    id: str
    session: str
    ts_ms: int
    mono_ms: float
    kind: str
    language: str
    trigger: str
    model: str
    gate: str
    features: dict[str, float]
    feature_version: int
    stage: int
    p1: float | None
    p2: float | None
    threshold: float | None
    decision: str
    reason: str
    why: str
    rule: str
    propensity: float
    explored: bool
    shown: bool
    n_chars: int
    outcome: str
    visible_ms: float
    accepted_chars: int
    retained: float | None
    label: int | None
    weight: float


def summary(path: Path, session: str = "") -> Summary:
    """Everything at a glance; with ``session``, only what that session did."""
    with asking(path) as ask:
        if ask is None:
            return Summary()
        mine = {"session": session}
        count, sessions, first, last, cancelled, speed = ask.execute(_SPAN, mine).fetchone()
        shown, accepted = ask.execute(_CHARS, mine).fetchone()
        outcomes = dict(ask.execute(_OUTCOMES, mine).fetchall())
        return Summary(
            opportunities=count,
            sessions=sessions,
            impressions=sum(outcomes.values()),
            cancelled=cancelled,
            first_ms=first,
            last_ms=last,
            decisions=dict(ask.execute(_DECISIONS, mine).fetchall()),
            reasons=dict(ask.execute(_REASONS, mine).fetchall()),
            outcomes=outcomes,
            latency=_percentiles(ask, mine),
            tokens_per_second=speed,
            shown_chars=shown,
            accepted_chars=accepted,
            bytes=path.stat().st_size,
        )


def recent(path: Path, count: int = 20, session: str = "") -> list[Recent]:
    """The last ``count`` opportunities, newest first."""
    with asking(path) as ask:
        if ask is None:
            return []
        return [Recent(**dict(row)) for row in ask.execute(_RECENT, {"session": session, "count": count})]


def gate_rows(path: Path, since: int = 0, chunk: int = 2000) -> Iterator[GateRow]:
    """Every opportunity of UTC milliseconds ``since`` or later, oldest first, with its labels.

    Reads ``chunk`` rows at a time and lets the file go in between, so that a learner never holds up a server.
    """
    row = -1
    while True:
        with asking(path) as ask:
            mark = {"since": since, "last": row, "chunk": chunk}
            found = [] if ask is None else [dict(one) for one in ask.execute(_GATE_ROWS, mark)]
        for one in found:
            row = one.pop("_row")
            yield _gate_row(one)
        if len(found) < chunk:
            return
        since = found[-1]["ts_ms"]


def _gate_row(row: dict[str, Any]) -> GateRow:
    label, weight = LABELS.get(row["outcome"], (None, 0.0))
    for name in ("explored", "shown"):
        row[name] = bool(row[name])
    return GateRow(**{**row, "features": json.loads(row["features"])}, label=label, weight=weight)


def _percentiles(ask: sqlite3.Connection, mine: dict[str, str]) -> Percentiles:
    (n,) = ask.execute(f"SELECT count(*) {_ANSWERED}", mine).fetchone()

    def at(percent: int) -> float | None:
        rank = max(-(-n * percent // 100), 1) - 1
        row = ask.execute(f"SELECT o.t_total {_ANSWERED} ORDER BY 1 LIMIT 1 OFFSET {rank}", mine).fetchone()
        return None if row is None else float(row[0])

    return Percentiles(n, at(50), at(95))


@contextmanager
def asking(path: Path) -> Iterator[sqlite3.Connection | None]:
    """A connection inside one read transaction, so that all answers agree; None while there are no tables."""
    if not path.exists():
        yield None
        return
    with reading(path) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        connection.execute("BEGIN")
        yield connection if version else None
