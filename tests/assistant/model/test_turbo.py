"""Leaving early for good: only when asked, only as calibrated, and nothing of it stays in the cache."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("numba")

from assistant.model import calibrate, checkpoint, fused, turbo
from assistant.model.engine import Engine
from assistant.model.race import places
from assistant.model.race.measure import Place
from assistant.types import GenerateRequest, Part

TEXT = "import os\n\n\ndef read(path, encoding):\n    with open(path, encoding=encoding) as file:\n        return file."


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped model with a calibration that leaves wherever the controller leans to it."""
    made = tmp_path_factory.mktemp("model") / "tiny"
    shutil.copytree(checkpoint.default_folder(), made)
    turbo.write(made, json.loads((made / "config.json").read_text()), {2: 0.4, 4: 0.4}, {})
    return made


def engine(folder: Path) -> Engine:
    loaded = checkpoint.load(folder)
    return Engine(loaded, runner=fused.load(loaded, wait=True))


def said(made: Engine, fast: bool, text: str = TEXT) -> tuple[str, list[float], tuple[int, ...], int]:
    request = GenerateRequest((Part(text=text),), 24, budget_ms=math.inf, turbo=fast)
    chunks = list(made.generate(request))
    logprobs = [p for chunk in chunks for p in chunk.logprobs]
    return "".join(chunk.text for chunk in chunks), logprobs, chunks[-1].exits, chunks[-1].reused_tokens


def test_tokens_leave_early_only_when_asked(folder: Path) -> None:
    made = engine(folder)
    assert said(made, False)[2] == (0, 0, 0, 0, 0, 24)
    exits = said(made, True)[2]
    assert sum(exits) == 24
    assert exits[1] + exits[3] > 0
    assert exits[0] == exits[2] == exits[4] == 0


def test_nothing_of_it_stays_in_the_cache(folder: Path) -> None:
    """What a fast answer wrote may be accepted and stand in the next prompt; that one is computed as if it had been typed."""
    made, fresh = engine(folder), engine(folder)
    text = TEXT + said(made, True)[0]
    again, expected = said(made, False, text + "\n    "), said(fresh, False, text + "\n    ")
    assert again[:2] == expected[:2]
    assert 0 < again[3] <= len(made.tokenizer.encode(TEXT))


def test_without_a_calibration_turbo_changes_nothing(folder: Path, tmp_path: Path) -> None:
    plain = shutil.copytree(folder, tmp_path / "plain")
    (plain / turbo.FILE).unlink()
    assert said(engine(plain), True) == said(engine(plain), False)


@pytest.mark.parametrize("text", ["", "{}", '{"thresholds": {"2": 0.5}, "controller": "another"}', '{"thresholds": 3}', "[1]"])
def test_a_calibration_of_something_else_does_not_count(folder: Path, tmp_path: Path, text: str) -> None:
    other = shutil.copytree(folder, tmp_path / "other")
    (other / turbo.FILE).write_text(text)
    assert checkpoint.load(other).leaving is None


def test_calibrating_keeps_what_loses_at_most_one_percent(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lowest threshold that is good enough, and all above it were."""
    mine = shutil.copytree(folder, tmp_path / "mine")
    lost = {0.6: 9, 0.7: 0, 0.8: 4, 0.85: 0, 0.9: 1, 0.93: 0, 0.95: 0, 0.98: 0}
    tallies = [calibrate.Tally(right=400 - lost[least], lost=lost[least], tokens=10, layers=50) for least in calibrate.GRID]
    monkeypatch.setattr(calibrate, "measure", lambda *_: tallies)
    monkeypatch.setattr(places, "read", lambda _: {})
    monkeypatch.setattr(places, "cursors", lambda *_: [])
    found = calibrate.calibrate(mine, tmp_path, 5, False, lambda _: None)
    assert found["thresholds"] == {2: 0.85, 4: 0.85}
    leaving = checkpoint.load(mine).leaving
    assert leaving is not None
    assert leaving[1, -1, 0] == leaving[3, -1, 0] == np.float32(0.85)
    assert leaving[0, -1, 0] == leaving[5, -1, 0] == turbo.NEVER


def test_the_measurement_is_of_the_same_lines_both_ways(folder: Path) -> None:
    source = checkpoint.load(folder)
    assert source.leaving is not None
    never = source.leaving.copy()
    never[:, -1, 0] = turbo.NEVER
    cursors = [Place("a.py", TEXT[:at], TEXT[at:] + "read()\n") for at in (60, 75, 100, len(TEXT))]
    none, some = calibrate.measure(source, [never, source.leaving], cursors, lambda _: None)
    assert none.lost == none.gained == 0
    assert none.layers == 6 * none.tokens
    assert some.layers < 6 * some.tokens
    assert none.right == some.right + some.lost - some.gained
