"""`sotto bench next-edit` and `sotto train --edits` on small made-up histories, by their front door, without the model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from assistant.next_edit.ranker import Ranker
from lsp_server.cli import main
from tests.assistant.next_edit.histories import repeated


@pytest.fixture(scope="module")
def clones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clones")
    for number in range(3):
        repeated(folder / f"project{number}", seed=number)
    return folder


def test_bench_counts_what_would_have_been_shown(clones: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "next-edit", "--data", str(clones), "--commits", "2", "--no-model", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["moments"]["commits"] == 6
    assert answer["moments"]["finished"] == 6
    assert list(answer["ways"]) == ["nothing", "patterns", "ranked patterns"]
    assert answer["ways"]["nothing"]["coverage"]["share"] == 0
    assert answer["ways"]["patterns"]["exact_precision"]["share"] > 0.5  # the same line again: what the rules are for
    assert set(answer["by"]["repository"]) == {"project0", "project1", "project2"}
    assert set(answer["by"]["language"]) <= {"python", "javascript"}
    assert answer["ranker"] == Ranker.load().id


def test_with_the_model_completion_speaks_too(clones: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "next-edit", "--data", str(clones / "project0"), "--commits", "1", "--threads", "1", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert list(answer["ways"])[-1] == "with the model"
    assert answer["latency_ms"]["complete"]["p95"] > 0
    assert answer["latency_ms"]["answer"]["p50"] >= answer["latency_ms"]["score"]["p50"]


def test_bench_prints_tables(clones: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "next-edit", "--data", str(clones / "project0"), "--commits", "1", "--no-model"]) == 0
    out = capsys.readouterr().out
    assert "ranked patterns" in out
    assert "patterns cpu: p50" in out


def test_training_on_several_histories_writes_a_ranker_of_its_own(
    clones: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, kept = tmp_path / "deep" / "ranker.json", tmp_path / "moments.jsonl"
    command = ["train", "--edits", str(clones), "--commits", "3", "--no-model", "--json"]
    assert main([*command, "--out", str(out), "--moments", str(kept)]) == 0
    answer = json.loads(capsys.readouterr().out)
    ranker = Ranker.load(out)
    assert ranker.id == answer["id"]
    assert set(ranker.record["moments"]) == {"project0", "project1", "project2"}
    before = out.read_text()
    assert main([*command, "--out", str(out), "--moments", str(kept)]) == 0  # from what was kept
    assert out.read_text() == before


def test_training_on_one_history_adapts_the_shipped_ranker(
    clones: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SOTTO_DATA_DIR", str(tmp_path))
    assert main(["train", "--edits", str(clones / "project1"), "--commits", "3", "--no-model"]) == 0
    assert "candidates" in capsys.readouterr().out
    ranker = Ranker.load(tmp_path / "next_edit" / "ranker.json")
    assert ranker.alone.stage.trees == Ranker.load().alone.stage.trees
    assert set(ranker.record["yours"]["moments"]) == {"project1"}


def test_a_recorded_session_is_replayed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = "import os\n\n\n" + "".join(f"def case_{n}(client):\n    client.flush(timeout=5)\n\n\n" for n in range(5))
    events, at, text = [], 0.0, code
    for _ in range(4):
        place = text.index("flush")
        events.append({"path": "a.py", "start": place, "end": place + 5, "text": "sync", "at": at})
        text, at = text.replace("flush", "sync", 1), at + 20
    file = tmp_path / "one.session.json"
    file.write_text(json.dumps({"version": 1, "files": {"a.py": code}, "events": events}))
    for data in (file, tmp_path):
        assert main(["bench", "next-edit", "--data", str(data), "--no-model", "--json"]) == 0
        answer = json.loads(capsys.readouterr().out)
        assert answer["moments"]["between"] >= 2
        assert answer["ways"]["patterns"]["exact_precision"]["share"] == 1.0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["bench", "next-edit"], "name what to replay"),
        (["bench", "next-edit", "--data", "/nowhere/at/all"], "does not exist"),
        (["bench", "next-edit", "--data", "{empty}"], "no git history"),
        (["bench", "next-edit", "--data", "{file}"], "no recorded session"),
        (["train", "--edits", "{empty}"], "no git history"),
    ],
)
def test_mistakes_are_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.json").write_text("{}")
    places = {"empty": str(tmp_path / "empty"), "file": str(tmp_path / "file.json")}
    assert main([one.format(**places) for one in arguments] + ["--no-model"]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1


def test_the_cost_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from lsp_server.commands import bench_next_edit_grow

    monkeypatch.setattr(bench_next_edit_grow, "LINES", (50, 100))
    monkeypatch.setattr(bench_next_edit_grow, "OPEN_FILES", (1, 2))
    monkeypatch.setattr(bench_next_edit_grow, "LONG", 60)
    monkeypatch.setattr(bench_next_edit_grow, "ROUNDS", 1)
    picture = tmp_path / "cost.svg"
    assert main(["bench", "next-edit", "--grow", str(picture), "--no-model", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert [(row["lines"], row["files"]) for row in answer["rows"]] == [(50, 1), (100, 1), (60, 1), (60, 2)]
    assert picture.read_text().startswith("<svg")
