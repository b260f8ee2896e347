"""Events as statements: which table, which values, and what a second copy of the same event changes.

Writes are idempotent and order-free: a duplicate changes nothing, the first final outcome stays, a larger partial acceptance
replaces a smaller one, a session's end may come before its beginning. Knows no connection; raises on what is no event.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any

from telemetry import schema
from telemetry.events import Event, Exits, Gate, Impression, Model, Opportunity, Outcome, Retention, Session, SessionEnd

Statement = tuple[str, tuple[object, ...]]

GATE_BYTES = 262_144  # a few thousand weights; nothing a gate needs is longer
_CLIENT = re.compile(r"[\w .+()-]{0,60}")
_WORD = re.compile(r"[a-z_]{0,20}")
_RULE = re.compile(r"[A-Za-z0-9_.:-]{0,60}")
_GATE_WORD = re.compile(r"[A-Za-z0-9_.:+-]{0,80}")


def statements(events: Iterable[Event]) -> tuple[list[Statement], int]:
    """What stores ``events``, and how many of them are none."""
    made, misfits = [], 0
    for event in events:
        try:
            made.append(_MAKERS[type(event)](event))
        except Exception:  # a caller's mistake costs that event, never the thread
            misfits += 1
    return made, misfits


def _insert(table: str, columns: Sequence[str], conflict: str) -> str:
    names = ", ".join([*columns, "schema_version"])
    marks = ", ".join("?" * (len(columns) + 1))
    return f"INSERT INTO {table}({names}) VALUES({marks}) ON CONFLICT {conflict}"


def _maker(
    table: str, kind: type[Event], conflict: str = "DO NOTHING", **changed: Callable[[Any], object]
) -> Callable[[Any], Statement]:
    """A maker for an event whose fields are the table's columns; ``changed`` says how a field's value is stored."""
    columns = [field.name for field in fields(kind)]
    sql, values = _insert(table, columns, conflict), attrgetter(*columns)
    places = {columns.index(name): change for name, change in changed.items()}

    def make(event: Any) -> Statement:
        row = list(values(event))
        for place, change in places.items():
            row[place] = change(row[place])
        return sql, (*row, schema.VERSION)

    return make


def _numbers(features: object) -> str:
    """Compact JSON. Only finite numbers under short plain names are kept: a name is no place for text."""
    if not isinstance(features, Mapping):
        raise TypeError("features must be a mapping")
    kept = {
        name: float(value)
        for name, value in features.items()
        if len(name) <= 40 and name.isidentifier() and name.isascii() and math.isfinite(value)
    }
    return json.dumps(kept, separators=(",", ":"), allow_nan=False)


def _why(word: str) -> str:
    """The gate's word for a decision; what is no word is not kept."""
    return word if _WORD.fullmatch(word) else ""


def _rule(name: str) -> str:
    """A rule's name, as ours are; what could be a sentence or a path is not kept."""
    return name if _RULE.fullmatch(name) else "other"


def _client(name: str) -> str:
    """An editor's name or version; anything that could be a path or a sentence is not kept."""
    return name if _CLIENT.fullmatch(name) else "other"


def _gate_json(text: str) -> str:
    """A gate's parameters, if they are numbers and short words. Raises ValueError."""
    if len(text) > GATE_BYTES:
        raise ValueError("a gate's parameters are at most 256 KiB of JSON")
    data = json.loads(text, parse_constant=_refuse)
    _check_words(data)
    return json.dumps(data, separators=(",", ":"), allow_nan=False)


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is no parameter")


def _check_words(data: object) -> None:
    if isinstance(data, dict):
        for key, value in data.items():
            _check_words(key)
            _check_words(value)
    elif isinstance(data, list):
        for value in data:
            _check_words(value)
    elif isinstance(data, str) and not _GATE_WORD.fullmatch(data):
        raise ValueError("a gate's parameters hold numbers and short words only")


def _outcome() -> Callable[[Any], Statement]:
    names = [field.name for field in fields(Outcome) if field.name != "impression"]
    news = ", ".join(f"{name} = excluded.{name}" for name in names)
    grows = (
        "excluded.accepted_chars > outcome.accepted_chars "
        "OR excluded.accepted_chars = outcome.accepted_chars AND outcome.how = 'inferred' AND excluded.how <> 'inferred'"
    )
    conflict = f"(impression, final) DO UPDATE SET {news} WHERE excluded.final = 0 AND ({grows})"
    return _maker("outcome", Outcome, conflict, final=int)


def _session_end() -> Callable[[Any], Statement]:
    sql = _insert(
        "session",
        ["id", "ended_ms", "end_reason"],
        "(id) DO UPDATE SET ended_ms = excluded.ended_ms, end_reason = excluded.end_reason WHERE session.ended_ms IS NULL",
    )
    values = attrgetter("session", "ended_ms", "reason")
    return lambda event: (sql, (*values(event), schema.VERSION))


_SESSION_NEWS = ", ".join(f"{field.name} = excluded.{field.name}" for field in fields(Session) if field.name != "id")
_BEGUN = f"(id) DO UPDATE SET {_SESSION_NEWS} WHERE session.started_ms IS NULL"

_MAKERS: dict[type, Callable[[Any], Statement]] = {
    Session: _maker("session", Session, _BEGUN, client=_client, client_version=_client, server_version=_client),
    SessionEnd: _session_end(),
    Model: _maker("model", Model),
    Gate: _maker("gate", Gate, json=_gate_json, metrics=_numbers),
    Opportunity: _maker("opportunity", Opportunity, features=_numbers, explored=int, cancelled=int, why=_why, rule=_rule),
    Exits: _maker("exits", Exits),
    Impression: _maker("impression", Impression),
    Outcome: _outcome(),
    Retention: _maker("retention", Retention),
}
