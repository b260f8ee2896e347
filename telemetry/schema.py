"""The tables, as SQL, and the version of their shape. Runs nothing; `telemetry.migrations` applies it.

No foreign keys on purpose: events arrive in any order and in different transactions, and a row whose partner was dropped (a
full queue) is still worth keeping. Rows are linked by id; readers join, pruning removes what is left alone.
The checks keep source text and paths out even if a caller hands them in: words, ULIDs and 64-bit hex keys only.
"""

from __future__ import annotations

import sqlite3

VERSION = 1
TABLES = ("session", "model", "opportunity", "impression", "outcome", "daily")

# STRICT refuses a value of the wrong type; SQLite knows it from 3.37 on. Below that the rows are the same, unchecked.
STRICT = " STRICT" if sqlite3.sqlite_version_info >= (3, 37) else ""


def _word(*columns: str) -> str:
    """Constraints: each column holds lower-case words, as in the enumerations of `telemetry.events`."""
    return ", ".join(f"CHECK({column} NOT GLOB '*[^a-z_ ]*')" for column in columns)


def _id(*columns: str) -> str:
    return ", ".join(f"CHECK(length({column}) <= 40 AND {column} NOT GLOB '*[^0-9A-Za-z_-]*')" for column in columns)


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
