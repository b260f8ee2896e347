"""`kernels` is also a distribution of Hugging Face's, which transformers looks for: our folder must never break its import.

A namespace folder (no ``__init__.py``) is imported by nobody by accident; with one, an import of any model class would
run our code, and some versions of transformers would take us for the other distribution.
"""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.repo.tree import ROOT

RUN_A_TINY_MODEL = """
    import sys
    sys.path.insert(0, {root!r})
    {before}
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM
    config = LlamaConfig(vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2)
    torch.manual_seed(0)
    model = LlamaForCausalLM(config).eval()
    out = model.generate(torch.tensor([[1, 2, 3]]), max_new_tokens=4, do_sample=False, pad_token_id=0)
    assert out.shape[0] == 1 and out.shape[1] > 3, out.shape
    import assistant.model
    from kernels.attention.cpu import attention
    assert attention.__module__ == "kernels.attention.cpu"
"""


def _run(before: str) -> None:
    code = textwrap.dedent(RUN_A_TINY_MODEL).format(root=str(ROOT), before=before)
    environment = {"HF_HUB_OFFLINE": "1", "PATH": "", "TRANSFORMERS_VERBOSITY": "error"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]


def test_kernels_is_a_namespace_folder() -> None:
    assert not (ROOT / "kernels" / "__init__.py").exists()


@pytest.mark.slow
def test_transformers_runs_with_our_tree_first_on_the_path() -> None:
    _run("")


@pytest.mark.slow
def test_transformers_runs_beside_the_distribution_called_kernels(tmp_path: Path) -> None:
    """The other distribution as pip leaves it: metadata and a regular package, which hides a namespace folder."""
    package = tmp_path / "kernels"
    package.mkdir()
    (package / "__init__.py").write_text('__version__ = "0.12.0"\n')
    info = tmp_path / "kernels-0.12.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: kernels\nVersion: 0.12.0\n")
    (info / "top_level.txt").write_text("kernels\n")
    (info / "RECORD").write_text("kernels/__init__.py,,\nkernels-0.12.0.dist-info/METADATA,,\n")
    _run(f"sys.path.append({str(tmp_path)!r})")
