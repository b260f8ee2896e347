"""What a dashboard asks: counts of any span, in milliseconds even where the store holds a million opportunities.

Answers come from the ``daily`` tables and from short runs of an index, never from a scan of raw rows. Every count comes with
its n; `wilson` gives the interval of a rate. Knows no page. Errors are those of `telemetry.queries`.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from telemetry import aggregates
from telemetry.events import LABELS
from telemetry.queries import asking

DIMENSIONS = ("kind", "trigger", "language", "model", "gate", "decision", "reason", "why", "rule", "outcome")
_TAKEN = ", ".join(f"'{kind}'" for kind, (label, _) in LABELS.items() if label)
_JUDGED = ", ".join(f"'{kind}'" for kind, (_, weight) in LABELS.items() if weight == 1.0)


@dataclass(frozen=True)
class Counts:
    """Of one span and group. ``skipped`` were not computed, ``hidden`` computed but kept back, ``shown`` reached the eyes.

    ``judged`` are the shown ones that were clearly taken or refused, ``accepted`` those taken (also in part, or typed
    through). ``checked_120`` accepted characters were looked at again two minutes later, ``retained_120`` of them stood there;
    of ``checked`` suggestions ``kept`` had half of their text or more. ``explored`` counts hides that chance overruled. The
    A doubted token ended ``ended_early`` answers and so saved at most ``saved_tokens``.
    """

    opportunities: int = 0
    skipped: int = 0
    generated: int = 0
    hidden: int = 0
    shown: int = 0
    explored: int = 0
    cancelled: int = 0
    judged: int = 0
    accepted: int = 0
    unread: int = 0
    shown_chars: int = 0
    accepted_chars: int = 0
    checked_30: int = 0
    retained_30: int = 0
    checked_120: int = 0
    retained_120: int = 0
    checked_300: int = 0
    retained_300: int = 0
    checked: int = 0
    kept: int = 0
    ended_early: int = 0
    saved_tokens: int = 0
    visible_ms: float = 0.0
    new_tokens: int = 0
    decode_ms: float = 0.0


@dataclass(frozen=True)
class Latency:
    """Of one phase: nearest-rank percentiles in milliseconds, right to the width of a bucket (3 % either way)."""

    n: int
    p50: float
    p95: float


@dataclass(frozen=True)
class Bin:
    """Opportunities to which a gate's stage gave a probability in [low, low + 0.01); ``weight`` sums 1 / propensity."""

    gate: str
    stage: int
    low: float
    n: int
    shown: int
    labelled: int
    positives: int
    weight: float
    positive_weight: float


@dataclass(frozen=True)
class Silence:
    """Opportunities in a row without anything shown: now, and the longest run among the last ``among``."""

    now: int
    longest: int
    among: int


_SUMS = {
    "opportunities": "sum(n)",
    "skipped": "sum(n * (decision IN ('skip', 'suppressed_rule')))",
    "generated": "sum(generated)",
    "hidden": "sum(n * (decision = 'hide'))",
    "shown": "sum(impressions)",
    "explored": "sum(n * explored)",
    "judged": f"sum(impressions * (outcome IN ({_JUDGED})))",
    "accepted": f"sum(impressions * (outcome IN ({_TAKEN})))",
    "unread": "sum(impressions * (outcome = 'unread'))",
}
_COUNTS = ", ".join(f"{_SUMS.get(f.name, f'sum({f.name})')} AS {f.name}" for f in fields(Counts))


_SUGGESTED = "kind <> 'review'"
"""A review comment is no suggestion at the cursor: it counts by itself."""


def days(path: Path, since: str = "", until: str = "9999") -> dict[str, Counts]:
    """By UTC day (as 2026-01-31), from ``since`` on and before ``until``, in order. Review comments left out."""
    return _counts(path, "day", since, until)


def hours(path: Path, since: str = "", until: str = "9999") -> dict[tuple[str, int], Counts]:
    """By UTC day and hour, for today in another time zone; a negative hour holds a whole day of more than two days ago."""
    sql = f"SELECT day, hour, {_COUNTS} FROM daily WHERE day >= :since AND day < :until AND {_SUGGESTED} GROUP BY 1, 2"
    return {(row.pop("day"), row.pop("hour")): Counts(**row) for row in _rows(path, sql, since=since, until=until)}


def by(path: Path, dimension: str, since: str = "", until: str = "9999") -> dict[str, Counts]:
    """By one of `DIMENSIONS`; review comments are among them by kind only. Raises ValueError for another."""
    if dimension not in DIMENSIONS:
        raise ValueError(f"{dimension} is none of {', '.join(DIMENSIONS)}")
    return _counts(path, dimension, since, until, "1" if dimension == "kind" else _SUGGESTED)


def rules(path: Path, kind: str, since: str = "") -> dict[str, dict[str, Counts]]:
    """Of one kind (next_edit or review), by rule and then by outcome (empty while there is none)."""
    sql = f"SELECT rule, outcome, {_COUNTS} FROM daily WHERE day >= :since AND kind = :kind GROUP BY 1, 2 ORDER BY 1, 2"
    found: dict[str, dict[str, Counts]] = defaultdict(dict)
    for row in _rows(path, sql, since=since, kind=kind):
        rule, outcome = row.pop("rule"), row.pop("outcome")
        found[rule][outcome] = Counts(**row)
    return dict(found)


def exits(path: Path, since: str = "") -> dict[int, int]:
    """Tokens by the layer after which they left the model; nothing where every token ran through all layers."""
    sql = "SELECT layer, sum(n) AS n FROM daily_exits WHERE day >= :since GROUP BY 1 ORDER BY 1"
    return {row["layer"]: row["n"] for row in _rows(path, sql, since=since)}


def total(path: Path, since: str = "", until: str = "9999") -> Counts:
    return _counts(path, "''", since, until).get("", Counts())


def explored(path: Path, since: str = "") -> Counts:
    """What became of the hides that chance overruled: the gate's own control group."""
    sql = f"SELECT explored AS _key, {_COUNTS} FROM daily WHERE day >= :since AND explored AND {_SUGGESTED} GROUP BY 1"
    return next(
        (Counts(**{name: row[name] for name in row if name != "_key"}) for row in _rows(path, sql, since=since)), Counts()
    )


def latencies(path: Path, since: str = "", decision: str = "show") -> dict[str, Latency]:
    """By phase, of opportunities with this ``decision``; a phase that cost nothing is left out."""
    sql = (
        "SELECT phase, bucket, sum(n) AS n FROM daily_latency "
        "WHERE day >= :since AND decision = :decision GROUP BY 1, 2 ORDER BY 1, 2"
    )
    phases: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for row in _rows(path, sql, since=since, decision=decision):
        phases[row["phase"]].append((row["bucket"], row["n"]))
    return {phase: _latency(buckets) for phase, buckets in phases.items()}


def calibration(path: Path, gate: str | None = None, since: str = "") -> list[Bin]:
    """How often each probability came true, for one gate version or all: a reliability diagram, a precision-coverage curve."""
    sql = (
        "SELECT gate, stage, bin, sum(n) AS n, sum(shown) AS shown, sum(labelled) AS labelled, sum(positives) AS positives, "
        "sum(weight) AS weight, sum(positive_weight) AS positive_weight FROM daily_calibration "
        "WHERE day >= :since AND (:gate IS NULL OR gate = :gate) GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
    )
    return [Bin(low=row.pop("bin") / aggregates.BINS, **row) for row in _rows(path, sql, since=since, gate=gate)]


def hidden(path: Path, count: int = 50) -> list[dict[str, Any]]:
    """The last ``count`` suggestions that were computed and hidden, newest first, with what the gate thought of them."""
    sql = (
        "SELECT id, session, ts_ms, kind, language, trigger, reason, why, gate, stage, p1, p2, threshold, propensity, features "
        "FROM opportunity WHERE decision = 'hide' AND kind <> 'review' ORDER BY ts_ms DESC LIMIT :count"
    )
    return _rows(path, sql, count=count)


def silence(path: Path, among: int = 1000) -> Silence:
    """How long the gate has kept silent, over the last ``among`` automatic opportunities at the cursor."""
    sql = "SELECT decision FROM opportunity WHERE trigger = 'automatic' AND kind = 'inline' ORDER BY ts_ms DESC LIMIT :among"
    runs, found = [0], _rows(path, sql, among=among)
    for row in found:
        if row["decision"] == "show":
            runs.append(0)
        else:
            runs[-1] += 1
    return Silence(runs[0], max(runs), len(found))


def tables(path: Path) -> dict[str, int]:
    """Days there are counts of, and opportunities there are still raw rows of."""
    sql = "SELECT count(DISTINCT day) AS days, sum(n * (hour <> -1)) AS opportunities FROM daily"
    return {name: int(count or 0) for row in _rows(path, sql) for name, count in row.items()}


def wilson(positives: float, n: float, z: float = 1.96) -> tuple[float, float]:
    """The 95 % interval of a rate; (0, 1) where nothing is known."""
    if n <= 0:
        return 0.0, 1.0
    rate, spread = positives / n, z * z / n
    middle, half = rate + spread / 2, z * math.sqrt(rate * (1 - rate) / n + spread / (4 * n))
    return max(0.0, (middle - half) / (1 + spread)), min(1.0, (middle + half) / (1 + spread))


def _counts(path: Path, key: str, since: str, until: str, which: str = _SUGGESTED) -> dict[str, Counts]:
    sql = f"SELECT {key} AS _key, {_COUNTS} FROM daily WHERE day >= :since AND day < :until AND {which} GROUP BY 1 ORDER BY 1"
    return {row.pop("_key"): Counts(**row) for row in _rows(path, sql, since=since, until=until)}


def _latency(buckets: list[tuple[int, int]]) -> Latency:
    n = sum(count for _, count in buckets)

    def at(percent: int) -> float:
        rank = max(-(-n * percent // 100), 1)
        for bucket, count in buckets:
            rank -= count
            if rank <= 0:
                low, high = aggregates.bucket_ms(bucket)
                return low if math.isinf(high) else (low + high) / 2
        raise AssertionError("ranks end within the counts")

    return Latency(n, at(50), at(95))


def _rows(path: Path, sql: str, **values: object) -> list[dict[str, Any]]:
    with asking(path) as ask:
        if ask is None:
            return []
        (table,) = re.findall(r" FROM (\w+)", sql)
        counts = aggregates.with_current(ask, table) if table.startswith("daily") else ""
        return [dict(row) for row in ask.execute(f"{counts} {sql}", values)]
