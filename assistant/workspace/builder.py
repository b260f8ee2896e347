"""A scan in processes of their own, at low priority, so that a large build takes nothing from the editor's server.

`run` starts ``python -m assistant.workspace.builder``, which reads one JSON line (what to scan), writes a JSON line for each
step, and ends by itself when its input closes: its parent's death stops it. Knows nothing of what a scan does.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from assistant.cancel import Cancel, Cancelled
from assistant.config import Config
from assistant.workspace.related import learn
from assistant.workspace.scan import Job, scan
from assistant.workspace.store import Store
from assistant.workspace.walk import Limits

MAX_WORKERS = 2
_NICE = 10


@dataclass(frozen=True)
class Order:
    """What the builder is told. Settings that do not bear on which files are indexed stay at home."""

    database: str
    roots: tuple[str, ...]
    exclude: tuple[str, ...]
    respect_gitignore: bool
    max_bytes: int
    max_files: int
    workers: int

    @classmethod
    def of(cls, store: Store, job: Job) -> Order:
        config, limits = job.config, job.limits
        workers = max(1, min(MAX_WORKERS, os.cpu_count() or 1))
        return cls(
            str(store.path), job.roots, config.exclude, config.respect_gitignore, limits.max_bytes, limits.max_files, workers
        )


def run(store: Store, job: Job) -> bool:
    """Scan in another process; whether it came to its end. Reports through ``job``; raises `Cancelled`."""
    job.cancel.check()
    home = Path(__file__).resolve().parents[2]  # not the user's folder, which may hold an `assistant` of its own
    low = getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0)  # Windows; elsewhere the process lowers itself
    try:
        child = subprocess.Popen(
            [sys.executable, "-m", "assistant.workspace.builder"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=home,
            creationflags=low,
            text=True,
            encoding="utf-8",
        )
    except OSError:
        return False
    unsubscribe = job.cancel.subscribe(child.kill)
    try:
        return _follow(child, Order.of(store, job), job)
    finally:
        unsubscribe()
        _end(child)
        job.cancel.check()


def _follow(child: subprocess.Popen[str], order: Order, job: Job) -> bool:
    if child.stdin is None or child.stdout is None:
        return False
    try:
        child.stdin.write(json.dumps(asdict(order)) + "\n")
        child.stdin.flush()
    except OSError:
        return False
    for line in child.stdout:
        try:
            message = json.loads(line)
        except ValueError:
            return False
        if "done" in message:
            job.on_progress(message["done"], message["found"])
        elif "skip" in message:
            job.on_skip(message["skip"], message["path"])
        elif "end" in message:
            return True
    return False


def _end(child: subprocess.Popen[str]) -> None:
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except OSError:
                continue
    try:
        child.wait(2)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _say(**message: Any) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def _end_with_parent() -> None:
    """In a worker: die when the builder does."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_exit_after, args=(parent,), daemon=True).start()


def _exit_after(parent: multiprocessing.process.BaseProcess) -> None:
    parent.join()
    os._exit(1)


def _end_with_input(cancel: Cancel) -> None:
    sys.stdin.read()
    cancel.set()
    time.sleep(5.0)  # a scan looks at its token every few milliseconds; one that hangs in a file system is left behind
    os._exit(1)


def main() -> int:
    """One order in, one scan."""
    order = Order(**json.loads(sys.stdin.readline()))
    if hasattr(os, "nice"):
        os.nice(_NICE)
    cancel = Cancel()
    threading.Thread(target=_end_with_input, args=(cancel,), daemon=True).start()
    store = Store(Path(order.database))
    job = Job(
        tuple(order.roots),
        Config(exclude=tuple(order.exclude), respect_gitignore=order.respect_gitignore),
        Limits(order.max_bytes, order.max_files),
        time.time_ns,
        cancel,
        on_skip=lambda kind, path: _say(skip=kind, path=path),
        on_progress=lambda done, found: _say(done=done, found=found),
    )
    context = multiprocessing.get_context("spawn")
    try:
        with ProcessPoolExecutor(order.workers, mp_context=context, initializer=_end_with_parent) as pool:
            scan(store, job, pool, order.workers)
        learn(store)
    except (Cancelled, BrokenProcessPool, BrokenPipeError):
        return 1
    finally:
        store.close()
    _say(end=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
