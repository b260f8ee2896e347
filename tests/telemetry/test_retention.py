"""Old rows become daily counts, counts become nothing; export tells all, erase leaves nothing."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from unittest import mock

from telemetry import connection, queries, retention
from telemetry.events import Event
from telemetry.store import Store
from tests.telemetry.samples import CACHED, SEEN, STORY, opportunity

DAY_2023_11_14 = 1_700_000_000_000
DAY = retention.DAY_MS


def store_with(folder: Path, events: tuple[Event, ...], now_ms: int) -> Path:
    """Rows as they were on a day long gone: pruned then, not at the real time."""
    with mock.patch("telemetry.writer.time.time", return_value=now_ms / 1000):
        store = Store.open(folder)
        for event in events:
            store.record(event)
        assert store.close(30)
    return store.path


def rows(path: Path, table: str) -> list[dict[str, object]]:
    with connection.reading(path) as reader:
        return [dict(row) for row in reader.execute(f"SELECT * FROM {table}")]


def test_rows_of_whole_old_days_are_folded_and_the_rest_stays(tmp_path: Path) -> None:
    young = opportunity(DAY_2023_11_14 + 2 * DAY)
    path = store_with(tmp_path, (*STORY, young), DAY_2023_11_14)
    db = connection.open_for_writing(path)
    later_that_day = DAY_2023_11_14 + 90 * DAY + 3_600_000
    assert retention.prune(db, later_that_day) == 0, "a day is folded whole, when all of it is older than ninety days"
    assert retention.prune(db, DAY_2023_11_14 + 91 * DAY) == 3
    assert retention.prune(db, DAY_2023_11_14 + 91 * DAY) == 0
    db.close()
    assert [row["id"] for row in rows(path, "opportunity")] == [young.id]
    assert rows(path, "impression") == rows(path, "outcome") == []
    assert rows(path, "retention") == []
    daily = {(r["language"], r["decision"], r["outcome"]): r for r in rows(path, "daily") if r["hour"] == -1}
    assert {key: row["n"] for key, row in daily.items()} == {
        ("python", "show", "accepted"): 1,
        ("python", "show", ""): 1,
        ("go", "hide", ""): 1,
    }
    taken = daily["python", "show", "accepted"]
    assert (taken["day"], taken["shown_chars"], taken["accepted_chars"], taken["visible_ms"]) == ("2023-11-14", 20, 20, 810.0)
    assert (taken["checked_30"], taken["retained_30"], taken["checked_120"]) == (20, 14, 0)
    left = [(r["day"], r["hour"]) for r in rows(path, "daily") if r["hour"] != -1]
    assert left == [("2023-11-16", -2)], "its rows are there, it can be counted again"


def test_late_rows_of_a_folded_day_are_added_to_it(tmp_path: Path) -> None:
    path = store_with(tmp_path, (CACHED,), DAY_2023_11_14)
    later = DAY_2023_11_14 + 120 * DAY
    store_with(tmp_path, (dataclasses.replace(CACHED, id="O9"),), later)
    db = connection.open_for_writing(path)
    retention.prune(db, later)
    db.close()
    (row,) = rows(path, "daily")
    assert (row["n"], row["total_ms"]) == (2, 4.0)


def test_rows_whose_partner_never_came_are_pruned_too(tmp_path: Path) -> None:
    path = store_with(tmp_path, (CACHED, dataclasses.replace(SEEN, opportunity="never")), DAY_2023_11_14)
    db = connection.open_for_writing(path)
    retention.prune(db, DAY_2023_11_14 + 91 * DAY)
    db.close()
    assert rows(path, "impression") == []


def test_daily_counts_are_kept_four_hundred_days(tmp_path: Path) -> None:
    path = store_with(tmp_path, STORY, DAY_2023_11_14)
    db = connection.open_for_writing(path)
    retention.prune(db, DAY_2023_11_14 + 400 * DAY)
    assert len(rows(path, "daily")) == 3
    retention.prune(db, DAY_2023_11_14 + 401 * DAY)
    assert rows(path, "daily") == []
    db.close()


def test_a_starting_server_prunes(tmp_path: Path) -> None:
    path = store_with(tmp_path, STORY, DAY_2023_11_14)
    store_with(tmp_path, (opportunity(DAY_2023_11_14 + 200 * DAY),), DAY_2023_11_14 + 200 * DAY)
    assert queries.summary(path).opportunities == 1
    assert len(rows(path, "daily")) == 3


def test_export_is_every_row_as_json_after_the_schema(store: Store) -> None:
    for event in STORY:
        store.record(event)
    assert store.flush(10)
    lines = [json.loads(json.dumps(row)) for row in retention.export(store.path, chunk=2)]
    assert lines[0]["schema_version"] == 3
    assert lines[0]["tables"]["opportunity"]["t_total"] == "REAL"
    assert [line["table"] for line in lines[1:]] == [
        "session",
        "model",
        "gate",
        *["opportunity"] * 3,
        *["exits"] * 2,
        *["impression"] * 2,
        *["outcome"] * 2,
        "retention",
    ]
    assert {line["id"] for line in lines[1:] if line["table"] == "opportunity"} == {"O1", "O2", "O3"}


def test_erase_leaves_no_row_in_the_bytes_and_a_running_server_goes_on(store: Store) -> None:
    folder = store.path.parent
    marks = [opportunity(file_key=store.file_key(f"{number}.py")) for number in range(500)]
    for event in marks:
        store.record(event)
    assert store.flush(10)
    (folder / "telemetry.db.v0.backup").write_bytes(store.path.read_bytes())
    (folder / "telemetry.db.corrupt").write_bytes(store.path.read_bytes())
    key = (folder / "file_key").read_bytes()
    retention.erase(store.path)
    left = b"".join(path.read_bytes() for path in folder.iterdir())
    assert not [event.id for event in marks if event.id.encode() in left or event.file_key.encode() in left]
    assert key not in left
    assert queries.summary(store.path).opportunities == 0
    store.record(opportunity())
    assert store.flush(10)
    assert (queries.summary(store.path).opportunities, store.problem) == (1, "")


def test_erase_where_nothing_is(tmp_path: Path) -> None:
    retention.erase(tmp_path / "telemetry.db")
    assert not (tmp_path / "telemetry.db").exists()
