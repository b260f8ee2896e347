"""Compiling in the background: a process of its own does it, and who waits is told only when it is done."""

from __future__ import annotations

import logging
import os
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from assistant.model import compiling


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module called ``slow_code`` that the child can import; the test writes it."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
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


def test_a_change_beside_the_compiled_file_makes_it_newer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "kernels" / "decode"
    folder.mkdir(parents=True)
    for package in (folder.parent, folder):
        (package / "__init__.py").write_text("", "utf-8")
    passes, products = folder / "passes.py", folder / "products.py"
    for file, at in ((passes, 1_000), (products, 2_000)):
        file.write_text("", "utf-8")
        os.utime(file, ns=(at, at))
    found = lambda name: SimpleNamespace(submodule_search_locations=[str(tmp_path.joinpath(*name.split(".")))])  # noqa: E731
    monkeypatch.setattr("importlib.util.find_spec", found)
    compiling.renew()
    assert passes.stat().st_mtime_ns == max(file.stat().st_mtime_ns for file in folder.glob("*.py")) > 1_000
