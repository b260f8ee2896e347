"""`sotto model calibrate`: what a user reads of heads or a temperature that was found or not, and while they are looked for."""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest
from rich.console import Console

from lsp_server.commands import model

FOUND: dict[str, Any] = {"model": "coder", "keyHeads": 6, "file": "/data/attention/abc.json"}


def shown(**answer: Any) -> str:
    console = Console(file=io.StringIO(), width=200)
    model._show_heads(console, {**FOUND, **answer})
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_gain_is_shown_with_its_size() -> None:
    told = shown(attention="act", calmed=2, chosen=2, perplexity=[4.0, 3.96])
    assert "2 of 6 key heads of coder read half of the code better when calmed" in told
    assert "4.000 dense, 3.960 with them (-1.00%)" in told
    assert "set `attention` to act" in told


@pytest.mark.parametrize("chosen", [0, 2])
def test_no_gain_is_said_and_nothing_is_recommended(chosen: int) -> None:
    told = shown(attention="act", calmed=0, chosen=chosen, perplexity=[4.0, 4.01])
    assert "with this model `act` is dense" in told
    assert ("of the other half" in told) == bool(chosen)
    assert "set `attention`" not in told


def test_where_gates_were_too_dear_it_says_why() -> None:
    told = shown(attention="duo", retrieving=3, by="scores", why="400 steps would take hours here")
    assert "3 of 6 key heads of coder retrieve, by scores" in told
    assert "Not by gates: 400 steps would take hours here." in told
    assert "set `attention` to duo" in told


STOP: dict[str, Any] = {
    **{"model": "coder", "cursors": 300, "files": [50, 51], "tokens": [900, 910], "file": "/data/attention/abc.stop.json"},
    **{"nats": [0.9, 0.8], "calibrationError": [0.07, 0.02], "nearHalf": {"tokens": [90, 80], "right": [0.36, 0.49]}},
}


def stopped(**answer: Any) -> list[str]:
    console = Console(file=io.StringIO(), width=200)
    model._show_stop(console, {**STOP, **answer})
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_a_temperature_is_shown_with_what_it_gains_and_what_to_do() -> None:
    told = stopped(temperature=1.3, fitted=1.3)
    assert told[0] == "300 cursors: the likeliest temperature for coder is 1.30 (above 1: it is too sure of itself)."
    assert "51 files that did not choose: 0.9000 nats a token before, 0.8000 after; calibration error 7.0%, 2.0%" in told[1]
    assert "36% were before, 49% after" in told[2]
    assert "start Sotto again" in told[-1]
    assert "1.30" in told[-1]


def test_a_temperature_without_gain_stays_one() -> None:
    told = stopped(temperature=1.0, fitted=0.97, nearHalf={"tokens": [0, 0], "right": [None, None]})
    assert "0.97 (below 1: it could be surer)" in told[0]
    assert not any("40 to 60" in line for line in told)
    assert "the temperature stays 1" in told[-1]


def test_a_check_names_what_is_kept_and_asks_for_nothing() -> None:
    told = stopped(checked=1.3, files=40)
    assert "the temperature kept for coder is 1.30" in told[0]
    assert "On 40 files:" in told[1]
    assert not any("start Sotto" in line or "Kept in" in line for line in told)


def test_progress_is_heard_line_by_line_and_the_answer_is_the_last_line() -> None:
    code = "import sys\nfor i in (1, 2): print('step', i, file=sys.stderr)\nprint('noise'); print('{\"a\": 1}'); sys.exit(3)"
    heard: list[str] = []
    lines: list[str] = []
    assert model._ask([sys.executable, "-c", code], lines, heard.append) == (3, {"a": 1})
    assert heard == lines == ["step 1", "step 2"]


def test_a_calibration_that_breaks_off_says_its_last_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(model, "python_command", lambda *_: [sys.executable, "-c", "raise SystemExit('out of memory')"])
    assert model._run([], "calibrating", False, model._show_heads) == 1
    assert "out of memory" in capsys.readouterr().err
