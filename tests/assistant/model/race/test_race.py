"""The race: everyone answers the same prompts, ratios are theirs over ours, and drafts change no answer."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

import pytest

from assistant.model import checkpoint
from assistant.model.race import __main__ as main
from assistant.model.race import measure, places
from assistant.types import EngineError


class Clockwork:
    """A racer that takes as long as it is told, and remembers what it ran."""

    def __init__(self, name: str, pace: float) -> None:
        self.name, self.pace = name, pace
        self.ran: list[tuple[str, int]] = []

    def first(self, ids: Sequence[int]) -> float:
        self.ran.append(("first", len(ids)))
        return self.pace * len(ids)

    def more(self, count: int) -> float:
        self.ran.append(("more", count))
        return self.pace * count

    def settle(self, ids: Sequence[int]) -> None:
        self.ran.append(("settle", len(ids)))

    def typed(self, ids: Sequence[int], count: int) -> float:
        self.ran.append(("typed", len(ids)))
        return self.pace * count

    def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    for name in ("argparse", "ast", "calendar", "configparser", "csv", "dataclasses", "difflib", "inspect"):
        shutil.copy(Path(sysconfig.get_path("stdlib"), f"{name}.py"), folder)
    return folder


def test_everyone_runs_the_same_and_the_first_run_is_not_counted() -> None:
    quick, slow = Clockwork("quick", 1.0), Clockwork("slow", 3.0)
    prompts = [list(range(140)), list(range(200, 340))]
    times = measure.race([quick, slow], prompts, lambda text: None)
    assert quick.ran == slow.ran
    assert [len(found.seconds["prefill"]) for found in times] == [2, 2]
    assert times[0].seconds["prefill"] == [130.0, 130.0]
    ratios = main._ratios(times[0], times[1])
    assert set(ratios) == set(measure.KINDS)
    assert all(ratio == pytest.approx(3.0) for ratio in ratios.values())


def test_stretches_have_the_length_that_is_asked_and_differ(project: Path) -> None:
    tokenizer = checkpoint.load(checkpoint.default_folder()).tokenizer
    found = places.stretches(places.read(project), tokenizer, 700, 3)
    assert [len(ids) for ids in found] == [700, 700, 700]
    assert found[0] != found[1]
    longer = places.stretches(places.read(project), tokenizer, 60_000, 4)
    assert [len(ids) for ids in longer] == [60_000] * 4


def test_too_little_code_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    with pytest.raises(EngineError, match="--path"):
        places.read(tmp_path)


@pytest.mark.slow
def test_the_whole_race_against_nobody(project: Path) -> None:
    command = [sys.executable, "-m", "assistant.model.race", "--path", str(project), "--against", "", "--rounds", "1"]
    ran = subprocess.run([*command, "--small", "--lengths", ""], capture_output=True, text=True, check=True)
    report = json.loads(ran.stdout.splitlines()[-1])
    assert all(race["length"] == 512 and set(race["times"]) == {"sotto"} for race in report["races"])
    # On a busy machine drafts may be left off for what their passes seem to cost.
    assert report["drafts"]["ngram"]["tokens_per_pass"] >= report["drafts"]["plain"]["tokens_per_pass"]
    for name in ("", "_all_cores"):
        assert report["rewriting" + name]["same"] == report["rewriting" + name]["n"] > 0
    assert report["stop_head"]["precision"] > 0.7
    assert report["stop_head"]["wrong_stopped"] > 3 * report["stop_head"]["right_stopped"]
    assert 0 < report["acceptance"]["exit_2"] < report["acceptance"]["exit_4"] <= 1


def test_an_unknown_peer_is_said(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["--path", str(project), "--against", "nobody"]) == 2
    assert "nobody" in json.loads(capsys.readouterr().out)["error"]
