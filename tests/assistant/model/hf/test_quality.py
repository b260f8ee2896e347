"""What the bench of attention says of a policy: on a tiny checkpoint, with budgets small enough that something is left out."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from assistant.model.hf import quality
from assistant.model.hf.needles import needle, planted
from assistant.model.hf.watching import Watching
from kernels.attention.reference import masked, visible
from kernels.attention.spec import Spec
from kernels.policies import registry
from kernels.policies.base import Problem
from tests.assistant.model.hf import tiny

TEXT = tiny.TEXT * 12
SMALL: dict[str, dict[str, object]] = {
    "sink_window": {"sink": 4, "window": 24},
    "duo": {"sink": 4, "window": 24},
    "block_select": {"sink": 4, "window": 16, "blocks": 3, "block": 8},
    "act": {"stretch": 16, "every": 2, "most": 0.02},
}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    made = registry.make
    monkeypatch.setattr(registry, "make", lambda name, **options: made(name, **{"least": 0, **SMALL.get(name, {}), **options}))
    monkeypatch.setattr(quality, "NEEDLES", 2)


def test_needles_stand_at_lines_from_the_beginning_to_the_end() -> None:
    needles = [needle(random.Random(seed)) for seed in range(5)]
    lines = planted("x = 1\n" * 100, needles).splitlines(keepends=True)
    places = [lines.index(one.line) for one in needles]
    assert places == sorted(places)
    assert places[0] <= 2
    assert 95 <= places[-1] <= 105
    assert all(one.line.startswith("def" + one.asked.replace("\n", " ") + one.value) for one in needles)


def test_what_is_kept_is_dense_attentions_probability_on_the_mask() -> None:
    torch.manual_seed(0)
    q, k, v = torch.randn(4, 80, 8), torch.randn(2, 80, 8), torch.randn(2, 80, 8)
    policy = Watching(inner=registry.make("sink_window", sink=3, window=20))
    policy.attend(Problem(q, k, v))
    assert policy.acts_from == 0  # the pass in which something is left out counts whole
    rows = torch.arange(79, -1, -61)
    mask = visible(Spec(), 2, rows, torch.arange(80))
    weights = masked(q[:, rows], k, torch.eye(80).expand(2, -1, -1)[:, :, :8], mask).lse
    logits = q[:, rows] @ k.repeat_interleave(2, 0).transpose(1, 2) * 8**-0.5
    near = (torch.arange(80) < 3) | (torch.arange(80) > rows[:, None] - 20)
    expected = (torch.exp(logits - weights[:, :, None]) * (near & mask[0])).sum(dim=2)
    torch.testing.assert_close(policy.kept[0], expected)
    assert policy.read == [pytest.approx(float((near & mask[0]).sum(dim=1).float().mean()))]


@pytest.mark.usefixtures("small")
def test_policies_are_held_against_dense(
    checkpoint: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "code.py"
    data.write_text(TEXT)
    names = "sink_window;duo;block_select;act;dense;sink_window,0-1=dense"
    assert (
        quality.main(["--model", str(checkpoint("llama")), "--data", str(data), "--length", "400", "--attention", names]) == 0
    )
    report = json.loads(capsys.readouterr().out.splitlines()[-1])
    rows = {row["policy"]: row for row in report["rows"]}
    assert list(rows) == names.split(";")
    assert 300 < report["length"] <= 400
    for name in ("sink_window", "duo", "block_select"):
        assert 0 < rows[name]["mass"] < 0.95  # random weights look everywhere
        assert "mass" in rows[name]["failed"]
        assert rows[name]["change"] != 0
        assert rows[name]["tokens_read"] < 64
        assert rows[name]["worst_head"] <= rows[name]["mass"]
    assert rows["act"]["mass"] == 1.0
    assert rows["act"]["change"] != 0
    for name in ("dense", "sink_window,0-1=dense"):
        assert (rows[name]["acts_from"], rows[name]["change"], rows[name]["same_answers"]) == (None, 0.0, 1.0)


def test_what_is_dense_here_for_its_speed_is_judged_on_demand(
    checkpoint: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = registry.make
    budget = {"block_select": SMALL["block_select"]}
    late = {"least": 10**6}
    monkeypatch.setattr(registry, "make", lambda name, **options: made(name, **{**late, **budget.get(name, {}), **options}))
    monkeypatch.setattr(quality, "NEEDLES", 2)
    data = tmp_path / "code.py"
    data.write_text(TEXT)
    named = ["--model", str(checkpoint("llama")), "--data", str(data), "--length", "300", "--attention", "block_select"]
    starts = []
    for more in ([], ["--everywhere"]):
        assert quality.main([*named, *more]) == 0
        starts.append(json.loads(capsys.readouterr().out.splitlines()[-1])["rows"][0]["acts_from"])
    assert starts[0] is None
    assert starts[1] is not None
    assert starts[1] < 300


def test_demands_that_are_missed_are_named() -> None:
    good = {"change": 0.005, "needle_ratio": 0.98, "mass": 0.95}
    assert quality.failed(good) == []
    assert quality.failed({"change": 0.0051, "needle_ratio": 0.97, "mass": 0.94}) == ["perplexity", "needle", "mass"]
    assert quality.failed({**good, "needle_ratio": None}) == ["needle"]  # dense finds none: nothing is shown


def test_what_cannot_be_read_is_said(
    tmp_path: Path, checkpoint: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert quality.main(["--model", str(checkpoint("llama")), "--data", str(tmp_path / "none.py")]) == 1
    assert "cannot be read" in json.loads(capsys.readouterr().out)["error"]
    (tmp_path / "short.py").write_text("x = 1\n")
    assert quality.main(["--model", str(checkpoint("llama")), "--data", str(tmp_path / "short.py"), "--length", "60"]) == 1
    assert "no room for 24" in json.loads(capsys.readouterr().out)["error"]
