"""Starts and steers the miniature servers of `tests.telemetry.writer_process`."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def start(folder: Path, count: int, every: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.telemetry.writer_process", str(folder), str(count), str(every)]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def check(path: Path) -> set[str]:
    """The ids in a sound file."""
    connection = sqlite3.connect(path)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        ids = [row[0] for row in connection.execute("SELECT id FROM opportunity")]
    finally:
        connection.close()
    assert len(ids) == len(set(ids))
    return set(ids)
