"""The options of `sotto bench kernels`. Light: what runs is imported when it is asked for."""

from __future__ import annotations

import argparse
from pathlib import Path


def add(kinds: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    kernels = kinds.add_parser("kernels", help="every attention kernel and policy against the best that torch offers")
    kernels.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="where to measure (default: %(default)s)")
    kernels.add_argument("--lengths", default="", metavar="N,N", help="keys (default: 1024 to 20480, on a GPU to 131072)")
    kernels.add_argument("--rounds", type=int, default=9, metavar="N", help="how often each is timed (default: %(default)s)")
    kernels.add_argument(
        "--freeze", action="store_true", help="first measure and keep launch numbers (GPU) or break-evens (CPU)"
    )
    kernels.add_argument("--plot", type=Path, metavar="FILE.svg", help="draw time and KV memory against the number of keys")
    kernels.add_argument("--json", action="store_true", help="print JSON")
    kernels.add_argument("--threads", type=int, default=0, metavar="N", help="threads (0: torch's own choice)")


def run(options: argparse.Namespace) -> int:
    from lsp_server.commands import bench_kernels

    return bench_kernels.run(options)
