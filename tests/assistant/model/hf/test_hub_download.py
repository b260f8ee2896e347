"""A download, where the user allows it: from a stand-in hub on this machine, whole, broken off, damaged, or not there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.assistant.model.hf import tiny
from tests.assistant.model.hf.hub import Hub, serving

NAME = "someone/coder"
CODE = """
import sys
import huggingface_hub.constants as constants
constants.DOWNLOAD_CHUNK_SIZE = 4096  # what is written at a time; 10 MB otherwise
from assistant.model.hf.locate import locate
try: print(locate(sys.argv[1], sys.argv[2] == "allowed", lambda text: print(text, file=sys.stderr, flush=True)))
except Exception as error: print(type(error).__name__, error)
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint, and two files of a kind that is never fetched."""
    folder = tiny.make(tmp_path_factory.mktemp("made") / "coder", "llama")
    (folder / "pytorch_model.bin").write_bytes(b"pickle")
    (folder / "evil.py").write_text("raise SystemExit")
    return folder


def start(hub: Hub, cache: Path, allowed: bool = True) -> subprocess.Popen[str]:
    environment = {"HF_HUB_CACHE": str(cache), "HF_ENDPOINT": hub.endpoint, "PATH": "", "NO_PROXY": "127.0.0.1"}
    command = [sys.executable, "-c", CODE, NAME, "allowed" if allowed else "no"]
    root, pipe = Path(__file__).parents[4], subprocess.PIPE
    return subprocess.Popen(command, text=True, env=environment, cwd=root, stdout=pipe, stderr=pipe)


def run(hub: Hub, cache: Path, allowed: bool = True) -> tuple[str, str]:
    """What it printed and what it told on the way."""
    with start(hub, cache, allowed) as child:
        said, told = child.communicate(timeout=120)
    return said.strip(), told


def test_nothing_is_asked_without_permission(made: Path, tmp_path: Path) -> None:
    with serving(made, NAME) as hub:
        assert "allowDownload" in run(hub, tmp_path, allowed=False)[0]
        assert hub.asked == []


def test_what_is_missing_is_fetched_told_checked_and_then_found_without_a_connection(made: Path, tmp_path: Path) -> None:
    with serving(made, NAME) as hub:
        said, told = run(hub, tmp_path)
        folder = Path(said)
        names = {file.name for file in folder.iterdir()}
        assert (folder / "model.safetensors").read_bytes() == (made / "model.safetensors").read_bytes()
        assert {"config.json", "tokenizer.json", "tokenizer_config.json"} <= names
        assert not names & {"pytorch_model.bin", "evil.py"}
        assert "downloading someone/coder: 100 %" in told
        assert "checking model.safetensors" in told
        asked = len(hub.asked)
        assert run(hub, tmp_path, allowed=False)[0] == said
        assert len(hub.asked) == asked


def test_a_download_whose_process_was_ended_goes_on_where_it_was(made: Path, tmp_path: Path) -> None:
    size = (made / "model.safetensors").stat().st_size
    with serving(made, NAME) as hub:
        hub.cut = size // 2
        with start(hub, tmp_path) as child:
            assert hub.stalled.wait(60)
            parts = list(tmp_path.rglob("*.sotto.part"))
            while not (parts and parts[0].stat().st_size):  # what was sent is being written
                parts = list(tmp_path.rglob("*.sotto.part"))
            child.kill()
        hub.cut, begun = 0, len(hub.asked)
        hub.on.set()
        folder = Path(run(hub, tmp_path)[0])
        assert (folder / "model.safetensors").read_bytes() == (made / "model.safetensors").read_bytes()
        ranges = [where for _, path, where in hub.asked[begun:] if path.endswith("model.safetensors") and where]
        assert len(ranges) == 1
        assert 0 < int(ranges[0].removeprefix("bytes=").rstrip("-")) <= size // 2


def test_a_damaged_file_is_thrown_away_and_fetched_anew(made: Path, tmp_path: Path) -> None:
    with serving(made, NAME) as hub:
        hub.damage = True
        assert "model.safetensors was damaged on its way" in run(hub, tmp_path)[0]
        hub.damage = False
        folder = Path(run(hub, tmp_path)[0])
        assert (folder / "model.safetensors").read_bytes() == (made / "model.safetensors").read_bytes()


def test_an_id_that_nobody_has_is_said_in_one_sentence(made: Path, tmp_path: Path) -> None:
    with serving(made, "another/name") as hub:
        said, _ = run(hub, tmp_path)
    assert said.startswith("CheckpointError someone/coder could not be downloaded (")
    assert len(said) < 420
