"""What the panels are told equals what the rows say; a rate has its n and interval; nothing scans a million rows."""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from telemetry import panels, queries
from telemetry.connection import reading
from telemetry.dashboard import answers, curves, lists, tables
from telemetry.events import LABELS
from telemetry.panels import Bin, wilson
from tests.telemetry.dashboard.conftest import NOW_MS
from tests.telemetry.dashboard.stores import DAY_MS, GATES, OTHER, filled


def suggestions(path: Path) -> list[queries.GateRow]:
    """All but review comments, which count by themselves."""
    return [row for row in queries.gate_rows(path) if row.kind != "review"]


def rates(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if {"k", "n"} <= set(value):
            yield value
        for inner in value.values():
            yield from rates(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from rates(inner)


def test_the_summary_counts_what_the_rows_say(weeks: Path) -> None:
    told = answers.summary(weeks, 30, 0, NOW_MS)
    rows = suggestions(weeks)
    assert len(rows) == told["total"]["opportunities"] < 2000
    assert told["total"]["kept"] == sum((row.retained or 0) >= 0.5 for row in rows) > 0
    decided = Counter(row.decision for row in rows)
    assert (told["total"]["skipped"], told["total"]["hidden"]) == (decided["skip"], decided["hide"])
    assert told["total"]["accepted"] == sum(row.label == 1 for row in rows)
    assert told["total"]["acceptance"]["n"] == sum(row.weight == 1 for row in rows)
    assert told["gate"]["explored"]["explored"] == sum(row.explored for row in rows) > 0
    assert {k: v["opportunities"] for k, v in told["by"]["language"].items()} == Counter(row.language for row in rows)
    assert told["data"]["opportunities"] == 2000
    assert told["by"]["kind"]["review"]["opportunities"] == 2000 - len(rows) > 0
    assert sum(day["opportunities"] for day in told["by_day"].values()) == len(rows)
    assert [row["id"] for row in told["gate"]["hidden"]] == [row.id for row in reversed(rows) if row.decision == "hide"][:50]


def test_a_shorter_span_counts_less(weeks: Path) -> None:
    told = answers.summary(weeks, 7, 0, NOW_MS)
    since = (NOW_MS // DAY_MS - 6) * DAY_MS
    assert told["since_ms"] == since
    assert told["total"]["opportunities"] == sum(row.ts_ms >= since for row in suggestions(weeks)) < 2000


def test_every_rate_has_its_interval(weeks: Path) -> None:
    found = list(rates(answers.summary(weeks, 30, 0, NOW_MS)))
    assert len(found) > 100
    for rate in found:
        assert {"k", "n", "low", "high", "few"} <= set(rate)
        if rate["n"]:
            assert rate["low"] - 1e-9 <= rate["k"] / rate["n"] <= rate["high"] + 1e-9
        assert rate["few"] or rate["n"] >= 20


def test_characters_are_no_independent_judgements() -> None:
    characters = answers.rate(900, 1000, 10)
    assert characters["few"]
    assert (characters["low"], characters["high"]) == wilson(9, 10)
    assert answers.rate(0, 0) == {"k": 0, "n": 0, "low": 0.0, "high": 1.0, "few": True}


def test_today_begins_at_the_users_own_midnight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = NOW_MS // DAY_MS * DAY_MS + 7 * 3_600_000
    monkeypatch.setattr("telemetry.aggregates.time.time", lambda: now / 1000)
    path = filled(tmp_path / "telemetry.db", 200, 3, now_ms=now)
    for ahead in (0, 120, -300):
        told = answers.summary(path, 30, ahead, now)
        midnight = told["midnight_ms"]
        assert (midnight + ahead * 60_000) % DAY_MS == 0
        assert 0 <= now - midnight < DAY_MS
        assert told["today"]["opportunities"] == sum(row.ts_ms >= midnight for row in suggestions(path)) > 0


@pytest.mark.parametrize("made", [False, True])
def test_day_zero_is_an_answer(tmp_path: Path, made: bool) -> None:
    path = tmp_path / "telemetry.db"
    if made:
        filled(path, 0, 1)
    told = answers.summary(path, 30, 0)
    assert told["total"]["opportunities"] == told["today"]["opportunities"] == told["data"]["opportunities"] == 0
    assert (told["by_day"], told["latency"], told["gate"]["curves"], told["gate"]["hidden"]) == (
        {},
        {"show": {}, "hide": {}},
        [],
        [],
    )
    assert lists.page(path, "", {}, 0, 1 << 53) == {"rows": [], "next": None}
    assert lists.one(path, "O1") is None
    assert not any('"table":"opportunity"' in line for line in tables.json_lines(path))
    assert len(list(tables.spreadsheet(path))) == 1
    assert made == path.exists(), "looking makes no file"


def test_a_store_without_a_gate_has_no_curves(tmp_path: Path) -> None:
    """As it is until the gate is joined to the server: no probability, no version, still all other panels."""
    path = filled(tmp_path / "telemetry.db", 60, 2)
    with sqlite3.connect(path) as db:
        db.execute("UPDATE opportunity SET p1 = NULL, p2 = NULL, threshold = NULL, stage = 0, gate = ''")
        db.execute("DELETE FROM gate")
        db.execute("DELETE FROM daily_calibration")
        db.execute("INSERT OR IGNORE INTO stale SELECT DISTINCT ts_ms / 3600000 FROM opportunity")
    db.close()
    told = answers.summary(path, 30, 0)
    assert told["total"]["opportunities"] == len(suggestions(path)) > 50
    assert (told["gate"]["curves"], told["gate"]["versions"]) == ([], [])


STEPS: dict[str, Callable[[queries.GateRow], bool]] = {
    "skipped": lambda row: row.decision in ("skip", "suppressed_rule"),
    "hidden": lambda row: row.decision == "hide",
    "shown": lambda row: row.shown,
    "judged": lambda row: row.weight == 1,
    "accepted": lambda row: row.label == 1,
    "unread": lambda row: row.outcome == "unread",
    "checked": lambda row: row.retained is not None,
    "retained": lambda row: bool(row.retained),
    "explored": lambda row: row.explored,
}


def everything(path: Path, step: str, equal: dict[str, str], since: int = 0, depth: int = lists.DEPTH) -> list[str]:
    found: list[str] = []
    at = {"until": 1 << 53, "row": 1 << 53}
    while True:
        answer = lists.page(path, step, equal, since, at["until"], at["row"], depth)
        found += [row["id"] for row in answer["rows"]]
        if answer["next"] is None:
            return found
        at = answer["next"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("depth", [lists.DEPTH, 150])
def test_a_number_leads_to_its_rows(weeks: Path, step: str, depth: int) -> None:
    """All of them, each once, newest first, however far each page looks."""
    rows = suggestions(weeks)
    assert everything(weeks, step, {}, depth=depth) == [row.id for row in reversed(rows) if STEPS[step](row)]


def test_every_step_and_dimension_agrees_with_its_count(weeks: Path) -> None:
    told = answers.summary(weeks, 30, 0, NOW_MS)
    for step, name in (("generated", "generated"), ("cancelled", "cancelled"), ("", "opportunities"), ("kept", "kept")):
        assert len(everything(weeks, step, {})) == told["total"][name], step
    for dimension in panels.DIMENSIONS:
        for key, row in told["by"][dimension].items():
            assert len(everything(weeks, "", {dimension: key})) == row["opportunities"], (dimension, key)
    assert len(everything(weeks, "all", {})) == told["data"]["opportunities"]
    for kind, rules in told["rules"].items():
        for rule, row in rules.items():
            for end, n in row["ends"].items():
                assert len(everything(weeks, "shown", {"kind": kind, "rule": rule, "outcome": end})) == n
    last = told["since_ms"] + 29 * DAY_MS
    day = next(reversed(told["by_day"].values()))
    assert len(everything(weeks, "", {}, since=last)) == day["opportunities"]


def test_one_row_tells_all_that_is_stored(weeks: Path) -> None:
    (name, *_) = everything(weeks, "retained", {})
    row = lists.one(weeks, name)
    assert row is not None
    assert row["features"] == {"prefix_chars": 12.0, "mean_logprob": -0.4}
    assert [len(row[part]) for part in ("impressions", "outcomes", "retentions")] == [1, 1, 1]


@contextmanager
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[list[str], list[int]]]:
    """The SQL that a page's answers run, and SQLite's steps in doing it, in hundreds."""
    sqls: list[str] = []
    steps = [0]
    asking = queries.asking

    @contextmanager
    def listened(path: Path) -> Iterator[sqlite3.Connection | None]:
        with asking(path) as ask:
            assert ask is not None
            ask.set_trace_callback(sqls.append)
            ask.set_progress_handler(lambda: steps.__setitem__(0, steps[0] + 1), 100)
            yield ask
            ask.set_trace_callback(None)

    with monkeypatch.context() as patch:
        for module in (panels, lists):
            patch.setattr(module, "asking", listened)
        yield sqls, steps


def test_loading_the_page_scans_no_raw_rows(weeks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with watched(monkeypatch) as (sqls, _):
        answers.summary(weeks, 400, 0, NOW_MS)
        lists.page(weeks, "retained", {"language": "go"}, 0, NOW_MS, NOW_MS)
        lists.one(weeks, "O0000001")
    assert len(sqls) > 20
    with reading(weeks) as reader:
        plans = [(sql, row["detail"]) for sql in sqls for row in reader.execute(f"EXPLAIN QUERY PLAN {sql}")]
    raw = re.compile(r"SCAN (o|i|c|r|opportunity|impression|outcome|retention)\b(?!.*INDEX)")
    pages = [detail for sql, detail in plans if "WITH page" in sql]
    assert [(sql, detail) for sql, detail in plans if "WITH page" not in sql and raw.match(detail)] == []
    assert [detail for detail in pages if raw.match(detail)] == ["SCAN o"], "the page itself, of bounded length"
    assert any(re.match(r"SEARCH opportunity USING INDEX opportunity_by_time", detail) for detail in pages), pages


def test_four_times_the_rows_are_hardly_more_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same days and hours hold four times the rows; counts are what is read."""
    work = []
    for count in (3000, 12_000):
        path = filled(tmp_path / str(count) / "telemetry.db", count, 4, now_ms=NOW_MS)
        with watched(monkeypatch) as (_, steps):
            assert answers.summary(path, 30, 0, NOW_MS)["by"]["kind"]["inline"]["opportunities"] > 0.9 * count
        work.append(steps[0])
    assert work[1] < 1.5 * work[0], work


def test_a_page_of_rare_rows_looks_only_so_far(weeks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with watched(monkeypatch) as (_, steps):
        answer = lists.page(weeks, "", {"language": "cobol"}, 0, 1 << 53, depth=100)
    assert answer["rows"] == []
    assert answer["next"] is not None
    assert steps[0] < 200


def bins(*points: tuple[float, int, int, float]) -> list[Bin]:
    """(probability, judged, taken, weight of each)."""
    return [Bin("G", 2, low, n * 2, n, n, k, n * weight, k * weight) for low, n, k, weight in points]


class TestCurves:
    def test_a_true_gate_lies_on_the_diagonal(self) -> None:
        found = bins(*((step / 10, 200, 20 * step + 1, 1.0) for step in range(10)))
        points = curves.reliability(found)
        assert len(points) == 10
        assert all(abs(point["said"] - point["rate"]) < 0.001 for point in points)
        assert all(point["low"] < point["rate"] < point["high"] and point["n"] == 200 for point in points)
        assert curves.expected_error(found) == pytest.approx(0.0, abs=1e-9)

    def test_an_error_is_measured(self) -> None:
        assert curves.expected_error(bins((0.9, 200, 0, 1.0))) == pytest.approx(0.905)

    def test_few_make_no_point_of_their_own_and_no_error(self) -> None:
        few = bins((0.1, 5, 1, 1.0), (0.5, 15, 2, 1.0), (0.9, 3, 3, 1.0))
        assert [point["n"] for point in curves.reliability(few)] == [23]
        assert curves.expected_error(few) is None
        assert curves.reliability([]) == []

    def test_thresholds_from_everything_to_nothing(self) -> None:
        found = curves.thresholds(bins((0.1, 100, 10, 1.0), (0.8, 100, 80, 1.0)))
        assert [found[0]["shown"], found[0]["precision"], found[0]["lost"]] == [1.0, 0.45, 0.0]
        assert found[50]["shown"] == 0.5
        assert found[50]["precision"] == pytest.approx(0.8)
        assert found[50]["lost"] == pytest.approx(1 / 9)
        assert found[10]["shown"] == 1.0, "at the threshold is shown"
        assert found[11]["shown"] == 0.5
        assert (found[100]["shown"], found[100]["precision"], found[100]["n"]) == (0.0, None, 0)

    def test_overruled_hides_stand_for_all_hides_but_count_once(self) -> None:
        (all_shown, *_) = curves.thresholds(bins((0.1, 10, 5, 20.0), (0.8, 200, 200, 1.0)))
        assert all_shown["precision"] == pytest.approx((100 + 200) / 400)
        assert (all_shown["low"], all_shown["high"]) == wilson(0.75 * 210, 210)

    def test_each_version_and_stage_has_its_own(self, weeks: Path) -> None:
        told = answers.summary(weeks, 30, 0, NOW_MS)["gate"]["curves"]
        assert {(one["gate"], one["stage"]) for one in told} == {(gate, stage) for gate in GATES for stage in (1, 2)}
        assert sum(one["labelled"] for one in told if one["stage"] == 2) == sum(
            row.outcome in LABELS for row in queries.gate_rows(weeks) if row.kind == "inline"
        )


class TestFiles:
    @pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "|x", "%x"])
    def test_no_cell_is_a_formula(self, text: str) -> None:
        assert tables.cell(text) == f"'{text}"

    def test_numbers_stay_numbers(self) -> None:
        assert [tables.cell(value) for value in (-1.5, 3, True, None, "python")] == [-1.5, 3, 1, None, "python"]

    def test_a_language_named_like_a_formula(self, tmp_path: Path) -> None:
        path = filled(tmp_path / "telemetry.db", 3, 1)
        with sqlite3.connect(path) as db:
            db.execute("UPDATE opportunity SET language = '-1+1'")
        db.close()
        lines = list(tables.spreadsheet(path))
        assert len(lines) == 4
        assert all(line.split(",")[3] == "'-1+1" for line in lines[1:])

    def test_the_spreadsheet_has_every_opportunity(self, weeks: Path) -> None:
        lines = list(tables.spreadsheet(weeks))
        assert len(lines) == 2001
        assert all(line.count(",") == len(tables.COLUMNS) - 1 for line in lines)
        assert OTHER.name not in "".join(lines)
