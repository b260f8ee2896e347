"""Compile the fused step once for this machine, in a process of its own, while the engine already answers without it.

Knows how to start a Python that sees our packages. LLVM takes 16 s and holds the interpreter; numba keeps the machine
code on disk, so this happens once for each version, CPU and Python.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

LONGEST_S = 120.0
"""Another engine's compilation that takes longer has died."""
log = logging.getLogger("sotto.engine")

_CHILD = """
import os, sys
sys.path[:] = {path!r}
getattr(os, "nice", lambda _: 0)(10)
import assistant.model
from kernels.decode import step
step.compile_now()
"""


def in_background(done: Callable[[], None]) -> None:
    """Start it; ``done`` is called in another thread when the code is on disk, and not at all when it could not be made."""
    threading.Thread(target=_compile, args=(done,), name="compiling", daemon=True).start()


def _compile(done: Callable[[], None]) -> None:
    lock = Path(tempfile.gettempdir(), f"sotto-compiling-{getattr(os, 'getuid', int)()}.lock")
    if not _is_mine(lock):
        done()  # another engine has just made it
        return
    try:
        _compile_alone(done)
    finally:
        lock.unlink(missing_ok=True)


def _is_mine(lock: Path) -> bool:
    """Whether this engine is the one to compile; if another one is at it, False once that has ended."""
    until = time.monotonic() + LONGEST_S
    waited = False
    while True:
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL, 0o600))
            if waited:
                lock.unlink(missing_ok=True)
            return not waited
        except FileExistsError:
            waited = True
            if time.monotonic() > until:  # left behind by an engine that was killed
                lock.unlink(missing_ok=True)
                waited = False
        time.sleep(0.5)


def _compile_alone(done: Callable[[], None]) -> None:
    child = subprocess.run(
        [sys.executable, "-c", _CHILD.format(path=sys.path)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if child.returncode == 0:
        done()
    else:
        reason = (child.stderr.strip().splitlines() or ["no message"])[-1]
        log.warning("the fused step could not be compiled, the slower one stays: %s", reason)
