"""Counts kept beside the raw rows, so that a dashboard reads thousands of rows instead of a million.

An hour whose rows changed is noted in ``stale`` (by triggers) and its span counted again whole: nothing is ever added up
twice, and the counts are by construction what a scan says. A span is an hour of the last days, or an older day. Readers take
the counts, and scan only what is stale. Knows the tables, not who asks.
"""

from __future__ import annotations

import sqlite3
import time

from telemetry import schema
from telemetry.events import LABELS

SPANS_AT_ONCE = 2  # one short transaction: two days of a busy user are some 20,000 rows, 0.3 s; two hours are 15 ms
RECENT_DAYS = 2  # whole days before today that are counted by the hour
WHOLE_DAY, FOR_GOOD = -2, -1  # in place of the hour: a day that can be counted again, a day whose raw rows are gone
BINS = 100  # of a probability
PHASES = ("t_wait", "t_context", "t_prefill", "t_decode", "t_total")
HORIZONS_S = (30, 120, 300)
_OCTAVES = 16  # of quarter milliseconds above the first 32: up to nine minutes

Span = tuple[int, int, int]  # hour or WHOLE_DAY, first millisecond, the millisecond after the last

_SPANS = f"""
SELECT DISTINCT
    CASE WHEN by_hour THEN hour % 24 ELSE {WHOLE_DAY} END,
    CASE WHEN by_hour THEN hour * 3600000 ELSE hour / 24 * 86400000 END AS start,
    CASE WHEN by_hour THEN (hour + 1) * 3600000 ELSE (hour / 24 + 1) * 86400000 END
FROM (
    SELECT hour, hour >= ? AND NOT EXISTS (
        SELECT 1 FROM main.daily d WHERE d.day = date(stale.hour * 3600, 'unixepoch') AND d.hour = {WHOLE_DAY}
    ) AS by_hour FROM stale)
ORDER BY start DESC LIMIT ?
"""
_OPPORTUNITIES = "spans s CROSS JOIN opportunity o ON o.ts_ms >= s.start AND o.ts_ms < s.stop"
_ENDS = """
LEFT JOIN impression i ON i.opportunity = o.id
LEFT JOIN outcome c ON c.impression = i.id AND c.final = 1"""
_FIRST = "coalesce(i.rank, 0) = 0"  # an opportunity with several impressions counts once
_IS_RECOUNTED = f"""t.day IN (SELECT day FROM spans) AND EXISTS (
    SELECT 1 FROM spans s WHERE s.day = t.day AND (s.hour = t.hour OR s.hour = {WHOLE_DAY} AND t.hour >= 0))"""


def _retained() -> tuple[str, str]:
    sums = ", ".join(f"sum(coalesce(r{h}.accepted_chars, 0)), sum(coalesce(r{h}.retained_chars, 0))" for h in HORIZONS_S)
    joins = " ".join(f"LEFT JOIN retention r{h} ON r{h}.impression = i.id AND r{h}.horizon_s = {h}" for h in HORIZONS_S)
    return sums, joins


def _case(place: int) -> str:
    whens = " ".join(f"WHEN '{kind}' THEN {label[place]}" for kind, label in LABELS.items())
    return f"CASE c.kind {whens} END"


def _bucket(value: str) -> str:
    """A whole number of quarter milliseconds as a bucket: 32 single steps, then 16 for each doubling (6 % wide)."""
    whens = " ".join(f"WHEN {value} < {64 << k} THEN {16 * (k + 1)} + ({value} >> {k + 1})" for k in range(_OCTAVES))
    return f"CASE WHEN {value} < 32 THEN max({value}, 0) {whens} ELSE {16 * (_OCTAVES + 2)} END"


def bucket_ms(bucket: int) -> tuple[float, float]:
    """The milliseconds from (inclusive) and to (exclusive) which a bucket holds; the last one has no end."""
    if bucket < 32:
        return bucket / 4, (bucket + 1) / 4
    doublings, step = bucket // 16 - 1, 16 + bucket % 16
    top = float("inf") if bucket >= 16 * (_OCTAVES + 2) else (step + 1 << doublings) / 4
    return (step << doublings) / 4, top


_SUMS, _JOINS = _retained()

_DAILY = f"""
SELECT s.day, s.hour, o.kind, o.trigger, o.language, o.model, o.gate, o.decision, o.reason, o.why, o.rule, o.explored,
    coalesce(c.kind, ''), {schema.VERSION}, sum({_FIRST}), sum(o.cancelled * ({_FIRST})), sum((o.new_tokens > 0) * ({_FIRST})),
    sum(o.new_tokens * ({_FIRST})), total(o.t_total * ({_FIRST})), total(o.t_decode * ({_FIRST})),
    count(i.id), sum(coalesce(i.n_chars, 0)), sum(coalesce(c.accepted_chars, 0)), sum(coalesce(c.accepted_lines, 0)),
    total(c.visible_ms), {_SUMS}, coalesce(sum(r120.accepted_chars > 0), 0),
    coalesce(sum(r120.accepted_chars > 0 AND 2 * r120.retained_chars >= r120.accepted_chars), 0),
    coalesce(sum((o.saved_tokens > 0) * ({_FIRST})), 0), coalesce(sum(o.saved_tokens * ({_FIRST})), 0)
FROM {_OPPORTUNITIES} {_ENDS} {_JOINS}
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13
"""
_LATENCY = f"""
SELECT day, hour, phase, decision, {_bucket("quarters")} AS bucket, {schema.VERSION}, count(*)
FROM ({
    " UNION ALL ".join(
        f"SELECT s.day, s.hour, '{phase}' AS phase, o.decision, CAST(o.{phase} * 4 AS INTEGER) AS quarters "
        f"FROM {_OPPORTUNITIES} WHERE o.{phase} > 0 AND o.kind = 'inline'"
        for phase in PHASES
    )
}
    UNION ALL SELECT s.day, s.hour, o.kind, o.decision, CAST(o.t_total * 4 AS INTEGER)
    FROM {_OPPORTUNITIES} WHERE o.t_total > 0 AND o.kind <> 'inline'
)
GROUP BY 1, 2, 3, 4, 5
"""
_CALIBRATION = f"""
SELECT day, hour, gate, stage, min(max(CAST(p * {BINS} AS INTEGER), 0), {BINS - 1}) AS bin, {schema.VERSION},
    count(*), sum(seen), count(label), coalesce(sum(label), 0),
    total(importance / max(propensity, 1e-6)), total(importance * label / max(propensity, 1e-6))
FROM ({
    " UNION ALL ".join(
        f"SELECT s.day, s.hour, o.gate, {stage} AS stage, o.p{stage} AS p, i.id IS NOT NULL AS seen, o.propensity, "
        f"{_case(0)} AS label, {_case(1)} AS importance "
        f"FROM {_OPPORTUNITIES} {_ENDS} WHERE o.p{stage} IS NOT NULL AND o.kind = 'inline'"
        for stage in (1, 2)
    )
})
GROUP BY 1, 2, 3, 4, 5
"""
_EXITS = f"""
SELECT s.day, s.hour, e.layer, {schema.VERSION}, sum(e.tokens)
FROM {_OPPORTUNITIES} CROSS JOIN exits e ON e.opportunity = o.id
GROUP BY 1, 2, 3
"""
_COUNTED = {"daily": _DAILY, "daily_latency": _LATENCY, "daily_calibration": _CALIBRATION, "daily_exits": _EXITS}


def with_current(connection: sqlite3.Connection, table: str) -> str:
    """A WITH clause under which ``table`` has the counts of this moment: what is stale is counted on the spot."""
    found = _stale_spans(connection, -1)
    if not found:
        return ""
    kept = f"SELECT * FROM main.{table} t WHERE NOT ({_IS_RECOUNTED})"
    return f"WITH {_values(found)}, {table} AS ({kept} UNION ALL {_COUNTED[table]})"


def fold(connection: sqlite3.Connection, spans: int = SPANS_AT_ONCE) -> bool:
    """Count up to ``spans`` stale spans again, the newest first. Returns whether some are left. Raises `sqlite3.Error`."""
    if not _any_stale(connection):
        return False
    connection.execute("BEGIN IMMEDIATE")
    try:
        recount(connection, spans)
        left = _any_stale(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return left


def recount(connection: sqlite3.Connection, spans: int = -1) -> None:
    """`fold` inside the caller's transaction; -1 spans are all."""
    found = _stale_spans(connection, spans)
    if not found:
        return
    for table, rows in _COUNTED.items():
        connection.execute(f"WITH {_values(found)} DELETE FROM {table} AS t WHERE {_IS_RECOUNTED}")
        connection.execute(f"WITH {_values(found)} INSERT INTO {table} {rows}")
    for _, start, stop in found:
        connection.execute("DELETE FROM stale WHERE hour >= ? AND hour < ?", (start // 3_600_000, stop // 3_600_000))


def settle(connection: sqlite3.Connection) -> None:
    """Have the hours of days that are no longer recent counted as days; `fold` does it."""
    old = "FROM daily WHERE hour >= 0 AND day < date(:first * 3600, 'unixepoch')"
    first = {"first": recent_hour()}
    if not connection.execute(f"SELECT EXISTS(SELECT 1 {old})", first).fetchone()[0]:
        return  # the usual start of a server: no write
    hour = "strftime('%s', day) / 3600"
    connection.execute(f"INSERT INTO stale SELECT DISTINCT {hour} {old} AND {hour} NOT IN (SELECT hour FROM stale)", first)


def recent_hour() -> int:
    """The first hour, in hours since 1970, that is counted by itself."""
    return (int(time.time()) // 86_400 - RECENT_DAYS) * 24


def _stale_spans(connection: sqlite3.Connection, limit: int) -> list[Span]:
    return [(int(hour), int(start), int(stop)) for hour, start, stop in connection.execute(_SPANS, (recent_hour(), limit))]


def _values(found: list[Span]) -> str:
    rows = ", ".join(f"(date({start:d} / 1000, 'unixepoch'), {hour:d}, {start:d}, {stop:d})" for hour, start, stop in found)
    return f"spans(day, hour, start, stop) AS (VALUES {rows})"


def _any_stale(connection: sqlite3.Connection) -> bool:
    return bool(connection.execute("SELECT EXISTS(SELECT 1 FROM stale)").fetchone()[0])


def keep_for_good(connection: sqlite3.Connection, before_day: str) -> None:
    """Make final counts of days before ``before_day``: their raw rows are going. Inside the caller's transaction."""
    for table in _COUNTED:
        columns = [(row[1], bool(row[5])) for row in connection.execute(f"PRAGMA table_info({table})")]
        keys = [name for name, key in columns if key and name != "hour"]
        sums = [name for name, key in columns if not key and name != "schema_version"]
        news = ", ".join(f"{name} = {name} + excluded.{name}" for name in sums)
        going = f"hour <> {FOR_GOOD} AND day < ?"
        connection.execute(
            f"INSERT INTO {table}({', '.join(keys)}, hour, schema_version, {', '.join(sums)}) "
            f"SELECT {', '.join(keys)}, {FOR_GOOD}, {schema.VERSION}, {', '.join(f'sum({name})' for name in sums)} "
            f"FROM {table} WHERE {going} GROUP BY {', '.join(keys)} "
            f"ON CONFLICT({', '.join(keys)}, hour) DO UPDATE SET {news}",
            (before_day,),
        )
        connection.execute(f"DELETE FROM {table} WHERE {going}", (before_day,))
