"""`sotto model` as a user runs it: real processes, a small random checkpoint and the shipped one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lsp_server.spawn import ROOT, python_command
from tests.assistant.model import tiny

pytestmark = pytest.mark.e2e


def sotto(*arguments: object, cwd: Path, most_bytes: int = 0) -> subprocess.CompletedProcess[str]:
    """Run it; ``most_bytes`` is the largest file it may write, as a full disk would."""
    command = python_command("lsp_server", "model", *map(str, arguments))

    def limit() -> None:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))

    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=300, preexec_fn=limit if most_bytes else None
    )


def as_json(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert isinstance(answer, dict)
    return answer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.build(tmp_path_factory.mktemp("model") / "checkpoint")


def test_the_command_needs_no_torch() -> None:
    code = "import sys; import lsp_server.commands.model; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60).returncode == 0


def test_info_of_the_model_that_comes_with_sotto(tmp_path: Path) -> None:
    answer = as_json(sotto("info", "--json", cwd=tmp_path))
    assert answer["checksums"] == dict.fromkeys(answer["checksums"], "ok")
    assert answer["name"].startswith("sotto-")


def test_info_for_people(folder: Path, tmp_path: Path) -> None:
    done = sotto("info", "--model", folder, cwd=tmp_path)
    assert done.returncode == 0
    assert "random" in done.stdout
    assert "checksum ok" in done.stdout


def test_an_export_loads_in_transformers(folder: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    done = sotto("export", "--to", "transformers", "--out", "new/out", "--model", folder, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert str(Path("new/out/model.safetensors")) in done.stdout
    assert type(AutoModelForCausalLM.from_pretrained(tmp_path / "new" / "out")).__name__ == "Qwen3ForCausalLM"


def test_an_export_for_llama_gets_the_models_name(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("gguf", reason="the gguf package is not installed: pip install gguf")
    done = sotto("export", "--to", "gguf", "--dtype", "q8_0", "--out", tmp_path, "--model", folder, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["random-q8_0.gguf"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--to", "transformers", "--out", "."), "is not empty"),
        (("--to", "transformers", "--out", "mine.txt", "--force"), "is a file"),
        (("--to", "transformers", "--out", "out", "--dtype", "q8_0"), "choose --dtype f32, f16, bf16"),
        (("--to", "transformers", "--out", "out", "--model", "nowhere"), "does not exist"),
    ],
)
def test_a_wrong_request_is_one_sentence_and_no_file(
    arguments: tuple[str, ...], sentence: str, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    done = sotto("export", "--model", folder, *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("mine.txt", "mine")]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of a file")
@pytest.mark.parametrize("to", ["transformers", "gguf"])
def test_a_disk_that_fills_leaves_nothing(to: str, folder: Path, tmp_path: Path) -> None:
    if to == "gguf":
        pytest.importorskip("gguf", reason="the gguf package is not installed: pip install gguf")
    done = sotto("export", "--to", to, "--out", tmp_path / "out", "--model", folder, cwd=tmp_path, most_bytes=20_000)
    assert done.returncode == 2, done.stderr
    assert "cannot write" in done.stderr
    assert "make room" in done.stderr
    assert [str(file) for file in tmp_path.rglob("*") if file.is_file()] == []


def test_verify_proves_what_is_installed(folder: Path, tmp_path: Path) -> None:
    answer = as_json(sotto("verify", "--json", "--model", folder, cwd=tmp_path))
    verdicts = {check["name"]: check["verdict"] for check in answer["checks"]}
    assert verdicts["files"] == verdicts["transformers: logits"] == "ok"
    assert answer["ok"] is True
    assert all(check["advice"] for check in answer["checks"] if check["verdict"] == "not checked")


def test_verify_of_a_damaged_checkpoint_fails(tmp_path: Path) -> None:
    damaged = tiny.build(tmp_path / "checkpoint")
    (damaged / "tokenizer.json").write_text("{}")
    done = sotto("verify", "--model", damaged, cwd=tmp_path)
    assert done.returncode == 1
    assert "failed" in done.stdout
