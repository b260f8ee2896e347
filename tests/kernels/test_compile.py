"""Every Triton kernel compiled to machine code for real GPUs, without one: what the interpreter does not check.

In a process of its own, because the interpreter must be off when triton is imported.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CODE = """
import triton.language as tl
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from kernels.attention import triton_kernel as attention
from kernels.exit_head import triton_kernel as exit_head
from kernels.linear import triton_kernel as linear
from kernels.mixers import triton_kernel as mixers
from kernels.quantize import triton_kernel as quantize
from kernels.select import triton_kernel as select

def compile(kernel, capability, constants, pointers, **numbers):
    kinds = {name: "constexpr" for name in constants} | pointers | numbers
    signature = {name: kinds.get(name, "*i32" if name.endswith("_ptr") else "i32") for name in kernel.arg_names}
    source = ASTSource(kernel, signature, constants)
    found = triton.compile(source, target=GPUTarget("cuda", capability, 32), options={"num_warps": 4, "num_stages": 2})
    assert found.asm["cubin"], kernel
    assert found.metadata.shared <= 99 * 1024, (kernel, found.metadata.shared)  # what the smallest of these GPUs gives a block

half, wide = {"UP": tl.bfloat16, "ACC": tl.float32}, "*fp32"
attend = dict(GROUP=6, D=128, BM=16, BN=64, BD=128, SIZE=64, RANGE=True, LISTS=True, KPOS=True, BIAS=True, SINK=True, CAP=True,
              QUANT=False, SOFTPLUS=False, SIGMOID=False, **half)
numbers = dict.fromkeys(("scale", "softcap", "steep", "power"), "fp32")
pointers = dict(q_ptr="*bf16", k_ptr="*bf16", v_ptr="*bf16", out_ptr="*bf16", lse_ptr=wide, bias_ptr=wide, sink_ptr=wide,
                kscale_ptr=wide, vscale_ptr=wide, count_ptr="*i64", index_ptr="*i64")
compile(attention.attend_kernel, 80, attend, pointers, **numbers)
plain = attend | dict(BM=64, LISTS=False, KPOS=False, BIAS=False, SINK=False, CAP=False)
compile(attention.attend_kernel, 90, plain, pointers, **numbers)
eight = pointers | dict(k_ptr="*i8", v_ptr="*i8")
compile(attention.attend_kernel, 90, attend | dict(QUANT=True, D=96), eight, **numbers)
compile(attention.merge_kernel, 90, dict(D=128, BD=128, ACC=tl.float32),
        dict(outs_ptr=wide, lses_ptr=wide, out_ptr=wide, lse_ptr=wide))
both = dict(q="*bf16", k="*bf16", v="*bf16", decay=wide, state=wide, out="*bf16", last=wide)
mixed = dict(D=128, E=128, BD=128, BE=64, C=32, PER_STEP=False, WIDE=tl.float32, PRECISION="tf32")
compile(linear.linear_kernel, 90, mixed, both)
compile(linear.scan_kernel, 90, dict(C=128, BC=64, L=32, COMPLEX=False, WIDE=tl.float32),
        dict(x="*bf16", decay="*bf16", state="*bf16", out="*bf16"))
compile(linear.scan_kernel, 90, dict(C=128, BC=32, L=32, COMPLEX=True, WIDE=tl.float32),
        dict(x=wide, decay=wide, state=wide, out=wide))
for weigh in ("SOFTPLUS", "SIGMOID"):
    compile(attention.attend_kernel, 90, plain | {"GROUP": 1, weigh: True}, pointers, **numbers)
for kind, precision in (("*bf16", "tf32"), (wide, "tf32x3")):
    compile(mixers.diagonal_kernel, 90, dict(N=64, BN=64, L=32, BM=16, ACC=tl.float32, PRECISION=precision),
            dict(x_ptr=kind, tap_ptr=wide, power_ptr=wide, weight_ptr=wide, out_ptr=kind))
step = mixers.diagonal_step_kernel
compile(step, 90, dict(N=64, BN=64, BC=16, ACC=tl.float32), {name: wide for name in step.arg_names if name.endswith("_ptr")})
single = {name: "*fp32" if kind == "*bf16" else kind for name, kind in pointers.items()}
compile(attention.attend_kernel, 90, plain | dict(BM=16, BN=32, UP=tl.float32), single, **numbers)
score = dict(GROUP=6, GP=16, D=128, BD=128, BN=64, BOX=True, **half)
kinds = dict(q_ptr="*bf16", k_ptr="*bf16", low_ptr="*i64", high_ptr="*i64", lse_ptr=wide, out_ptr=wide)
for mode in (0, 2):
    compile(select.score_kernel, 90, score | dict(MODE=mode, BOX=mode == 0), kinds, scale="fp32")
compile(select.descend_kernel, 90, dict(SPAN=256, GROUP=6, GP=16, D=128, BD=128, BN=64, **half),
        dict(q_ptr="*bf16", k_ptr="*bf16", chunk_ptr="*i64", high_ptr="*i64", out_ptr=wide))
compile(select.select_kernel, 90, dict(BN=2048), dict(score_ptr=wide, count_ptr="*i64", index_ptr="*i64"))
for four in (False, True):
    levels = "*u8" if four else "*i8"
    compile(quantize.quantise_kernel, 90, dict(D=128, BD=64 if four else 128, SPAN=32, MOST=7 if four else 127, FOUR=four),
            dict(x_ptr="*bf16", level_ptr=levels, size_ptr=wide))
    compile(quantize.widen_kernel, 90, dict(D=128, BD=128, SPAN=32 if four else 128, FOUR=four),
            dict(level_ptr=levels, size_ptr=wide, x_ptr="*bf16"))
compile(quantize.linear_kernel, 90, dict(K=1536, BT=16, BN=64, BK=64, **half),
        dict(x_ptr="*bf16", level_ptr="*i8", size_ptr=wide, out_ptr="*bf16"))
compile(exit_head.best_kernel, 90, dict(K=1536, BT=16, BV=64, BK=64, SIZED=True, **half),
        dict(x_ptr="*bf16", norm_ptr="*bf16", head_ptr="*i8", size_ptr=wide, top_ptr=wide, token_ptr="*i64", lse_ptr=wide),
        eps="fp32")
"""


@pytest.mark.slow
def test_kernels_compile_for_real_gpus(tmp_path: Path) -> None:
    pytest.importorskip("triton", reason="triton is not installed (pip install triton; Linux only)")
    environment = {**os.environ, "TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(tmp_path)}
    script = tmp_path / "compiling.py"  # the compiler reads its kernels' files, so this too is one
    script.write_text(CODE)
    root = str(Path(__file__).parents[2])
    command = [sys.executable, str(script)]
    environment["PYTHONPATH"] = root
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
