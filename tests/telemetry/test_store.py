"""Events go in by `record` and come out as exact rows, whatever their order and however often they come."""

from __future__ import annotations

import dataclasses
import json
import os
import random
import sqlite3
import stat
import threading
import time
from pathlib import Path

import pytest

from telemetry import schema, writer
from telemetry import store as store_module
from telemetry.events import Gate, Impression, Model, Opportunity, Outcome, Retention, Session
from telemetry.store import Store
from tests.telemetry.samples import (
    CACHED,
    END,
    GATE,
    HIDDEN,
    KEPT,
    MODEL,
    PART,
    SEEN,
    SEEN_TOO,
    SESSION,
    SHOWN,
    STORY,
    TAKEN,
    Rows,
    opportunity,
)


def expected(event: object, **more: object) -> dict[str, object]:
    return {**dataclasses.asdict(event), "schema_version": schema.VERSION, **more}  # type: ignore[call-overload]


def test_a_session_becomes_exactly_these_rows(store: Store, rows: Rows) -> None:
    for event in STORY:
        store.record(event)
    assert rows("session") == [expected(SESSION, ended_ms=END.ended_ms, end_reason=END.reason)]
    assert rows("model") == [expected(MODEL)]
    found = rows("opportunity")
    for row in found:
        row["features"] = json.loads(row["features"])
    assert found == [expected(event) for event in (SHOWN, CACHED, HIDDEN)]
    assert rows("impression") == [expected(SEEN), expected(SEEN_TOO)]
    assert rows("outcome") == [expected(PART), expected(TAKEN)]
    assert rows("retention") == [expected(KEPT)]
    (gate,) = rows("gate")
    assert {**gate, "metrics": json.loads(gate["metrics"])} == expected(GATE)
    assert store.problem == ""
    assert store.dropped == 0


def test_every_field_of_an_event_has_its_column(store: Store, rows: Rows) -> None:
    store.record(SESSION)
    rows("session")
    connection = sqlite3.connect(store.path)
    kinds = {
        "session": Session, "model": Model, "gate": Gate, "opportunity": Opportunity, "impression": Impression,
        "outcome": Outcome, "retention": Retention,
    }  # fmt: skip
    extra = {"session": {"ended_ms", "end_reason"}}
    for table, kind in kinds.items():
        columns = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
        names = {field.name for field in dataclasses.fields(kind)}
        assert columns == names | extra.get(table, set()) | {"schema_version"}
    connection.close()


@pytest.mark.parametrize("seed", range(4))
def test_any_order_in_any_batches_gives_the_same_rows(store: Store, rows: Rows, seed: int) -> None:
    choice = random.Random(seed)
    for event in choice.sample(STORY, len(STORY)):
        store.record(event)
        if choice.random() < 0.5:
            assert store.flush(10)
    assert len(rows("opportunity")) == 3
    assert rows("session") == [expected(SESSION, ended_ms=END.ended_ms, end_reason=END.reason)]
    assert sorted(row["id"] for row in rows("impression")) == ["I1", "I2"]
    assert sorted((row["kind"], row["final"]) for row in rows("outcome")) == [("accepted", 1), ("accepted_word", 0)]


def test_duplicates_change_nothing_and_the_first_final_outcome_stays(store: Store, rows: Rows) -> None:
    changed = dataclasses.replace(TAKEN, kind="typed_through", accepted_chars=30)
    grown = dataclasses.replace(PART, kind="accepted_line", accepted_chars=9)
    for event in (SHOWN, SHOWN, SEEN, SEEN, PART, grown, PART, TAKEN, changed, dataclasses.replace(SHOWN, reason="unsure")):
        store.record(event)
    assert len(rows("opportunity")) == len(rows("impression")) == 1
    assert rows("opportunity")[0]["reason"] == "shown"
    assert [(row["kind"], row["accepted_chars"]) for row in rows("outcome")] == [("accepted_line", 9), ("accepted", 20)]
    assert store.dropped == 0


def test_an_event_that_does_not_fit_costs_only_itself(store: Store, rows: Rows) -> None:
    for event in (SHOWN, dataclasses.replace(HIDDEN, file_key="/home/me/secret.py"), SEEN):
        store.record(event)
    store.record("no event at all")  # type: ignore[arg-type]
    assert [row["id"] for row in rows("opportunity")] == ["O1"]
    assert [row["id"] for row in rows("impression")] == ["I1"]
    assert store.dropped == 2
    assert store.problem.startswith("2 events did not fit")
    store.record(HIDDEN)
    assert len(rows("opportunity")) == 2
    assert store.problem == ""


def test_features_that_are_no_finite_numbers_or_no_names_are_left_out(store: Store, rows: Rows) -> None:
    features = {"good": 1, "nan": float("nan"), "inf": float("inf"), "def secret():": 3.0}
    store.record(dataclasses.replace(SHOWN, features=features))
    assert json.loads(rows("opportunity")[0]["features"]) == {"good": 1.0}


def test_the_off_switch_holds_from_the_next_event_and_touches_no_disk(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "data", enabled=False)
    store.record(SHOWN)
    assert store.close(10)
    assert list(tmp_path.iterdir()) == []
    assert store.dropped == 0


def test_switching_off_and_on_while_running(store: Store, rows: Rows) -> None:
    store.record(SHOWN)
    store.enabled = False
    store.record(CACHED)
    store.enabled = True
    store.record(HIDDEN)
    assert [row["id"] for row in rows("opportunity")] == ["O1", "O3"]


def test_a_store_switched_on_later_uses_the_installs_key(store: Store, tmp_path: Path) -> None:
    later = Store.open(tmp_path / "data", enabled=False)
    later.enabled = True
    assert later.file_key("a.py") == store.file_key("a.py")


def test_a_full_queue_drops_and_counts_and_never_waits(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, entered = threading.Event(), threading.Event()
    write = store._writer.write

    def held(*arguments: object) -> object:
        entered.set()
        gate.wait(30)
        return write(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(store._writer, "write", held)
    monkeypatch.setattr(store_module, "QUEUE_LIMIT", 100)
    store.record(SESSION)
    assert entered.wait(10)
    for _ in range(150):
        store.record(opportunity())
    assert store.dropped == 51  # one is in the writer's hand, 99 wait
    gate.set()
    assert store.flush(10)
    store.record(opportunity())
    assert store.flush(10)
    assert store.dropped == 51


def test_events_from_many_threads_all_arrive(store: Store, rows: Rows) -> None:
    def work() -> None:
        for _ in range(500):
            store.record(opportunity())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(rows("opportunity")) == 2000


def test_close_writes_what_is_queued_and_ends_the_thread(store: Store, rows: Rows) -> None:
    store.record(SHOWN)
    assert store.close(10)
    assert not [thread for thread in threading.enumerate() if thread.name == "telemetry" and thread is store._thread]
    store.record(CACHED)
    assert store.close(10)
    assert [row["id"] for row in rows("opportunity")] == ["O1"]


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
def test_files_are_private_even_in_a_folder_that_was_open(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o755)
    (folder / "telemetry.db").touch(0o644)
    store = Store.open(folder)
    store.record(SHOWN)
    assert store.close(10)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_file_keys_are_stable_for_an_install_and_differ_between_installs(store: Store, tmp_path: Path) -> None:
    again, other = Store.open(tmp_path / "data"), Store.open(tmp_path / "other")
    key = store.file_key("src/a.py")
    assert len(key) == 16
    assert int(key, 16) >= 0
    assert again.file_key("src/a.py") == key
    assert len({key, store.file_key("src/b.py"), other.file_key("src/a.py"), store.file_key("\udcff")}) == 4


@pytest.mark.parametrize(
    "parameters",
    [
        '{"weights": {"x": NaN}}',
        '{"note": "def secret(): pass"}',
        '{"a/b": 1}',
        "[",
        '["' + "x" * 81 + '"]',
        "[" + "1," * 200_000 + "1]",
    ],
)
def test_a_gate_holds_numbers_and_short_words_only(store: Store, rows: Rows, parameters: str) -> None:
    store.record(dataclasses.replace(GATE, json=parameters))
    assert rows("gate") == []
    assert store.dropped == 1


def test_a_client_is_kept_by_name_only(store: Store, rows: Rows) -> None:
    names = {"Neovim": "Neovim", "Visual Studio Code - Insiders": "Visual Studio Code - Insiders", "/home/me/vim": "other"}
    for number, name in enumerate(names):
        store.record(dataclasses.replace(SESSION, id=f"S{number}", client=name, client_version="v0.12.0-dev+g1"))
    assert [(row["client"], row["client_version"]) for row in rows("session")] == [
        (kept, "v0.12.0-dev+g1") for kept in names.values()
    ]


def test_retention_cannot_hold_more_than_was_accepted(store: Store, rows: Rows) -> None:
    store.record(dataclasses.replace(KEPT, retained_chars=21))
    store.record(dataclasses.replace(KEPT, horizon_s=120))
    store.record(dataclasses.replace(KEPT, horizon_s=120, retained_chars=1))
    assert [(row["horizon_s"], row["retained_chars"]) for row in rows("retention")] == [(120, 14)]
    assert store.dropped == 1


def test_a_running_store_counts_its_rows_by_itself(store: Store, rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when nothing more is recorded; until then readers count what is stale."""
    monkeypatch.setattr(store_module, "FOLD_S", 0.01)
    monkeypatch.setattr(writer, "FOLD_S", 0.01)
    for _ in range(3):
        store.record(opportunity())
        assert store.flush(10)
    deadline = time.monotonic() + 30
    while rows("stale") and time.monotonic() < deadline:
        time.sleep(0.02)
    assert sum(row["n"] for row in rows("daily")) == 3
    assert rows("stale") == []
