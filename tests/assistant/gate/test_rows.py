"""Rows as JSON lines, and which of them are labels."""

from __future__ import annotations

import pytest

from assistant.gate.rows import GateRow, RowError, from_json, read, target, to_json

ROW = GateRow("01H", 5, {"chars": 3.0}, "hide", propensity=0.95, p1=0.3, p2=0.1, threshold=0.2, reason="gate")


def test_a_row_survives_its_line() -> None:
    assert from_json(to_json(ROW)) == ROW
    assert list(read([to_json(ROW), "\n"])) == [ROW]


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        "null",
        '{"id": "a"}',
        '{"id": 1, "ts_ms": 1, "features": {}}',
        '{"id": "a", "ts_ms": 1, "features": {"x": NaN}}',
        '{"id": "a", "ts_ms": 1, "features": {"x": "text"}}',
        '{"id": "a", "ts_ms": 1, "features": {}, "propensity": 0}',
        '{"id": "a", "ts_ms": 1, "features": {}, "propensity": 1.01}',
        '{"id": "a", "ts_ms": 1, "features": {}, "decision": "perhaps"}',
    ],
)
def test_anything_else_is_refused_with_its_line(line: str) -> None:
    with pytest.raises(RowError, match="line 2"):
        list(read([to_json(ROW), line]))


@pytest.mark.parametrize(
    ("outcome", "visible", "expected"),
    [
        ("accepted", 10, (1.0, 1.0)),
        ("typed_through", 10, (1.0, 1.0)),
        ("accepted_word", 10, (1.0, 1.0)),
        ("rejected", 2000, (0.0, 1.0)),
        ("rejected", 300, None),
        ("undone", 2000, (0.0, 1.0)),
        ("ignored", 10_000, (0.0, 0.3)),
        ("superseded", 2000, (0.0, 0.3)),
        ("censored", 2000, None),
        ("", 2000, None),
    ],
)
def test_labels(outcome: str, visible: float, expected: tuple[float, float] | None) -> None:
    assert target(GateRow("a", 1, {}, outcome=outcome, visible_ms=visible, n_chars=40)) == expected


def test_unread_refusals_count_where_they_are_asked_for() -> None:
    fast = GateRow("a", 1, {}, outcome="rejected", visible_ms=100, n_chars=40)
    assert target(fast) is None
    assert target(fast, count_unread=True) == (0.0, 1.0)


def test_a_short_text_is_read_sooner() -> None:
    assert target(GateRow("a", 1, {}, outcome="rejected", visible_ms=420, n_chars=5)) == (0.0, 1.0)
    assert target(GateRow("a", 1, {}, outcome="rejected", visible_ms=420, n_chars=50)) is None
