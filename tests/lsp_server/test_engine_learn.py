"""What the client of the engine process teaches it: documents for the n-gram caches, beside the requests."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from assistant.cancel import Cancel
from assistant.types import EngineError, Finish, OpenFile, Part, ScoreRequest
from lsp_server.engine import EngineClient
from tests.assistant.model import tiny
from tests.lsp_server.engines import LONG, answer, first_chunk, running

pytestmark = pytest.mark.asyncio(loop_scope="module")

TYPED = "    configuration = load"
LINE = f"{TYPED}_configuration(folder, strict=True)\n"
REST = ScoreRequest((Part(text=TYPED),), LINE[len(TYPED) :], file=OpenFile("/new.py", TYPED, ""))


@pytest.fixture(scope="module")
def slow_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Many layers and a long context: a decode of seconds, to be interrupted."""
    return tiny.build(tmp_path_factory.mktemp("slow") / "m", shape=tiny.config(context=4096, layers=12))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(slow_checkpoint: Path) -> AsyncIterator[EngineClient]:
    """One engine for all tests: each must leave it able to answer, also those that kill it."""
    async with running(slow_checkpoint) as ready:
        await ready.wait_ready(60)
        yield ready


async def until_learnt(client: EngineClient, bits: float) -> None:
    """Ask until the background work shows."""
    for _ in range(2000):
        if (await client.score(REST)).bits < bits:
            return
    raise AssertionError("nothing was learnt")


async def test_learns_and_unlearns(client: EngineClient) -> None:
    before = (await client.score(REST)).bits
    await client.learn("/other.py", LINE * 3)
    await until_learnt(client, before / 3)
    await client.unlearn("/other.py")
    assert (await client.score(REST)).bits == pytest.approx(before, rel=1e-3)
    await client.unlearn("/never.py")


async def test_learning_waits_for_no_turn_and_takes_none(client: EngineClient) -> None:
    """Sent while a decode runs, answered after it, and the next request is not behind whoever waits for that."""
    stream = client.generate(LONG, cancel := Cancel())
    await first_chunk(stream)
    learning = [asyncio.create_task(client.learn(f"/{number}.py", LINE)) for number in range(20)]
    assert (await first_chunk(stream)).finish is None
    cancel.set()
    assert (await answer(client))[-1].finish is Finish.LENGTH
    assert all(task.done() for task in learning)
    learning[0].result()
    forgotten = asyncio.create_task(client.learn("/0.py", LINE))
    await asyncio.sleep(0)
    forgotten.cancel()  # by a caller that goes away
    for number in range(20):
        await client.unlearn(f"/{number}.py")


async def test_a_new_engine_knows_nothing_and_says_that_it_is_ready(slow_checkpoint: Path) -> None:
    ready = asyncio.Event()
    async with running(slow_checkpoint, on_event=lambda kind, _: ready.set() if kind == "ready" else None) as client:
        with pytest.raises(EngineError, match="starting"):
            await client.learn("/other.py", LINE * 3)
        await client.wait_ready(60)
        before = (await client.score(REST)).bits
        await client.learn("/other.py", LINE * 3)
        await until_learnt(client, before / 3)
        ready.clear()
        assert client.pid is not None
        os.kill(client.pid, signal.SIGTERM)
        await asyncio.wait_for(ready.wait(), 60)
        assert (await client.score(REST)).bits == pytest.approx(before, rel=1e-3)
    with pytest.raises(EngineError, match="not running"):
        await client.learn("/other.py", LINE)


async def test_says_how_much_waits_to_be_learnt(client: EngineClient) -> None:
    for number in range(5):
        await client.learn(f"/{number}.py", LINE * 50)
    while await client.waiting():  # noqa: ASYNC110 - another process
        await asyncio.sleep(0.01)
    for number in range(5):
        await client.unlearn(f"/{number}.py")
    assert await client.waiting() == 0
