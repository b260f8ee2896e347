"""The rows behind every number: fixed questions with bound values, each of bounded work however many rows there are.

Filters are words of known lists; the SQL is ours alone. Knows the tables, not the pages. Errors are those of
`telemetry.queries`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from telemetry.events import LABELS
from telemetry.queries import asking

PAGE = 100
DEPTH = 20_000
"""Opportunities looked at for one page: some 100 ms. A rare filter says how far it looked, and can go on from there."""

FOREVER_MS = 1 << 53

_TAKEN = ", ".join(f"'{kind}'" for kind, (label, _) in LABELS.items() if label)
_JUDGED = ", ".join(f"'{kind}'" for kind, (_, weight) in LABELS.items() if weight == 1.0)
STEPS = {
    "": "o.kind <> 'review' OR :kind IS NOT NULL",
    "all": "1",
    "skipped": "o.decision IN ('skip', 'suppressed_rule')",
    "generated": "o.new_tokens > 0",
    "hidden": "o.decision = 'hide'",
    "shown": "i.id IS NOT NULL",
    "judged": f"c.kind IN ({_JUDGED})",
    "accepted": f"c.kind IN ({_TAKEN})",
    "unread": "c.kind = 'unread'",
    "checked": "r.accepted_chars > 0",
    "retained": "r.retained_chars > 0",
    "kept": "r.accepted_chars > 0 AND 2 * r.retained_chars >= r.accepted_chars",
    "ended_early": "o.saved_tokens > 0",
    "explored": "o.explored",
    "cancelled": "o.cancelled",
}
"""As `telemetry.panels` counts them: review comments only where they are asked for, or with ``all``."""

EQUAL = {
    "kind": "o.kind", "trigger": "o.trigger", "language": "o.language", "model": "o.model", "gate": "o.gate",
    "decision": "o.decision", "reason": "o.reason", "why": "o.why", "rule": "o.rule",
    "outcome": "coalesce(c.kind, '')", "session": "o.session",
}  # fmt: skip
"""Filters by equality: `telemetry.panels.DIMENSIONS`, and the session."""

_SPAN = "ts_ms >= :since AND (ts_ms, rowid) < (:until, :row)"
_ENDS = """
LEFT JOIN impression i ON i.opportunity = o.id
LEFT JOIN outcome c ON c.impression = i.id AND c.final = 1
LEFT JOIN retention r ON r.impression = i.id AND r.horizon_s = 120"""
_ROWS = f"""
WITH page AS (SELECT rowid AS _row, * FROM opportunity WHERE {_SPAN} ORDER BY ts_ms DESC, rowid DESC LIMIT :depth)
SELECT o._row, o.id, o.ts_ms, o.kind, o.language, o.trigger, o.decision, o.reason, o.why, o.rule, o.explored, o.stage,
    coalesce(o.p2, o.p1) AS p, o.threshold, o.t_total, i.n_chars, c.kind AS outcome, c.visible_ms, c.accepted_chars,
    r.retained_chars
FROM page o {_ENDS}
WHERE ({{step}}) AND {" AND ".join(f"(:{name} IS NULL OR {column} = :{name})" for name, column in EQUAL.items())}
ORDER BY o.ts_ms DESC, o._row DESC LIMIT :count
"""
_END = f"SELECT ts_ms, rowid FROM opportunity WHERE {_SPAN} ORDER BY ts_ms DESC, rowid DESC LIMIT 1 OFFSET :depth - 1"
_PARTS = {
    "impressions": "SELECT * FROM impression WHERE opportunity = :id",
    "outcomes": "SELECT c.* FROM impression i JOIN outcome c ON c.impression = i.id WHERE i.opportunity = :id",
    "retentions": "SELECT r.* FROM impression i JOIN retention r ON r.impression = i.id WHERE i.opportunity = :id",
}


def page(
    path: Path, step: str, equal: Mapping[str, str], since: int, until: int, row: int = FOREVER_MS, depth: int = DEPTH
) -> dict[str, Any]:
    """Up to `PAGE` opportunities of [since, until) in UTC milliseconds, newest first, that pass the filters.

    ``next`` is where to go on (``until`` and ``row`` of the next call), None at the end. Raises KeyError for an unknown step.
    """
    values: dict[str, Any] = {name: equal.get(name) for name in EQUAL}
    values |= {"since": since, "until": until, "row": row, "depth": depth, "count": PAGE}
    sql = _ROWS.format(step=f"({STEPS[step]}) AND ({STEPS['']})" if step != "all" else "1")
    with asking(path) as ask:
        if ask is None:
            return {"rows": [], "next": None}
        found = [dict(one) for one in ask.execute(sql, values)]
        span = {name: values[name] for name in ("since", "until", "row", "depth")}
        end = ask.execute(_END, span).fetchone()
    marks = [one.pop("_row") for one in found]
    if len(found) == PAGE:
        end = (found[-1]["ts_ms"], marks[-1])
    return {"rows": found, "next": {"until": end[0], "row": end[1]} if end else None}


def one(path: Path, opportunity: str) -> dict[str, Any] | None:
    """Everything stored of one opportunity, None where there is no such row."""
    with asking(path) as ask:
        if ask is None:
            return None
        found = ask.execute("SELECT * FROM opportunity WHERE id = :id", {"id": opportunity}).fetchone()
        if found is None:
            return None
        parts = {name: [dict(row) for row in ask.execute(sql, {"id": opportunity})] for name, sql in _PARTS.items()}
    return {**dict(found), "features": json.loads(found["features"]), **parts}


def timeline(path: Path, since: int, count: int = 1000) -> dict[str, list[Any]]:
    """The last ``count`` suggestions shown at the cursor since then, oldest first: ids, UTC ms, and milliseconds by column."""
    names = ("id", "ts_ms", "t_total", "t_prefill", "t_decode")
    sql = (
        f"WITH page AS (SELECT * FROM opportunity WHERE ts_ms >= :since ORDER BY ts_ms DESC LIMIT :depth) "
        f"SELECT {', '.join(names)} FROM page WHERE decision = 'show' AND kind = 'inline' AND t_total > 0 "
        "ORDER BY ts_ms DESC LIMIT :count"
    )
    with asking(path) as ask:
        rows = [] if ask is None else ask.execute(sql, {"since": since, "depth": 4 * count, "count": count}).fetchall()
    return {name: [row[name] for row in reversed(rows)] for name in names}


def models(path: Path) -> dict[str, str]:
    """Names of models by id, with how their weights are stored."""
    with asking(path) as ask:
        rows = [] if ask is None else ask.execute("SELECT id, name, quantization FROM model").fetchall()
    return {row["id"]: f"{row['name']} ({row['quantization']})" for row in rows}


def gates(path: Path) -> list[dict[str, Any]]:
    """Gate versions, newest first, without their parameters."""
    with asking(path) as ask:
        if ask is None:
            return []
        rows = ask.execute("SELECT id, kind, created_ms, n FROM gate ORDER BY created_ms DESC LIMIT 50")
        return [dict(row) for row in rows]
