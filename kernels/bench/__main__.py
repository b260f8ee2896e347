"""The bench of the kernels as a process of its own: what it does on stderr, one JSON object on the last line of stdout.

``--device cuda`` is the one command for a GPU: correctness in half precision, then times in CUDA graphs; ``--freeze`` also
tries launch numbers and writes the best of them to kernels/configs/ for this GPU model, on a CPU the lengths from which each
policy is faster than dense. Where there is no GPU every row says so.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from kernels import dispatch
from kernels.attention import compiled
from kernels.bench import break_even, mixers, on_cpu
from kernels.bench.measure import Row, Skipped
from kernels.bench.small import SMALL

LENGTHS = {"cpu": "1024,4096,16384,20480", "cuda": "4096,16384,65536,131072"}
DTYPES = {"cpu": (torch.bfloat16, torch.float32), "cuda": (torch.bfloat16, torch.float16)}


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser("python -m kernels.bench")
    found.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    found.add_argument("--lengths", default="", help="keys, separated by commas")
    found.add_argument("--rounds", type=int, default=9)
    found.add_argument("--threads", type=int, default=0, help="0: torch's own choice")
    found.add_argument("--freeze", action="store_true", help="first measure and keep what is frozen for a device")
    return found


@torch.inference_mode()
def run(device: str, lengths: Sequence[int], rounds: int, freeze: bool, say: Callable[[str], None]) -> dict[str, Any]:
    """The report: rows, not_measured and what they were measured on."""
    rows: list[Row] = []
    skipped: list[Skipped] = []
    for found in _cpu(lengths, rounds, freeze, say) if device == "cpu" else _cuda(lengths, rounds, freeze, say):
        (rows if isinstance(found, Row) else skipped).append(found)  # type: ignore[arg-type]
    if device == "cpu":
        skipped += missing_gpu([int(n) for n in LENGTHS["cuda"].split(",")])
    return {
        "device": device,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "rows": [row.json() for row in rows],
        "not_measured": [entry.json() for entry in skipped],
    }


def _cpu(lengths: Sequence[int], rounds: int, freeze: bool, say: Callable[[str], None]) -> Iterator[Row | Skipped]:
    say("compiling, unless it is done")
    compiled.compile_now()
    if freeze:
        dispatch.freeze("cpu", {"break_even": break_even.measured(say)})
        dispatch.break_even.cache_clear()
    for dtype in DTYPES["cpu"]:
        for length in lengths:
            yield from on_cpu.decode(length, dtype, rounds, say)
            yield from on_cpu.prefill(length, dtype, rounds, say)
            yield from on_cpu.quantised_keys(length, dtype, rounds, say)
            yield from on_cpu.small_operators(length, dtype, rounds, say)
        yield from on_cpu.end_of_step(dtype, rounds, say)


def _cuda(lengths: Sequence[int], rounds: int, freeze: bool, say: Callable[[str], None]) -> Iterator[Row | Skipped]:
    if not torch.cuda.is_available():
        yield from missing_gpu(lengths)
        return
    from kernels.bench import on_cuda

    yield from on_cuda.rows(lengths, DTYPES["cuda"], rounds, freeze, say)


def missing_gpu(lengths: Sequence[int]) -> list[Skipped]:
    """Every row of a GPU, with the reason that there is none."""
    reason = "a GPU is here: run with --device cuda" if torch.cuda.is_available() else "no CUDA device on this machine"
    return [
        Skipped(op, policy, "cuda", str(dtype).removeprefix("torch."), length, reason)
        for op, policies in GPU_ROWS.items()
        for policy in policies
        for dtype in DTYPES["cuda"]
        for length in lengths
    ]


GPU_ROWS = {
    **SMALL,
    "decode": ("dense", "sink_window", "duo", "block_select"),
    "choose_blocks": ("block_select",),
    "prefill": ("dense", "duo"),
    "mixer": tuple(mixers.MIXERS),
    "decode_quantised": ("int8",),
    "linear": ("int8",),
    "exit_head": ("wide", "int8"),
}


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    lengths = [int(length) for length in (options.lengths or LENGTHS[options.device]).split(",")]
    report = run(options.device, lengths, max(1, options.rounds), options.freeze, _say)
    sys.stdout.write(json.dumps(report) + "\n")
    return 1 if any("wrong" in entry["reason"] for entry in report["not_measured"]) else 0


if __name__ == "__main__":
    sys.exit(main())
