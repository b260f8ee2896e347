"""What the page draws, as one JSON object: counts, and rates that never go without their n and interval.

Everything is asked of `telemetry.panels`, whose answers come from counts. Knows no web.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import asdict, fields
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from telemetry import disk, panels, retention
from telemetry.dashboard import curves, lists
from telemetry.panels import Counts

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
SPANS = (7, 30, 90, 400)
"""Days that can be looked at."""


def summary(path: Path, days: int, offset_min: int, now_ms: int | None = None) -> dict[str, Any]:
    """All panels for the last ``days`` UTC days.

    ``offset_min`` is what the browser's clock is ahead of UTC, for "today". Raises `telemetry.connection.UnreadableError`.
    """
    now = int(time.time() * 1000) if now_ms is None else now_ms
    since = _day(now - (days - 1) * DAY_MS)
    midnight = _midnight(now, offset_min)
    total = panels.total(path, since)
    return {
        "now_ms": now,
        "days": days,
        "since_ms": _start(since),
        "midnight_ms": midnight,
        "today": _told(_today(path, midnight)),
        "total": _told(total),
        "by_day": {day: _told(row) for day, row in panels.days(path, since).items()},
        "by": {name: {key: _told(row) for key, row in panels.by(path, name, since).items()} for name in panels.DIMENSIONS},
        "latency": {which: _latencies(path, since, which) for which in ("show", "hide")},
        "timeline": lists.timeline(path, _start(since)),
        "exits": panels.exits(path, since),
        "rules": {kind: _rules(path, kind, since) for kind in ("next_edit", "review")},
        "speed": total.new_tokens * 1000 / total.decode_ms if total.decode_ms else None,
        "gate": _gate(path, since, total),
        "models": lists.models(path),
        "data": _data(path),
    }


def rate(positives: int, n: int, independent: int | None = None) -> dict[str, Any]:
    """A rate as its two counts and its 95 % interval; whoever shows it has all four.

    ``independent``: how many of the n tell something of their own, where that is fewer (characters come by the suggestion).
    ``few``: too few for a share without its interval beside it, or for a point in a chart.
    """
    counted = n if independent is None else min(independent, n)
    low, high = panels.wilson(positives * counted / n if n else 0, counted)
    return {"k": positives, "n": n, "low": low, "high": high, "few": counted < curves.FEWEST}


def signature(path: Path) -> str:
    """Something that changes when the store's file or its log does, or the record is paused."""
    parts = []
    for name in (path.name, f"{path.name}-wal", disk.PAUSED):
        try:
            stat = path.with_name(name).stat()
        except OSError:
            continue
        parts.append(f"{stat.st_mtime_ns:x}.{stat.st_size:x}")
    return "-".join(parts) or "none"


def _told(row: Counts) -> dict[str, Any]:
    return {
        **asdict(row),
        "acceptance": rate(row.accepted, row.judged),
        "kept_share": rate(row.retained_120, row.checked_120, row.accepted),
        "stopped": rate(row.ended_early, row.generated),
        "hidden_share": rate(row.hidden, row.hidden + row.shown),
        "cancelled_share": rate(row.cancelled, row.opportunities),
    }


def _rules(path: Path, kind: str, since: str) -> dict[str, dict[str, Any]]:
    """Each rule's counts, and how its shown ones ended (empty while they have not)."""
    found = panels.rules(path, kind, since)
    return {
        rule: {**_told(_sum(ends.values())), "ends": {end: row.shown for end, row in ends.items() if row.shown}}
        for rule, ends in found.items()
    }


def _gate(path: Path, since: str, total: Counts) -> dict[str, Any]:
    explored = panels.explored(path, since)
    return {
        "hidden_share": rate(total.hidden, total.hidden + total.shown),
        "explored": _told(explored),
        "silence": asdict(panels.silence(path)),
        "hidden": panels.hidden(path),
        "curves": curves.by_gate(panels.calibration(path, since=since)),
        "versions": lists.gates(path),
    }


def _latencies(path: Path, since: str, decision: str) -> dict[str, Any]:
    return {phase: asdict(row) for phase, row in panels.latencies(path, since, decision).items()}


def _data(path: Path) -> dict[str, Any]:
    return {
        "path": str(path),
        "bytes": path.stat().st_size if path.exists() else 0,
        "paused": disk.paused(path.parent),
        "raw_days": retention.RAW_DAYS,
        "daily_days": retention.DAILY_DAYS,
        **{"days": 0, "opportunities": 0, **panels.tables(path)},
    }


def _today(path: Path, midnight_ms: int) -> Counts:
    """Since local midnight, to the hour: where a zone is off by half an hour, the half hour before counts as well."""
    hours = panels.hours(path, _day(midnight_ms)).items()
    return _sum(row for (day, hour), row in hours if hour >= 0 and _start(day) + (hour + 1) * HOUR_MS > midnight_ms)


def _sum(rows: Iterable[Counts]) -> Counts:
    found = list(rows)
    return Counts(**{field.name: sum(getattr(row, field.name) for row in found) for field in fields(Counts)})


def _midnight(now_ms: int, offset_min: int) -> int:
    ahead = offset_min * 60_000
    return (now_ms + ahead) // DAY_MS * DAY_MS - ahead


def _day(ms: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(milliseconds=ms)).strftime("%Y-%m-%d")


def _start(day: str) -> int:
    return int(datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=timezone.utc).timestamp() * 1000)
