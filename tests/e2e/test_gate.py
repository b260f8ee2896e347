"""The learned gate over the real server: what it thinks of each suggestion stands in the store beside what became of it."""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.e2e.editor import EASY, Editor
from tests.e2e.raw_client import PATIENCE_S

MakeEditor = Callable[..., Editor]

ROWS = """
SELECT o.p1, o.p2, o.threshold, o.propensity, o.explored, o.stage, o.feature_version, g.kind, c.kind
FROM opportunity o JOIN gate g ON g.id = o.gate JOIN impression i ON i.opportunity = o.id JOIN outcome c ON c.impression = i.id
WHERE c.final = 1 ORDER BY o.id
"""


def test_accepted_and_rejected_stand_beside_what_the_gate_thought(make_editor: MakeEditor) -> None:
    editor = make_editor()
    editor.start()
    assert editor.status()["gate"] == {
        "kind": "prior",
        "id": editor.status()["gate"]["id"],
        "decisions": 0,
        "hidden": 0,
        "lastReason": "",
    }
    document = editor.open(EASY)
    item = document.complete(2)
    assert item is not None
    document.insert(item, report=True)
    document.close()
    document = editor.open(EASY)
    assert document.complete(2) is not None
    time.sleep(1.0)  # sooner, it would count as unread
    document.type("§§")
    document.close()
    status = editor.wait_status(lambda status: status["gate"]["decisions"] == 2)
    assert status["gate"]["lastReason"].startswith("you are new here")
    assert editor.close() == 0
    rows = editor.rows(ROWS)
    assert [row[-1] for row in rows] == ["accepted", "rejected"]
    for p1, p2, threshold, propensity, explored, stage, version, kind, _ in rows:
        assert 0 < p1 < 1
        assert 0 < p2 < 1
        assert 0 <= threshold <= 1
        assert 0 < propensity <= 1
        assert (explored, stage, version, kind) == (0, 2, 1, "prior")


def test_a_damaged_gate_is_replaced_by_the_prior_with_one_warning(make_editor: MakeEditor) -> None:
    editor = make_editor()
    editor.data.mkdir(parents=True, exist_ok=True)
    (editor.data / "gate.json").write_text('{"format": 1}')
    editor.start()
    document = editor.open(EASY)
    assert document.complete() is not None
    assert editor.status()["gate"]["kind"] == "prior"
    (message,) = editor.messages()
    assert "sotto gate reset" in message
    assert editor.close() == 0


def test_without_a_record_the_gate_works_from_memory(make_editor: MakeEditor) -> None:
    editor = make_editor()
    editor.start(options={"telemetry": False})
    document = editor.open(EASY)
    item = document.complete(2)
    assert item is not None
    document.insert(item, report=True)
    document.close()
    deadline = time.monotonic() + PATIENCE_S
    while editor.status()["gate"]["decisions"] < 1:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert editor.close() == 0
    assert not (editor.data / "telemetry.db").exists()
    assert not (editor.data / "gate.json").exists()
