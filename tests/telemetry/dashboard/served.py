"""The real `sotto dashboard` as a process, for tests that need a port."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
RUN = """
import argparse, pathlib, sys
from lsp_server.commands import dashboard
parser = argparse.ArgumentParser()
dashboard.add(parser.add_subparsers())
arguments = parser.parse_args(["dashboard", "--no-browser", *sys.argv[1:]])
sys.exit(dashboard.run(arguments, arguments.data_dir))
"""


def start(folder: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", RUN, "--data-dir", str(folder), *options]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The address that works once."""
    process = start(folder)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()
