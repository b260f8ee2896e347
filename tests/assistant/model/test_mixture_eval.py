"""Learning the gate and measuring, from files on disk to a table."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from assistant.model import ngram_eval
from assistant.training.corpus import Document
from tests.assistant.model import tiny

VERBS = ("read", "write", "close", "open", "check", "count", "parse", "print")


def source(rng: random.Random) -> str:
    """A class whose lines repeat within the file and across files, as real code's do."""
    lines = ["class Reader:"]
    for verb in rng.sample(VERBS, 6) * 4:
        lines += [
            f"    def {verb}(self, path):",
            f'        """{verb} it"""',
            f"        return self.{verb}_lines(path, {rng.randrange(9)})",
            "",
        ]
    return "\n".join(lines)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of two packages to learn from, one file of each unseen, and one package to measure."""
    root, rng = tmp_path_factory.mktemp("corpus"), random.Random(0)
    for file, packages in (("train.jsonl", ("a", "b")), ("held_out.jsonl", ("h",))):
        docs = [Document(name, "MIT", f"{name}/{number}.py", source(rng)) for name in packages for number in range(6)]
        (root / file).write_text("".join(json.dumps(vars(doc)) + "\n" for doc in docs))
    (root / "paths.json").write_text(json.dumps(["a/1.py", "b/4.py", "not/there.py"]))
    return root


@pytest.fixture(scope="module")
def random_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random, with room for the suffix that the yardstick's prompts carry."""
    return tiny.build(tmp_path_factory.mktemp("wide") / "checkpoint", shape=tiny.config(context=1024))


@pytest.fixture(scope="module")
def gate(folder: Path, random_model: Path) -> Path:
    path = folder / "gate.json"
    options = ["--corpus", folder, "--watched", folder, "--model", random_model, "--gate", path, "--items", 4]
    assert ngram_eval.main(["learn", *map(str, options), "--tokens", "150"]) == 0
    return path


@pytest.mark.usefixtures("untimed")
def test_a_gate_learned_on_some_packages_helps_in_another(
    folder: Path, gate: Path, random_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--corpus", folder, "--model", random_model, "--gate", gate, "--packages", "h", "--files", 2, "--items", 8]
    assert ngram_eval.main(["measure", *map(str, options), "--tokens", "100", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert set(figures) == {"h", "all"}
    for kind in ("text_bpb", "hole_bpb"):
        bits = {name: figures["all"][name][kind] for name in ngram_eval.VARIANTS}
        assert bits["+both"] < min(bits["+file"], bits["+workspace"]) < bits["model"] / 2
    assert figures["all"]["+both"]["tokens_a_pass"] > 1.5 > figures["all"]["model"]["tokens_a_pass"]
    assert figures["all"]["+both"]["exact_match"] > figures["all"]["model"]["exact_match"] + 8
    assert ngram_eval.main(["measure", *map(str, options), "--tokens", "50"]) == 0
    assert "exact match %" in capsys.readouterr().out


def test_learn_asks_for_the_folder_of_unseen_documents(folder: Path) -> None:
    with pytest.raises(SystemExit):
        ngram_eval.main(["learn", "--corpus", str(folder)])
