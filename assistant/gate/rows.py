"""One opportunity as the gate's learner sees it: features, what was decided and how likely, what became of it.

The store yields such rows, a JSON line holds one, the shared study is read into them. Knows neither tables nor files' places.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

TAKEN = frozenset(("accepted", "typed_through", "accepted_line", "accepted_word"))
REFUSED = {"rejected": 1.0, "undone": 1.0, "superseded": 0.3, "ignored": 0.3}
"""Not taken, and how much of a judgement that was. ``censored`` and pending rows are no label at all."""
DECISIONS = ("show", "hide", "skip", "suppressed_rule")
LABEL_AGE_MS = 15 * 60 * 1000
"""Rows younger than this are not learned from: an undo, or a second look, may still come."""


class RowError(ValueError):
    """A line is no row; the text says which and what is wrong."""


@dataclass(frozen=True)
class GateRow:
    """One opportunity. ``user`` groups rows for leave-one-user-out (the store's own rows have one user).

    ``p`` is the probability of acceptance that decided (stage two's, or stage one's for a skip), ``threshold`` what it was
    compared with, ``propensity`` the probability of the decision that was taken, ``outcome`` the final kind in the words of
    `telemetry.events.Outcome`, empty while there is none. ``retained`` is the share of the accepted text still there later.
    """

    id: str
    ts_ms: int
    features: Mapping[str, float]
    decision: str = "show"
    outcome: str = ""
    propensity: float = 1.0
    explored: bool = False
    p1: float | None = None
    p2: float | None = None
    threshold: float | None = None
    reason: str = ""
    gate: str = ""
    model: str = ""
    language: str = ""
    trigger: str = "automatic"
    visible_ms: float = 0.0
    n_chars: int = 0
    accepted_chars: int = 0
    retained: float | None = None
    user: str = ""

    @property
    def p(self) -> float | None:
        return self.p1 if self.p2 is None else self.p2


def unread(row: GateRow) -> bool:
    """Whether a suggestion was gone before it can have been read: 0.8 s, or 0.3 s and 20 ms for each character."""
    return row.visible_ms < min(800.0, 300.0 + 20.0 * row.n_chars)


def target(row: GateRow, count_unread: bool = False) -> tuple[float, float] | None:
    """The label (1 taken, 0 not) and its weight; ``None`` for a row that says nothing about the user's will."""
    if row.outcome in TAKEN:
        return 1.0, 1.0
    weight = REFUSED.get(row.outcome)
    if weight is None or (unread(row) and not count_unread):
        return None
    return 0.0, weight


def to_json(row: GateRow) -> str:
    """One line of JSON, without what has its default."""
    plain = {f.name: f.default for f in fields(GateRow)}
    return json.dumps({k: v for k, v in asdict(row).items() if v != plain[k] and v != {}}, allow_nan=False)


def from_json(line: str) -> GateRow:
    """The row of one line. Raises `RowError`."""
    try:
        return _checked(json.loads(line))
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise RowError(
            f"no gate row ({error}): write one with `sotto telemetry export`, or see assistant/gate/rows.py"
        ) from error


def read(lines: Iterable[str]) -> Iterator[GateRow]:
    """All rows of a JSONL file. Raises `RowError` with the line's number."""
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield from_json(line)
            except RowError as error:
                raise RowError(f"line {number}: {error}") from error


def _checked(data: dict[str, Any]) -> GateRow:
    known = {f.name for f in fields(GateRow)}
    row = GateRow(**{name: value for name, value in data.items() if name in known})
    if not isinstance(row.id, str) or row.decision not in DECISIONS:
        raise ValueError(f"id and a decision of {', '.join(DECISIONS)} are needed")
    if not 0.0 < row.propensity <= 1.0:
        raise ValueError("propensity must be above 0 and at most 1")
    if not all(isinstance(n, str) and math.isfinite(v) for n, v in row.features.items()):
        raise ValueError("features must be finite numbers")
    return row
