"""Compiling in the background: a process of its own does it, and who waits is told only when it is done."""

from __future__ import annotations

import logging
import os
import sys
import threading
from pathlib import Path

import pytest

from assistant.model import compiling


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module called ``slow_code`` that the child can import; the test writes it."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr(compiling.tempfile, "gettempdir", lambda: str(tmp_path))
    return tmp_path / "slow_code.py"


def test_it_compiles_in_another_process_and_says_when_it_is_done(module: Path, tmp_path: Path) -> None:
    module.write_text(
        f"import os, pathlib\ndef compile_now():\n    pathlib.Path({str(tmp_path / 'by')!r}).write_text(str(os.getpid()))\n",
        "utf-8",
    )
    done = threading.Event()
    compiling.in_background(done.set, "slow_code")
    assert done.wait(60)
    assert (tmp_path / "by").read_text("utf-8") not in ("", str(os.getpid()))


def test_what_cannot_be_compiled_is_said_once_and_nobody_is_told_it_is_done(
    module: Path, caplog: pytest.LogCaptureFixture
) -> None:
    module.write_text("def compile_now():\n    raise RuntimeError('no registers left')\n", "utf-8")
    told: list[bool] = []
    with caplog.at_level(logging.WARNING, "sotto.engine"):
        compiling._compile(lambda: told.append(True), "slow_code")
    assert told == []
    assert "slow_code could not be compiled" in caplog.text
    assert "no registers left" in caplog.text
