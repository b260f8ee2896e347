"""`sotto bench runtime`: ratios, picture and what is said when it cannot run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from lsp_server import cli
from lsp_server.commands import bench_runtime


def race(length: int = 512, model: str = "m", threads: int = 1) -> dict[str, Any]:
    def times(pace: float) -> dict[str, Any]:
        return {"name": "n", **{kind: {"median_ms": pace * length} for kind in bench_runtime.MAIN}}

    ratios = {"llamacpp": dict.fromkeys(bench_runtime.MAIN, 2.0)}
    pair = {"sotto": times(0.1), "llamacpp": times(0.2)}
    described = {"length": length, "bytes_a_token": 4_000 + length, "model": model, "threads": threads}
    return {**described, "times": pair, "ratios": ratios}


def test_drafts_are_compared_with_their_plain_decode_on_as_many_threads() -> None:
    report = {
        "races": [race(), race(threads=2), race(2048), race(model="large"), race(2048, "large", threads=2)],
        "drafts": {"ngram": {"ms_per_token": 25.6}},
        "rewriting": {"drafted_ms": 10.24},
        "drafts_all_cores": {"ngram": {"ms_per_token": 12.8}},
        "rewriting_all_cores": {"drafted_ms": 5.12},
    }
    found, all_cores = bench_runtime._ratios(report, 1, ""), bench_runtime._ratios(report, 2, "_all_cores")
    assert found["llamacpp"]["decode_plain"] == found["llamacpp"]["decode_plain_45m"] == 2.0
    assert found["llamacpp"]["decode_speculative"] == pytest.approx(4.0)
    assert found["llamacpp"]["rewriting"] == pytest.approx(10.0)
    assert all_cores["llamacpp"]["decode_speculative"] == pytest.approx(8.0)
    assert all_cores["llamacpp"]["rewriting"] == pytest.approx(20.0)


def test_growth_is_that_of_one_thread_beside_the_bytes() -> None:
    rows = bench_runtime._growth([race(), race(2048, threads=2), race(2048), race(512, "large")], "m")
    assert [(row["model"], row["length"]) for row in rows] == [("m", 512), ("m", 2048)]
    assert rows[1]["time"] == pytest.approx(4.0)
    assert rows[1]["bytes"] == pytest.approx(6048 / 4512)
    assert rows[1]["attention_bytes"] == 4


def test_the_picture_shows_every_model_on_one_thread() -> None:
    drawn = bench_runtime._picture([race(), race(2048), race(512, "large"), race(2048, "large"), race(threads=2)])
    assert drawn.count("<g transform") == 6
    assert "large: prefill" in drawn
    assert drawn.count("<polyline") == 14


def test_a_folder_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", "runtime", "--path", str(tmp_path / "no")]) == 2
    assert "--path" in capsys.readouterr().err


def test_a_peer_that_nobody_knows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", "runtime", "--path", str(tmp_path), "--against", "abacus"]) == 2
    assert "abacus" in capsys.readouterr().err


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", "runtime", "--path", str(tmp_path), "--quick", "--device", "cuda"]) == 2
    assert "torch sees no GPU here" in capsys.readouterr().err
