"""The command line of exports, run in a process of its own: one JSON object on the last line of stdout, nothing else.

Knows its arguments. An error is ``{"error": sentence}`` and exit code 2; a proof that fails is exit code 1.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from assistant.model import checkpoint
from assistant.model.export import gguf_file, info, transformers_folder, verify
from assistant.model.export.checks import FAILED
from assistant.model.export.place import ExportError
from assistant.types import EngineError


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser("python -m assistant.model.export")
    found.add_argument("command", choices=("info", "export", "verify"))
    found.add_argument("--model", default="", help="checkpoint folder; empty for the one that comes with Sotto")
    found.add_argument("--to", choices=("transformers", "gguf"))
    found.add_argument("--out", type=Path)
    found.add_argument("--dtype", choices=sorted(gguf_file.DTYPES), default="f32")
    found.add_argument("--force", action="store_true")
    return found


def export(folder: Path, to: str, out: Path, dtype: str, force: bool) -> dict[str, Any]:
    """Write the export; returns where and how large it is. Raises `EngineError`."""
    if to == "transformers" and dtype not in transformers_folder.DTYPES:
        raise ExportError(f"transformers has no {dtype}; choose --dtype {', '.join(transformers_folder.DTYPES)}")
    source = checkpoint.load(folder)
    if to == "transformers":
        written = transformers_folder.write(source, folder, out, dtype, force)
        files = sorted(file for file in written.iterdir() if file.name in transformers_folder.FILES)
    else:
        files = [gguf_file.write(source, folder, gguf_file.target_file(out, source.name, dtype), dtype, force)]
    return {"to": to, "dtype": dtype, "out": str(out), "files": {str(file): file.stat().st_size for file in files}}


def run(options: argparse.Namespace) -> tuple[int, dict[str, Any]]:
    """Exit code and answer. Raises `EngineError`."""
    folder = Path(options.model).expanduser() if options.model else checkpoint.default_folder()
    if options.command == "info":
        return 0, info.describe(folder)
    if options.command == "export":
        return 0, export(folder, options.to, options.out.expanduser(), options.dtype, options.force)
    checks = list(verify.verify(folder))
    ok = all(check.verdict != FAILED for check in checks)
    return 0 if ok else 1, {"ok": ok, "folder": str(folder), "checks": [asdict(check) for check in checks]}


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what is half written is taken away
    try:
        code, answer = run(options)
    except EngineError as error:
        code, answer = 2, {"error": str(error)}
    except KeyboardInterrupt:
        return 130
    sys.stdout.write(json.dumps(answer) + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
