"""`sotto bench kernels` on few keys: stable keys, right answers beside every speed, what a GPU would show listed as not
measured.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from lsp_server.commands import bench_kernels

OPERATORS = {
    *("decode", "prefill", "decode_quantised", "linear", "exit_head", "merge", "score", "vote", "select", "descend"),
    *("quantise", "chunk_linear", "step_linear", "chunk_scan"),
}
KEYS = {"op", "policy", "device", "dtype", "length", "ms", "best_torch_ms", "ratio", "max_error", "kv_bytes"}


def _sotto(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lsp_server", "bench", "kernels", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300)


def test_a_report_of_this_machine(tmp_path: Path) -> None:
    picture = tmp_path / "kernels.svg"
    done = _sotto("--lengths", "64,600", "--rounds", "1", "--threads", "1", "--json", "--plot", str(picture), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    rows, skipped = report["rows"], report["not_measured"]
    assert all(set(row) >= KEYS for row in rows)
    assert {row["op"] for row in rows} == OPERATORS
    policies = {row["policy"] for row in rows if row["op"] == "decode" and row["length"] == 600}
    usual = {f"{name}, default" for name in ("sink_window", "duo", "block_select")}  # beside the budgets of the papers
    assert policies == usual | {"dense", "sink_window", "duo", "razor", "block_select", "token_select", "hip", "act"}
    assert all(row["ms"] > 0 for row in rows)
    assert all(row["ratio"] == pytest.approx(row["best_torch_ms"] / row["ms"]) for row in rows if row["best_torch"])
    assert all(row["ratio"] is row["best_torch_ms"] is None for row in rows if not row["best_torch"])
    steps = [row for row in rows if row["op"] == "decode"]
    assert all(row["default_ratio"] == pytest.approx(row["default_ms"] / row["ms"]) for row in steps)
    assert all(row["dense_ratio"] == pytest.approx(row["dense_ms"] / row["ms"]) for row in steps)
    assert {row["reason"] for row in steps if row["policy"] == "dense"} == {"every key"}
    assert all(row["reason"].endswith(": dense") for row in steps if row["policy"] not in ("dense", "act"))  # too few keys
    dense = {
        row["length"]: row["kv_bytes"]
        for row in rows
        if (row["op"], row["policy"], row["dtype"]) == ("decode", "dense", "float32")
    }
    assert dense == {64: 65 * 2 * 2 * 128 * 4, 600: 601 * 2 * 2 * 128 * 4}
    assert {entry["device"] for entry in skipped} == {"cuda"}
    assert all(entry["reason"] for entry in skipped)
    assert picture.read_text("utf-8").startswith("<svg")


def test_no_gpu_is_said_and_not_estimated(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("a GPU is here")
    done = _sotto("--device", "cuda", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "rows not measured: no CUDA device on this machine" in " ".join(done.stdout.split())


@pytest.mark.parametrize("width", [80, 120])
def test_every_number_is_readable_in_eighty_columns(width: int, capsys: pytest.CaptureFixture[str]) -> None:
    common = {"device": "cpu", "dtype": "bfloat16", "length": 131072, "max_error": 3.2e-3, "best_torch": "sdpa_gqa_mask"}
    timed = {"ms": 1234.567, "best_torch_ms": 23456.789, "ratio": 19.0, "kv_bytes": 123_400_000}
    against = {"default_ratio": 66.12, "dense_ratio": 10.97, "reason": "256 choices of up to 261 blocks of 16"}
    steps = [{"op": "decode", "policy": name, **common, **timed, **against} for name in ("dense", "block_select, default")]
    scan = {"op": "chunk_scan", "policy": "gated", **common, **timed, "best_torch_ms": None, "ratio": None, "kv_bytes": 0}
    report = {"device": "cpu", "threads": 1, "rows": [*steps, scan], "not_measured": []}
    bench_kernels.show(report, Console(width=width, no_color=True))
    told = capsys.readouterr().out
    assert "…" not in told
    for cell in ("block_select, default", "131072", "1234.567", "19.00x", "66.12x", "10.97x", "123.4"):
        assert cell in told
    assert all((cell in told) is (width == 120) for cell in ("23456.789", "sdpa_gqa_mask", "3.2e-03"))
    assert "nothing like it" in told
    assert "block_select, default, 131072 keys: 256 choices of up to 261 blocks of 16" in told


def test_a_wrong_answer_has_no_speed_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    entry = {
        "op": "decode",
        "policy": "duo",
        "device": "cpu",
        "dtype": "float32",
        "length": 64,
        "reason": "its answer is wrong by 1",
    }
    report = {"device": "cpu", "threads": 1, "rows": [], "not_measured": [entry]}
    assert bench_kernels.wrong(report) == [entry]
    bench_kernels.show(report, Console(width=200))
    assert "duo float32 64: its answer is wrong by 1" in capsys.readouterr().out
