"""`sotto bench attention`: on a tiny checkpoint through the real child process, and what it prints of a report."""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from lsp_server.commands import attention_options, bench_attention
from lsp_server.commands.local import CommandError
from tests.assistant.model.hf import tiny


def parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    attention_options.add(parser.add_subparsers(dest="kind"))
    return parser.parse_args(["attention", *arguments])


def test_a_checkpoint_is_read_under_the_settings_that_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tiny.make(tmp_path / "coder", "llama")
    (tmp_path / "code.py").write_text(tiny.TEXT * 30)
    named = ["--model", str(folder), "--data", str(tmp_path / "code.py"), "--attention", "dense"]
    assert attention_options.run(parse("--json", "--length", "1500", *named)) == 0
    (report,) = json.loads(capsys.readouterr().out)["models"]
    assert [(row["policy"], row["acts_from"], row["failed"]) for row in report["rows"]] == [("dense", None, [])]
    assert attention_options.run(parse("--model", str(folder), "--attention", "fastest")) == 2
    assert "knows no 'fastest'" in capsys.readouterr().err


def test_the_default_text_is_a_package_that_is_here_and_was_never_trained_on() -> None:
    files = bench_attention.package_files(bench_attention.READ)
    assert sum(file.stat().st_size for file in files) > 200_000
    with pytest.raises(CommandError, match="name code to read with --data"):
        bench_attention.package_files("no-such-package")


def test_a_report_is_shown_with_what_it_misses() -> None:
    row = {
        "policy": "sink_window", "acts_from": 1280, "tokens": 100, "perplexity": 5.1, "dense_perplexity": 5.0, "change": 0.02,
        "change_error": 0.01, "needles": "3/24", "dense_needles": "24/24", "needle_ratio": 0.125, "same_answers": 0.1,
        "mass": 0.6, "worst_head": 0.3, "tokens_read": 1280.0, "reading_ratio": 2.8, "step_ms": 1.0, "step_ratio": 6.9,
        "failed": ["perplexity", "needle", "mass"], "by_construction": ["needle", "mass"],
    }  # fmt: skip
    other = {**row, "policy": "block_select", "failed": ["mass"], "by_construction": []}
    lost = {**row, "policy": "act", "failed": ["needle"], "by_construction": [], "needle_ratio": None}
    still = {**row, "policy": "hip", "acts_from": None, "failed": [], "by_construction": []}
    shown = io.StringIO()
    report = {"model": "m", "length": 20000, "texts": 1, "rows": [row, other, lost, still]}
    bench_attention.show(report, Console(file=shown, width=80))
    text = shown.getvalue()
    assert "+2.00%" in text
    assert "…" not in text
    assert "3/24" in text
    assert "dense: perplexity 5.000, needles 24/24" in text
    assert "sink_window misses perplexity; by construction without needle, mass" in text
    assert "block_select misses mass" in text
    assert "act loses no needle that dense finds, for it finds none" in text
    assert ["hip", "dense", "all", "3/24"] in [line.split() for line in text.splitlines()]
    assert "Nothing was left out" not in text
    bench_attention.show({**report, "rows": [still]}, Console(file=shown, width=160))
    assert "Nothing was left out" in shown.getvalue()
