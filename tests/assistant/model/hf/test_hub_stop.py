"""What a checkpoint's probabilities are worth: the temperature is found, kept, and changes nothing but what answers report."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from assistant.completion.context import Site
from assistant.completion.prompt import fim
from assistant.model.families import PLAIN, PSM, PSM_FILES, SPM, SUFFIX_FIRST
from assistant.model.hf import calibrate, holes, stop, temperature
from assistant.model.hf.engine import HubEngine
from assistant.model.hf.files import CheckpointFiles
from assistant.model.hf.load import load
from assistant.model.race import places
from assistant.model.race.measure import Place
from assistant.types import Chunk, GenerateRequest, Part, ScoreRequest
from lsp_server import cli
from lsp_server.commands import model
from lsp_server.engine import EngineClient
from lsp_server.paths import calibrated_dir
from tests.assistant.model.hf import tiny

Folders = Callable[[str], Path]
Engines = Callable[[str], HubEngine]
NEW = 16


@lru_cache
def drawn(factor: float, count: int = 1000, seed: int = 0) -> stop.Tokens:
    """Tokens drawn from what a model of 12 tokens says, whose logits are then multiplied; in 20 files."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(0, 1.5, (count, 12))
    chances = np.exp(rows) / np.exp(rows).sum(axis=1, keepdims=True)
    truths = [int(rng.choice(12, p=row)) for row in chances]
    told = [
        stop._said((row * factor).astype(np.float32), token, token in (0, 1), (0, 1))
        for row, token in zip(rows, truths, strict=True)
    ]
    nats, sure, right = (np.array(column) for column in zip(*told, strict=True))
    return stop.Tokens(nats, sure, right, np.arange(count) % 20)


def code(folder: Path) -> Path:
    """Six files, long enough to be calibrated on."""
    folder.mkdir()
    for number in range(6):
        (folder / f"m{number}.py").write_text((tiny.TEXT.replace("items", f"items_{number}") + "\n") * 6, "utf-8")
    return folder


def counting(folder: Path, text: str, factor: float) -> Path:
    """A GPT-2 that says of every token how often it stands in ``text``, whatever came before; logits times ``factor``."""
    tiny.make(folder, "gpt2")
    it: Any = transformers.AutoModelForCausalLM.from_pretrained(str(folder))
    engine, _ = load(folder, lambda: None)
    often = Counter(engine.tokenizer.encode(text))
    with torch.no_grad():
        it.transformer.ln_f.weight.zero_()
        it.transformer.ln_f.bias.zero_()[0] = factor
        for token in range(len(it.transformer.wte.weight)):
            it.transformer.wte.weight[token, 0] = float(np.log(often[token] + 0.5))
    it.save_pretrained(str(folder))
    return folder


def asked(folder: Path, out: Path, path: Path, *rest: str) -> list[str]:
    return ["--model", str(folder), "--stop", "--out", str(out), "--path", str(path), *rest]


def told(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    answer = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert isinstance(answer, dict)
    return answer


def ask(**rest: Any) -> GenerateRequest:
    return GenerateRequest((Part(text=tiny.TEXT, keep="end"),), NEW, heal=False, budget_ms=1e9, **rest)


def heard(chunks: list[Chunk]) -> tuple[str, list[float]]:
    return "".join(chunk.text for chunk in chunks), [each for chunk in chunks for each in chunk.logprobs]


@pytest.mark.parametrize("factor", [3.0, 0.5])
def test_logits_that_were_multiplied_are_divided_again(factor: float) -> None:
    at = stop.fit(drawn(factor))
    assert stop.GRID[at] == pytest.approx(factor, rel=0.06)
    judged = stop.judge(drawn(factor, seed=1), at)
    assert judged.surely
    assert judged.nats[1] < judged.nats[0]
    assert judged.error[1] < 0.5 * judged.error[0]
    (_, before), (many, after) = judged.near_half
    assert many > 50
    assert before is not None
    assert after is not None
    assert abs(after - 0.5) < 0.08 < abs(before - 0.5)


def test_a_gain_within_its_error_is_none() -> None:
    honest = drawn(1.0)
    assert not stop.judge(honest, stop.ONE).surely
    assert not stop.judge(honest, stop.ONE + 6).surely  # 1.19 says less than it knows
    gains = drawn(3.0)
    at = stop.fit(gains)
    assert not stop.judge(gains.of([3]), at).surely  # one file says nothing of others
    nats = np.where((gains.file % 2 == 0)[:, None], gains.nats, gains.nats[:, ::-1])
    assert not stop.judge(stop.Tokens(nats, gains.sure, gains.right, gains.file), at).surely


def test_the_calibration_error_is_what_was_said_too_much() -> None:
    sure, right = np.array([0.8, 0.8, 0.8, 0.8, 0.1, 0.1]), np.array([1.0, 1.0, 0.0, 0.0, 0.0, 0.0])
    assert stop.calibration_error(sure, right) == pytest.approx((4 * 0.3 + 2 * 0.1) / 6)


@pytest.mark.parametrize("layout", [PLAIN, PSM, PSM_FILES, SPM, SUFFIX_FIRST])
def test_holes_are_written_as_the_product_writes_them(layout: str) -> None:
    above, below = "import os\n\n\ndef first(items):\n    return it", "\n\n\nx = 1\n"
    site = Site(above + below, len(above), "python", "a/b.py", above, below, 0, len(above + below), "    ")
    assert holes.parts(layout, "a/b.py", above, below) == fim(layout, site)
    long = "".join(f"line_{number} = {number}\n" for number in range(500))
    shown = "".join(part.text for part in holes.parts(PLAIN, "a.py", long + "x = li", "\n" + long))
    assert shown.startswith("line_")
    assert shown.endswith("\nx = li")
    assert holes.BEFORE - 20 < len(shown) <= holes.BEFORE
    after = holes.parts(SPM, "a.py", "x = li", "\n" + long)[2].text
    assert after.endswith("\n")
    assert holes.AFTER - 20 < len(after) <= holes.AFTER


def test_what_is_forced_is_what_an_answer_would_choose_among(engine: Engines) -> None:
    it = engine("qwen2")
    parts = (Part(text=tiny.TEXT + "def fir", keep="end"),)
    rows = list(it.teach(ScoreRequest(parts, "st(items):")))
    assert rows[-1][1] == -1
    scored = it.score(ScoreRequest(parts, "st(items):"))
    assert len(rows) - 1 <= scored.tokens
    nats = [float(np.logaddexp.reduce(row[np.isfinite(row)]) - row[token]) for row, token in rows[:-1]]
    assert max(nats) / np.log(2) == pytest.approx(scored.worst, rel=1e-4)
    said = heard(list(it.generate(GenerateRequest(parts, 1, heal=False, budget_ms=1e9))))[1]
    first = next(it.teach(ScoreRequest(parts, "st(items):", heal=False)))[0]
    assert said[0] == pytest.approx(float(first.max() - np.logaddexp.reduce(first[np.isfinite(first)])), rel=1e-4)


def test_lines_count_up_to_their_end(engine: Engines) -> None:
    it = engine("qwen2")
    above, short, data = tiny.TEXT + "x = fi", "rst(items)\n", "r" * 2000 + "\n"
    cursors = [Place(f"{name}.py", above, rest + "y = 1\n") for name, rest in (("a", short), ("b", data), ("c", short))]
    read = stop.read(it, PSM_FILES, cursors)
    parts = holes.parts(PSM_FILES, "a.py", above, "\ny = 1\n")
    rows = list(it.teach(ScoreRequest(parts, "rst(items)")))
    assert read.file.tolist() == [0] * len(rows) + [2] * len(rows)  # one more than its tokens: that it ends
    ends = [i for i, spelled in enumerate(it.tokenizer.token_bytes) if spelled.startswith(b"\n") or i in it.closing]
    last = torch.from_numpy(rows[-1][0])
    assert read.nats[len(rows) - 1, stop.ONE] == pytest.approx(-last.log_softmax(-1)[ends].logsumexp(-1).item(), rel=1e-3)


def test_a_models_factor_is_found_kept_and_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "LARGEST", 8000)
    text, found = code(tmp_path / "code"), []
    lines = (text / "m0.py").read_text("utf-8").replace("_0", "")
    for factor in (1.0, 3.0):
        folder = counting(tmp_path / f"times{factor}", lines, factor)
        assert calibrate.main(asked(folder, tmp_path / "out", text, "--cursors", "24")) == 0
        found.append(told(capsys)["fitted"])
    assert found[1] / found[0] == pytest.approx(3.0, rel=0.04)
    engine, info = load(folder, lambda: None, calibrated=tmp_path / "out")
    assert engine.heat == pytest.approx(found[1])
    assert json.loads(temperature.place(tmp_path / "out", info.sha256).read_text("utf-8"))["about"]["cursors"] == 24
    assert calibrate.main(asked(folder, tmp_path / "out", text, "--cursors", "12", "--check")) == 0
    checked = told(capsys)
    assert checked["checked"] == engine.heat
    assert checked["nats"][1] < checked["nats"][0]
    assert calibrate.main(asked(folder, tmp_path / "empty", text, "--check")) == 1
    assert "no calibration" in told(capsys)["error"]


def test_no_gain_keeps_one(checkpoint: Folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "LARGEST", 8000)
    monkeypatch.setattr(stop, "read", lambda *_: drawn(1.0))
    monkeypatch.setattr(stop, "fit", lambda _: stop.ONE + 9)
    answer = stop.calibrate(checkpoint("gpt2"), tmp_path, code(tmp_path / "code"), 60)
    assert (answer["temperature"], answer["fitted"]) == (1.0, pytest.approx(stop.GRID[stop.ONE + 9], abs=1e-4))
    assert temperature.read(tmp_path, CheckpointFiles(checkpoint("gpt2")).identity()) == temperature.Told(1.0, kept=True)


def test_reports_follow_the_file_and_tokens_do_not(checkpoint: Folders, engine: Engines, tmp_path: Path) -> None:
    folder, plain = checkpoint("qwen2"), engine("qwen2")
    temperature.write(tmp_path, CheckpointFiles(folder).identity(), "tiny", 2.0, {})
    it, info = load(folder, lambda: None, calibrated=tmp_path)
    assert info.note == ""
    chunks, before = list(it.generate(ask())), list(plain.generate(ask()))
    (said, logprobs), (same, raw) = heard(chunks), heard(before)
    assert said == same != ""
    assert min(np.abs(np.array(logprobs) - np.array(raw))) > 0.01
    prompt = [*it.begin, *it.tokenizer.encode(tiny.TEXT)]
    new = tiny.greedy(folder, prompt, NEW)
    theirs: Any = transformers.AutoModelForCausalLM.from_pretrained(str(folder), dtype=torch.float32)
    with torch.no_grad():
        logits = theirs(torch.tensor([prompt + new])).logits[0, len(prompt) - 1 : -1]
    logits = (logits + torch.from_numpy(it._allowed)) / 2.0
    expected = logits.log_softmax(-1)[range(len(new)), new]
    assert logprobs == pytest.approx(expected[: len(logprobs)].tolist(), abs=1e-3)
    assert chunks[0].entropy == pytest.approx(-(logits[0].softmax(-1) * logits[0].log_softmax(-1)).nansum().item(), rel=1e-3)
    drawing = ask(temperature=0.8, seed=3)
    assert heard(list(it.generate(drawing)))[0] == heard(list(plain.generate(drawing)))[0]
    scoring = ScoreRequest((Part(text="import os\n"),), "def first")
    assert it.score(scoring).bits == pytest.approx(plain.score(scoring).bits, rel=1e-5)


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", '{"temperature": "hot"}', '{"temperature": NaN}', '{"temperature": 9}', "\0"]
)
def test_a_file_of_another_kind_is_ignored_and_said(text: str, tmp_path: Path) -> None:
    temperature.place(tmp_path, "abc").write_text(text, "utf-8")
    kept = temperature.read(tmp_path, "abc")
    assert (kept.value, kept.kept) == (1.0, False)
    assert "abc.stop.json holds no calibration" in kept.note
    assert temperature.read(tmp_path, "other") == temperature.read(None, "abc") == temperature.Told()


def test_a_broken_file_stops_no_model(checkpoint: Folders, tmp_path: Path) -> None:
    temperature.place(tmp_path, CheckpointFiles(checkpoint("gpt2")).identity()).write_text("{", "utf-8")
    it, info = load(checkpoint("gpt2"), lambda: None, calibrated=tmp_path)
    assert it.heat == 1.0
    assert "calibrate --stop" in info.note


def test_the_command_reaches_it(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to the process that it starts, which runs here."""

    def in_here(command: list[str], *_: object) -> tuple[int, dict[str, Any]]:
        rest = command[command.index("--model") :]
        assert "assistant.model.hf.calibrate" in " ".join(command)
        code = calibrate.main(rest)
        return code, told(capsys)

    monkeypatch.setattr(model, "_ask", in_here)
    assert cli.main(["model", "calibrate", "--stop"]) == 2
    assert "bring their own Stop head" in capsys.readouterr().err
    (tmp_path / "config.json").write_text('{"format": 1, "family": "sotto"}')
    assert cli.main(["model", "calibrate", "--stop", "--model", str(tmp_path), "--json"]) == 2
    assert "bring their own Stop head" in capsys.readouterr().err
    assert cli.main(["model", "calibrate", "--stop", "--model", str(tmp_path / "none")]) == 2
    assert "holds no checkpoint" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        cli.main(["model", "calibrate", "--stop", "--turbo"])


def test_every_engine_is_told_where_it_is_kept() -> None:
    options = EngineClient()._options
    assert options[options.index("--calibrated") + 1] == str(calibrated_dir())


def test_too_little_code_is_said(checkpoint: Folders, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert calibrate.main(asked(checkpoint("gpt2"), tmp_path, tmp_path)) == 1
    assert "too little Python" in told(capsys)["error"]
