"""`sotto gate` and `sotto bench gate` from their command lines, on rows in a file."""

from __future__ import annotations

import argparse
import json
import stat
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assistant.gate.model import PRIOR_PATH, load
from assistant.gate.rows import GateRow, to_json
from lsp_server.commands import bench_gate
from lsp_server.commands.gate_options import add_bench_gate, add_gate, run_bench_gate, run_gate
from telemetry.events import Impression, Opportunity, Outcome
from telemetry.store import Store
from tests.assistant.gate.made import prior, rows
from tests.assistant.gate.study import needs_study


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser()
    commands = made.add_subparsers(dest="command", required=True)
    add_gate(commands)
    add_bench_gate(commands.add_parser("bench").add_subparsers(dest="kind", required=True))
    return made


def ask(capsys: pytest.CaptureFixture[str], folder: Path, *words: str) -> tuple[int, dict[str, Any], str]:
    arguments = parser().parse_args([*words, "--json"])
    code = run_gate(arguments, folder) if arguments.command == "gate" else run_bench_gate(arguments)
    out, err = capsys.readouterr()
    return code, json.loads(out) if out else {}, err


@pytest.fixture
def record(tmp_path: Path) -> Path:
    hidden = [GateRow(f"h{i}", i, rows(1, 0.0, seed=i)[0].features, "hide", propensity=0.95, p2=0.1) for i in range(30)]
    made, ago = [*hidden, *rows(200, -3.0)], int(time.time() * 1000) - 3_600_000
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(to_json(replace(row, ts_ms=ago + index)) for index, row in enumerate(made)))
    return path


def test_train_status_explain_reset(capsys: pytest.CaptureFixture[str], tmp_path: Path, record: Path) -> None:
    home = tmp_path / "data"
    code, first, _ = ask(capsys, home, "gate", "status")
    assert (code, first["own"], first["id"]) == (0, False, prior().id)

    code, learned, _ = ask(capsys, home, "gate", "train", "--events", str(record))
    assert code == 0
    assert learned["decided"] == 200
    assert learned["bias"]["two"] < 0
    file = home / "gate.json"
    assert load(file).id == learned["id"] != prior().id
    if sys.platform != "win32":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600

    code, second, _ = ask(capsys, home, "gate", "status", "--events", str(record))
    assert second["own"]
    assert second["record"]["decisions"] == {"show": 200, "hide": 30}
    assert second["record"]["longest_silence"] == 30

    code, why, _ = ask(capsys, home, "gate", "explain", "h3", "--events", str(record))
    assert (code, why["decision"], why["recorded"]) == (0, "hide", 0.1)
    assert {"average", "you"} <= set(why["log_odds"])

    assert learned["trial"]["promoted"]

    assert ask(capsys, home, "gate", "reset")[1] == {"removed": True}
    assert not ask(capsys, home, "gate", "status")[1]["own"]
    assert ask(capsys, home, "gate", "reset")[1] == {"removed": False}
    code, again, _ = ask(capsys, home, "gate", "train", "--events", str(record))
    assert (code, again["decided"]) == (0, 0), "what was forgotten is not learned again"


def test_without_a_file_the_record_itself_is_read(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, empty, _ = ask(capsys, tmp_path, "gate", "train")
    assert (code, empty["decided"]) == (0, 0), "a new user has no record yet"
    ago = int(time.time() * 1000) - 3_600_000
    store = Store.open(tmp_path)
    for index, row in enumerate(rows(60, -3.0)):
        shown = Opportunity(
            f"o{index}", "S", ago + index, float(index), decision="show", reason="shown", p1=0.4, p2=0.3, stage=2
        )
        store.record(replace(shown, features=row.features))
        store.record(Impression(f"i{index}", f"o{index}", ago + index, float(index), 20, 1))
        store.record(Outcome(f"i{index}", row.outcome, ago + index, float(index), 2000.0))
    store.record(Opportunity("skipped", "S", ago + 99, 99.0, decision="skip", reason="gated_skip", p1=0.01, stage=1))
    store.record(Opportunity("nothing", "S", ago + 100, 100.0, decision="skip", reason="empty"))
    store.close()

    code, learned, _ = ask(capsys, tmp_path, "gate", "train")
    assert (code, learned["decided"]) == (0, 60)
    assert ask(capsys, tmp_path, "gate", "status")[1]["record"]["decisions"] == {"show": 60, "skip": 1}
    code, why, _ = ask(capsys, tmp_path, "gate", "explain", "skipped")
    assert (code, why["decision"], why["recorded"]) == (0, "skip", 0.01)
    assert ask(capsys, tmp_path, "gate", "replay")[1]["rows"] == 61


def test_replay_estimates_a_candidate(capsys: pytest.CaptureFixture[str], tmp_path: Path, record: Path) -> None:
    code, answer, _ = ask(capsys, tmp_path, "gate", "replay", "--events", str(record), "--setting", "quiet")
    assert code == 0
    assert answer["rows"] == 230
    assert {"logged", "ips", "snips", "dr", "dr_error", "hidden", "better"} <= set(answer)


def test_without_json_there_is_a_table(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run_gate(parser().parse_args(["gate", "status"]), tmp_path) == 0
    assert prior().id in capsys.readouterr().out


@pytest.mark.parametrize("words", [("explain", "nobody"), ("train",), ("replay",)])
def test_what_cannot_be_done_is_said(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, record: Path, words: tuple[str, ...]
) -> None:
    broken = tmp_path / "broken.jsonl"
    broken.write_text("{}\n")
    code, answer, err = ask(capsys, tmp_path, "gate", *words, "--events", str(record if words[0] == "explain" else broken))
    assert (code, answer) == (2, {})
    assert ("nobody" if words[0] == "explain" else "line 1") in err


def test_a_broken_gate_is_refused_with_advice(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "gate.json").write_text(PRIOR_PATH.read_text()[:-100])
    code, _, err = ask(capsys, tmp_path, "gate", "status")
    assert code == 2
    assert "sotto gate reset" in err


def test_bench_on_rows_of_several_users(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    made = [row for user in range(4) for row in rows(60, -0.5, seed=user, slope=4.0, user=str(user))]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(to_json, made)))
    code, answer, _ = ask(capsys, tmp_path, "bench", "gate", "--events", str(path))
    assert code == 0
    assert answer["louo"]["auc"] > 0.6
    assert answer["simulation"] is None
    assert answer["speed"]["refit_10000_rows_s"] < 5


def test_bench_needs_several_users(capsys: pytest.CaptureFixture[str], tmp_path: Path, record: Path) -> None:
    code, _, err = ask(capsys, tmp_path, "bench", "gate", "--events", str(record))
    assert code == 2
    assert "users" in err
    assert ask(capsys, tmp_path, "bench", "gate", "--events", str(tmp_path / "none"))[0] == 2


@needs_study
@pytest.mark.slow
def test_the_stable_keys_of_the_bench() -> None:
    found, states = bench_gate.load_rows(None)
    few = [row for row in found if int(row.user) < 4]
    from rich.console import Console

    answer = bench_gate.measure(few, states, 2, Console(quiet=True))
    asked = {"auc", "stage1_auc", "log_loss", "ece", "hidden_at_90", "accepts_lost_at_90"}
    assert asked <= set(answer["louo"])
    assert {"longest_silence", "silent_at_end", "bound_mean", "users_over_twice_bound"} <= set(answer["simulation"])
