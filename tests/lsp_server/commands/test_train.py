"""`sotto train`: the trainer's JSON lines become a bar, everything else stays readable, and the exit code is the trainer's."""

from __future__ import annotations

import contextlib
import io
import json

import pytest
from rich.console import Console

from lsp_server.commands import train


def line(**figures: object) -> str:
    return json.dumps({"progress": {"stage": "pretrain", "tokens": 0, "total": 0, "speed": 0.0, "loss": 0.0, **figures}}) + "\n"


def shown(lines: list[str]) -> str:
    out = io.StringIO()
    train.show(lines, Console(file=out, width=160, force_terminal=True))
    return out.getvalue()


def test_the_bar_tells_stage_speed_and_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")  # a dumb terminal shows the last state alone
    text = shown([line(stage="corpus"), line(tokens=30_000_000, total=60_000_000, speed=7312.4, loss=2.345678)])
    assert "corpus" in text
    assert "50%, 30.0 of 60.0 M tokens, 7312/s, loss 2.346" in text


def test_lines_that_are_no_progress_are_printed_as_they_are() -> None:
    text = shown(["12:00:00 corpus: 3 files [bold]left out[/bold]\n", "3\n", '{"other": 1}\n'])
    assert "corpus: 3 files [bold]left out[/bold]" in text
    assert '{"other": 1}' in text


def test_the_exit_code_is_the_trainers(capfd: pytest.CaptureFixture[str]) -> None:
    assert train.run(["--preset", "nothing"]) == 2
    assert "invalid choice: 'nothing'" in capfd.readouterr().err


def test_options_need_no_separator_and_help_is_the_trainers(capfd: pytest.CaptureFixture[str]) -> None:
    from lsp_server.cli import main

    for arguments, wanted in ((["--preset", "enormous"], "invalid choice: 'enormous'"), (["--help"], "--dry-run")):
        with contextlib.suppress(SystemExit):
            main(["train", *arguments])
        said = capfd.readouterr()
        assert wanted in said.out + said.err
