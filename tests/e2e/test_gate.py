"""The learned gate over the real server: what it thinks of each suggestion stands in the store beside what became of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from assistant.gate.features import VERSION
from assistant.gate.model import PRIOR_PATH, dumps, load
from lsp_server import gate_file
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
        "lastLesson": {},
        "alarmed": False,
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
    features = [json.loads(text) for (text,) in editor.rows("SELECT features FROM opportunity WHERE decision = 'show'")]
    assert all(found["entropy"] >= 0 and found["language_python"] == 1 for found in features)
    assert all(sum(value for name, value in found.items() if name.startswith("node_")) == 1 for found in features)
    assert {row[0] for row in editor.rows("SELECT why FROM opportunity WHERE decision = 'show'")} == {"new"}
    rows = editor.rows(ROWS)
    assert [row[-1] for row in rows] == ["accepted", "rejected"]
    for p1, p2, threshold, propensity, explored, stage, version, kind, _ in rows:
        assert 0 < p1 < 1
        assert 0 < p2 < 1
        assert 0 <= threshold <= 1
        assert 0 < propensity <= 1
        assert (explored, stage, version, kind) == (0, 2, VERSION, "prior")


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


def test_a_reset_reaches_a_server_that_runs(make_editor: MakeEditor) -> None:
    editor = make_editor()
    editor.start()
    folder = Path(editor.status()["store"]).parent
    own = replace(load(PRIOR_PATH), record={"yours": {"rows": 40, "until_ms": 0}}, decided=40)
    gate_file.save(folder, dumps(own))
    editor.wait_status(lambda status: status["gate"]["kind"] == "personal" and status["gate"]["decisions"] == 40)
    arguments = ["gate", "reset", "--json"]
    told = subprocess.run(
        [sys.executable, "-m", "lsp_server", *arguments],
        env={**os.environ, "SOTTO_DATA_DIR": str(folder)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(told.stdout) == {"removed": True}
    status = editor.wait_status(lambda status: status["gate"]["kind"] == "prior")
    assert status["gate"]["decisions"] == 0
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
