"""Jobs beside the event loop: in order, their results and errors brought back, and no reason for the process to stay."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import pytest

from lsp_server.background import Background

ROOT = Path(__file__).resolve().parents[2]


async def test_jobs_are_done_in_order_and_their_results_come_back() -> None:
    worker, done = Background("test"), list[int]()
    for i in range(5):
        worker.do(partial(done.append, i))
    assert await worker.run(lambda: list(done)) == [0, 1, 2, 3, 4]
    assert await worker.run(threading.get_ident) != threading.get_ident()
    worker.end()


async def test_an_error_is_the_askers_and_ends_nothing() -> None:
    worker = Background("test")
    worker.do(lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        await worker.run(lambda: 1 // 0)
    assert await worker.run(lambda: 7) == 7
    worker.end()


async def test_a_question_that_is_taken_back_is_not_asked() -> None:
    worker, gate, asked = Background("test"), threading.Event(), list[str]()
    worker.do(lambda: gate.wait(30))
    question = asyncio.create_task(worker.run(lambda: asked.append("it")))
    await asyncio.sleep(0)
    question.cancel()
    await asyncio.gather(question, return_exceptions=True)
    gate.set()
    await worker.run(lambda: None)
    assert asked == []
    worker.end()


def test_a_job_that_hangs_does_not_keep_the_process() -> None:
    code = (
        "import asyncio, time\nfrom lsp_server.background import Background\n"
        "async def main():\n    Background('x').do(lambda: time.sleep(1000))\n    await asyncio.sleep(0.1)\n"
        "asyncio.run(main())\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=120, check=True)
