"""The options of `sotto bench runtime`. Light: what runs is imported when it is asked for."""

from __future__ import annotations

import argparse
from pathlib import Path


def add(kinds: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    runtime = kinds.add_parser("runtime", help="our runtime against llama.cpp and transformers, same weights, same prompts")
    runtime.add_argument("--path", type=Path, default=Path("."), metavar="DIR", help="Python code to run on (default: here)")
    runtime.add_argument("--against", default="transformers,llamacpp", metavar="NAMES", help="default: %(default)s")
    runtime.add_argument("--rounds", type=int, default=5, metavar="N", help="prompts at 512 tokens (default: %(default)s)")
    runtime.add_argument("--quick", action="store_true", help="this model at 512 tokens only: no 45 M shape, no long contexts")
    runtime.add_argument("--plot", type=Path, metavar="FILE.svg", help="draw times against the length of the context")
    runtime.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="where everyone runs (default: %(default)s)")
    runtime.add_argument("--json", action="store_true", help="print JSON")
    runtime.add_argument("--model", default="", metavar="DIR", help="checkpoint folder (default: our own)")
    runtime.add_argument("--threads", type=int, default=0, metavar="N", help="threads of the engine (0: from idle cores)")


def run(options: argparse.Namespace) -> int:
    from lsp_server.commands import bench_runtime

    return bench_runtime.run(
        options.path,
        options.against,
        max(1, options.rounds),
        options.quick,
        options.plot,
        options.json,
        options.model,
        options.threads,
        options.device,
    )
