"""`sotto bench telemetry`: both halves on a small scale, and the comparison on numbers that are known."""

from __future__ import annotations

import json

import pytest

from lsp_server.cli import main
from lsp_server.commands.bench_telemetry import compare


def test_both_halves_are_measured(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lsp_server.commands.bench_telemetry.PACE_S", 0.0)
    assert main(["bench", "telemetry", "--answers", "40", "--moments", "300", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["completion"]["answers"] == 40
    assert 0 < told["completion"]["p50_plain_ms"] <= told["completion"]["p99_plain_ms"]
    assert told["completion"]["p99_moved_low_ms"] <= told["completion"]["p99_moved_high_ms"]
    assert told["dashboard"]["moments"] == 300
    assert told["dashboard"]["loads_30_days_p50_ms"] > 0


def test_a_half_can_be_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "telemetry", "--answers", "0", "--moments", "100"]) == 0
    table = capsys.readouterr().out
    assert "dashboard" in table
    assert "completion" not in table


def test_by_how_much_the_99th_percentile_moved() -> None:
    plain = [[1.0] * 98 + [5.0] * 2 for _ in range(4)]
    recorded = [[value + 1.5 for value in block] for block in plain]
    told = compare(recorded, plain)
    assert told["p99_moved_ms"] == pytest.approx(1.5)
    assert told["p99_moved_low_ms"] == pytest.approx(told["p99_moved_high_ms"]) == pytest.approx(1.5)
    assert (told["p50_plain_ms"], told["p50_recorded_ms"]) == (1.0, 2.5)
