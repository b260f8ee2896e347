"""The tables, as SQL, and the version of their shape. Runs nothing; `telemetry.migrations` applies it.

No foreign keys on purpose: events arrive in any order and in different transactions, and a row whose partner was dropped (a
full queue) is still worth keeping. Rows are linked by id; readers join, pruning removes what is left alone.
The ``daily`` tables hold counts by hour (UTC) of the last days, by day (``hour`` -2) while there are raw rows to count, and
by day for good (``hour`` -1) after that.
The checks keep source text and paths out even if a caller hands them in: words, ULIDs and 64-bit hex keys only.
"""

from __future__ import annotations

import sqlite3

VERSION = 3
TABLES = (
    "session", "model", "gate", "opportunity", "exits", "impression", "outcome", "retention",
    "daily", "daily_latency", "daily_calibration", "daily_exits",
)  # fmt: skip
"""What belongs to the user: exported, and erased. ``stale`` is the store's own note of hours to count again."""

# STRICT refuses a value of the wrong type; SQLite knows it from 3.37 on. Below that the rows are the same, unchecked.
STRICT = " STRICT" if sqlite3.sqlite_version_info >= (3, 37) else ""


def _word(*columns: str) -> str:
    """Constraints: each column holds lower-case words, as in the enumerations of `telemetry.events`."""
    return ", ".join(f"CHECK({column} NOT GLOB '*[^a-z_ ]*')" for column in columns)


def _id(*columns: str) -> str:
    return ", ".join(f"CHECK(length({column}) <= 40 AND {column} NOT GLOB '*[^0-9A-Za-z_-]*')" for column in columns)


def _counted(name: str, table: str, which: str) -> str:
    """A trigger: a new row of ``table`` makes the hour of its opportunity count again.

    A row that comes before its opportunity notes nothing; the opportunity will.
    """
    return f"""CREATE TRIGGER {name} AFTER INSERT ON {table} BEGIN
    INSERT INTO stale SELECT o.ts_ms / 3600000 FROM opportunity o
        WHERE {which} AND o.ts_ms / 3600000 NOT IN (SELECT hour FROM stale);
END;"""


SUGGESTIONS = f"""
CREATE TABLE session(
    id TEXT PRIMARY KEY NOT NULL, schema_version INTEGER NOT NULL,
    pid INTEGER, client TEXT, client_version TEXT, server_version TEXT, started_ms INTEGER,
    ended_ms INTEGER, end_reason TEXT,
    {_id("id")}, {_word("end_reason")}
){STRICT};
CREATE TABLE model(
    id TEXT PRIMARY KEY NOT NULL, schema_version INTEGER NOT NULL,
    name TEXT NOT NULL, quantization TEXT NOT NULL, parameters INTEGER NOT NULL,
    CHECK(name NOT GLOB '[/~.]*' AND instr(name, char(92)) = 0)
){STRICT};
CREATE TABLE opportunity(
    id TEXT PRIMARY KEY NOT NULL, schema_version INTEGER NOT NULL,
    session TEXT NOT NULL, ts_ms INTEGER NOT NULL, mono_ms REAL NOT NULL,
    kind TEXT NOT NULL, language TEXT NOT NULL, file_key TEXT NOT NULL, trigger TEXT NOT NULL,
    model TEXT NOT NULL, gate TEXT NOT NULL,
    features TEXT NOT NULL, p1 REAL, p2 REAL, threshold REAL,
    decision TEXT NOT NULL, reason TEXT NOT NULL, propensity REAL NOT NULL, explored INTEGER NOT NULL,
    t_wait REAL NOT NULL, t_context REAL NOT NULL, t_prefill REAL NOT NULL, t_decode REAL NOT NULL, t_total REAL NOT NULL,
    prompt_tokens INTEGER NOT NULL, reused_tokens INTEGER NOT NULL, new_tokens INTEGER NOT NULL, cancelled INTEGER NOT NULL,
    CHECK(length(file_key) IN (0, 16) AND file_key NOT GLOB '*[^0-9a-f]*'),
    CHECK(length(language) <= 40 AND language NOT GLOB '*[^0-9A-Za-z_+#.-]*'),
    {_id("id", "session")}, {_word("kind", "trigger", "decision", "reason")}
){STRICT};
CREATE INDEX opportunity_by_time ON opportunity(ts_ms);
CREATE TABLE impression(
    id TEXT PRIMARY KEY NOT NULL, schema_version INTEGER NOT NULL,
    opportunity TEXT NOT NULL, shown_ms INTEGER NOT NULL, mono_ms REAL NOT NULL,
    n_chars INTEGER NOT NULL, n_lines INTEGER NOT NULL, n_tokens INTEGER NOT NULL,
    mean_logprob REAL, min_logprob REAL, rank INTEGER NOT NULL, source TEXT NOT NULL, how TEXT NOT NULL,
    {_id("id", "opportunity")}, {_word("source", "how")}
){STRICT};
CREATE INDEX impression_by_opportunity ON impression(opportunity);
CREATE TABLE outcome(
    impression TEXT NOT NULL, final INTEGER NOT NULL, schema_version INTEGER NOT NULL,
    kind TEXT NOT NULL, ts_ms INTEGER NOT NULL, mono_ms REAL NOT NULL,
    visible_ms REAL NOT NULL, accepted_chars INTEGER NOT NULL, accepted_lines INTEGER NOT NULL, how TEXT NOT NULL,
    PRIMARY KEY(impression, final),
    {_id("impression")}, {_word("kind", "how")}
){STRICT};
CREATE TABLE daily(
    day TEXT NOT NULL, kind TEXT NOT NULL, language TEXT NOT NULL, model TEXT NOT NULL,
    decision TEXT NOT NULL, reason TEXT NOT NULL, outcome TEXT NOT NULL, schema_version INTEGER NOT NULL,
    n INTEGER NOT NULL, impressions INTEGER NOT NULL, shown_chars INTEGER NOT NULL,
    accepted_chars INTEGER NOT NULL, accepted_lines INTEGER NOT NULL, visible_ms REAL NOT NULL, total_ms REAL NOT NULL,
    PRIMARY KEY(day, kind, language, model, decision, reason, outcome)
){STRICT};
"""

# Version 2. Columns that are added have defaults, so that a server of version 1 that still runs can go on writing.
GATE_LOOP = f"""
ALTER TABLE opportunity ADD COLUMN feature_version INTEGER NOT NULL DEFAULT 0;
ALTER TABLE opportunity ADD COLUMN stage INTEGER NOT NULL DEFAULT 0;
ALTER TABLE opportunity ADD COLUMN draw REAL;
CREATE INDEX opportunity_hidden ON opportunity(ts_ms) WHERE decision = 'hide';
CREATE TABLE gate(
    id TEXT PRIMARY KEY NOT NULL, schema_version INTEGER NOT NULL,
    kind TEXT NOT NULL, json TEXT NOT NULL, created_ms INTEGER NOT NULL, n INTEGER NOT NULL, metrics TEXT NOT NULL,
    {_id("id")}, {_word("kind")}
){STRICT};
CREATE TABLE retention(
    impression TEXT NOT NULL, horizon_s INTEGER NOT NULL, schema_version INTEGER NOT NULL,
    ts_ms INTEGER NOT NULL, mono_ms REAL NOT NULL, retained_chars INTEGER NOT NULL, accepted_chars INTEGER NOT NULL,
    PRIMARY KEY(impression, horizon_s),
    CHECK(retained_chars BETWEEN 0 AND accepted_chars), {_id("impression")}
){STRICT};
CREATE TABLE stale(hour INTEGER PRIMARY KEY NOT NULL){STRICT};
ALTER TABLE daily RENAME TO daily_1;
CREATE TABLE daily(
    day TEXT NOT NULL, hour INTEGER NOT NULL, kind TEXT NOT NULL, trigger TEXT NOT NULL, language TEXT NOT NULL,
    model TEXT NOT NULL, gate TEXT NOT NULL, decision TEXT NOT NULL, reason TEXT NOT NULL, explored INTEGER NOT NULL,
    outcome TEXT NOT NULL, schema_version INTEGER NOT NULL,
    n INTEGER NOT NULL, cancelled INTEGER NOT NULL, generated INTEGER NOT NULL, new_tokens INTEGER NOT NULL,
    total_ms REAL NOT NULL, decode_ms REAL NOT NULL,
    impressions INTEGER NOT NULL, shown_chars INTEGER NOT NULL,
    accepted_chars INTEGER NOT NULL, accepted_lines INTEGER NOT NULL, visible_ms REAL NOT NULL,
    checked_30 INTEGER NOT NULL, retained_30 INTEGER NOT NULL, checked_120 INTEGER NOT NULL, retained_120 INTEGER NOT NULL,
    checked_300 INTEGER NOT NULL, retained_300 INTEGER NOT NULL,
    PRIMARY KEY(day, hour, kind, trigger, language, model, gate, decision, reason, explored, outcome)
){STRICT};
INSERT INTO daily SELECT
    day, -1, kind, 'automatic', language, model, '', decision, reason, 0, outcome, schema_version,
    n, 0, 0, 0, total_ms, 0, impressions, shown_chars, accepted_chars, accepted_lines, visible_ms, 0, 0, 0, 0, 0, 0
    FROM daily_1;
DROP TABLE daily_1;
CREATE TABLE daily_latency(
    day TEXT NOT NULL, hour INTEGER NOT NULL, phase TEXT NOT NULL, decision TEXT NOT NULL, bucket INTEGER NOT NULL,
    schema_version INTEGER NOT NULL, n INTEGER NOT NULL,
    PRIMARY KEY(day, hour, phase, decision, bucket)
){STRICT};
CREATE TABLE daily_calibration(
    day TEXT NOT NULL, hour INTEGER NOT NULL, gate TEXT NOT NULL, stage INTEGER NOT NULL, bin INTEGER NOT NULL,
    schema_version INTEGER NOT NULL, n INTEGER NOT NULL, shown INTEGER NOT NULL,
    labelled INTEGER NOT NULL, positives INTEGER NOT NULL, weight REAL NOT NULL, positive_weight REAL NOT NULL,
    PRIMARY KEY(day, hour, gate, stage, bin)
){STRICT};
CREATE TRIGGER opportunity_is_counted AFTER INSERT ON opportunity BEGIN
    INSERT INTO stale SELECT NEW.ts_ms / 3600000 WHERE NEW.ts_ms / 3600000 NOT IN (SELECT hour FROM stale);
END;
{_counted("impression_is_counted", "impression", "o.id = NEW.opportunity")}
{_counted("outcome_is_counted", "outcome", "o.id = (SELECT opportunity FROM impression WHERE id = NEW.impression)")}
{_counted("retention_is_counted", "retention", "o.id = (SELECT opportunity FROM impression WHERE id = NEW.impression)")}
INSERT INTO stale SELECT DISTINCT ts_ms / 3600000 FROM opportunity;
"""

# Version 3: the gate's own word for each decision, the rule of a next edit or a review comment, what the engine's exits and
# Stop head saved. Counts that can be made again are; those whose rows are gone keep what they have.
_KEYS = "day, hour, kind, trigger, language, model, gate, decision, reason, explored, outcome"
_SUMS = (
    "n, cancelled, generated, new_tokens, total_ms, decode_ms, impressions, shown_chars, accepted_chars, accepted_lines, "
    "visible_ms, checked_30, retained_30, checked_120, retained_120, checked_300, retained_300"
)
REASONS = f"""
ALTER TABLE opportunity ADD COLUMN why TEXT NOT NULL DEFAULT '' CHECK(why NOT GLOB '*[^a-z_ ]*');
ALTER TABLE opportunity ADD COLUMN rule TEXT NOT NULL DEFAULT ''
    CHECK(length(rule) <= 60 AND rule NOT GLOB '*[^0-9A-Za-z_.:-]*');
ALTER TABLE opportunity ADD COLUMN saved_tokens INTEGER;
CREATE TABLE exits(
    opportunity TEXT NOT NULL, layer INTEGER NOT NULL, schema_version INTEGER NOT NULL, tokens INTEGER NOT NULL,
    PRIMARY KEY(opportunity, layer), CHECK(layer BETWEEN 1 AND 1000 AND tokens > 0), {_id("opportunity")}
){STRICT};
CREATE TABLE daily_exits(
    day TEXT NOT NULL, hour INTEGER NOT NULL, layer INTEGER NOT NULL, schema_version INTEGER NOT NULL, n INTEGER NOT NULL,
    PRIMARY KEY(day, hour, layer)
){STRICT};
ALTER TABLE daily RENAME TO daily_2;
CREATE TABLE daily(
    day TEXT NOT NULL, hour INTEGER NOT NULL, kind TEXT NOT NULL, trigger TEXT NOT NULL, language TEXT NOT NULL,
    model TEXT NOT NULL, gate TEXT NOT NULL, decision TEXT NOT NULL, reason TEXT NOT NULL, why TEXT NOT NULL,
    rule TEXT NOT NULL, explored INTEGER NOT NULL, outcome TEXT NOT NULL, schema_version INTEGER NOT NULL,
    n INTEGER NOT NULL, cancelled INTEGER NOT NULL, generated INTEGER NOT NULL, new_tokens INTEGER NOT NULL,
    total_ms REAL NOT NULL, decode_ms REAL NOT NULL,
    impressions INTEGER NOT NULL, shown_chars INTEGER NOT NULL,
    accepted_chars INTEGER NOT NULL, accepted_lines INTEGER NOT NULL, visible_ms REAL NOT NULL,
    checked_30 INTEGER NOT NULL, retained_30 INTEGER NOT NULL, checked_120 INTEGER NOT NULL, retained_120 INTEGER NOT NULL,
    checked_300 INTEGER NOT NULL, retained_300 INTEGER NOT NULL,
    checked INTEGER NOT NULL, kept INTEGER NOT NULL, ended_early INTEGER NOT NULL, saved_tokens INTEGER NOT NULL,
    PRIMARY KEY(day, hour, kind, trigger, language, model, gate, decision, reason, why, rule, explored, outcome)
){STRICT};
INSERT INTO daily({_KEYS}, why, rule, schema_version, {_SUMS}, checked, kept, ended_early, saved_tokens)
    SELECT {_KEYS}, '', '', schema_version, {_SUMS}, 0, 0, 0, 0 FROM daily_2;
DROP TABLE daily_2;
{_counted("exits_are_counted", "exits", "o.id = NEW.opportunity")}
INSERT OR IGNORE INTO stale SELECT DISTINCT ts_ms / 3600000 FROM opportunity;
"""
