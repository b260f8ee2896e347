"""The engine with the fused step starts without torch: a second of start and 150 MB of memory."""

from __future__ import annotations

import subprocess
import sys

import pytest

LOADED = "import sys; print('torch' in sys.modules)"


def loads_torch(code: str) -> bool:
    ran = subprocess.run([sys.executable, "-c", f"{code}\n{LOADED}"], capture_output=True, text=True, check=True)
    return ran.stdout.strip() == "True"


@pytest.mark.parametrize("module", ["checkpoint", "engine", "fused", "process", "caches", "compiling", "background"])
def test_nothing_on_the_way_of_the_fused_step_imports_torch(module: str) -> None:
    assert not loads_torch(f"import assistant.model.{module}")


def test_a_fused_engine_answers_without_it() -> None:
    code = """
from assistant.model import checkpoint, engine, fused
from assistant.types import GenerateRequest, Part
loaded = checkpoint.load(checkpoint.default_folder())
runner = fused.load(loaded, wait=True)
assert runner is not None
list(engine.Engine(loaded, runner=runner).generate(GenerateRequest((Part(text="def main("),), 8)))
"""
    assert not loads_torch(code)


def test_the_plain_runner_is_seen_to_import_it() -> None:
    assert loads_torch("import assistant.model.runner")
