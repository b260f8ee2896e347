"""Compile a kernel once for this machine, in a process of its own, while the engine already answers without it.

Knows how to start a Python that sees our packages. It takes 12 s of CPU and holds the interpreter; numba keeps the machine
code on disk, so this happens once for each version, CPU and Python.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

LONGEST_S = 120.0
"""Another engine's compilation that takes longer has died."""
log = logging.getLogger("sotto.engine")

_CHILD = """
import os, sys
sys.path[:] = {path!r}
getattr(os, "nice", lambda _: 0)(10)
import assistant.model
from {module} import compile_now
compile_now()
"""
STEP, ATTENTION = "kernels.decode.step", "kernels.attention.compiled"
"""What can be compiled: the fused step of our own models, and the attention of those that transformers loads."""


def renew() -> None:
    """Let numba notice every change. It compares the time of the file in which a function is called; what that is compiled
    from stands in others, and after a `git pull` old machine code would run in the place of new sources.
    """
    for package in ("kernels.decode", "kernels.attention"):
        spec = importlib.util.find_spec(package)
        for folder in map(Path, (spec.submodule_search_locations or ()) if spec is not None else ()):
            with suppress(OSError):  # not ours to touch: then an installer has written all of them at once
                _same_time([*folder.glob("*.py")])


def _same_time(files: Sequence[Path]) -> None:
    """Files older than the newest get its time."""
    times = {file: file.stat().st_mtime_ns for file in files}
    newest = max(times.values(), default=0)
    for file in (one for one, at in times.items() if at < newest):
        os.utime(file, ns=(newest, newest))


def in_background(done: Callable[[], None], module: str = STEP) -> None:
    """Start it; ``done`` is called in another thread when the code is on disk, and not at all when it could not be made."""
    threading.Thread(target=_compile, args=(done, module), name="compiling", daemon=True).start()


def _compile(done: Callable[[], None], module: str) -> None:
    name = module.replace(".", "-")
    lock = Path(tempfile.gettempdir(), f"sotto-compiling-{name}-{getattr(os, 'getuid', int)()}.lock")
    if not _is_mine(lock):
        done()  # another engine has just made it
        return
    try:
        _compile_alone(done, module)
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


def _compile_alone(done: Callable[[], None], module: str) -> None:
    child = subprocess.run(
        [sys.executable, "-c", _CHILD.format(path=sys.path, module=module)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if child.returncode == 0:
        done()
    else:
        reason = (child.stderr.strip().splitlines() or ["no message"])[-1]
        log.warning("%s could not be compiled, slower code stays: %s", module, reason)
