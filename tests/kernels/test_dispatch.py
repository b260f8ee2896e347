"""Who runs an operator and why, and launch numbers frozen for a GPU model."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from kernels import dispatch
from kernels.attention import reference


def test_tensors_of_a_cpu_run_on_torch() -> None:
    choice = dispatch.choose("attend", torch.zeros(2, 1, 16))
    assert choice.backend == "cpu"
    assert "CUDA" in choice.reason


def test_every_operator_has_every_backend() -> None:
    pytest.importorskip("triton", reason="triton is not installed (pip install triton; Linux only)")
    for operator in dispatch.OPERATORS:
        for backend in dispatch.BACKENDS:
            assert callable(getattr(dispatch.module(operator, backend), operator))


def test_a_named_backend_is_used() -> None:
    q, (k, v) = torch.randn(2, 1, 16), torch.randn(2, 1, 5, 16)
    assert dispatch.module("attend", "reference") is reference
    expected = reference.attend(q, k, v).out
    torch.testing.assert_close(dispatch.run("attend", q, k, v, prefer="reference").out, expected)
    torch.testing.assert_close(dispatch.run("attend", q, k, v).out, expected)


def test_what_cannot_run_is_said() -> None:
    with pytest.raises(ValueError, match="no operator is called 'fly'"):
        dispatch.choose("fly", torch.zeros(1))
    with pytest.raises(ValueError, match="choose from gpu, cpu, reference"):
        dispatch.choose("attend", torch.zeros(1), "tpu")


def test_without_triton_or_a_gpu_triton_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRITON_INTERPRET", "0")
    with pytest.raises(ValueError, match="the tensors are on cpu"):
        dispatch.choose("attend", torch.zeros(2, 1, 16), "gpu")


def test_launch_numbers_are_read_back_as_written(tmp_path: Path) -> None:
    path = dispatch.freeze("NVIDIA H200", {"attend": {"decode_bn": 128}}, tmp_path)
    assert path.name == "nvidia-h200.json"
    assert json.loads(path.read_text("utf-8")) == {"attend": {"decode_bn": 128}}
    assert dispatch.frozen(torch.device("cpu"), "attend") == {}


def test_nothing_on_the_cpu_path_imports_triton() -> None:
    code = (
        "import sys, torch\n"
        "from kernels.policies.registry import POLICIES\n"
        "from kernels import dispatch\n"
        "q = torch.randn(2, 1, 16); k = torch.randn(1, 5, 16)\n"
        "dispatch.run('attend', q, k, k)\n"
        "assert 'triton' not in sys.modules, 'triton was imported'\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
