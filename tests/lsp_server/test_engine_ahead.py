"""Work that nobody waits for ends when somebody asks, in this window or in another."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from assistant.cancel import Cancel, Cancelled
from assistant.types import Chunk, Finish, Priority
from tests.lsp_server.engines import LONG, answer, first_chunk, running

pytestmark = pytest.mark.usefixtures("folder")
AHEAD = replace(LONG, priority=Priority.AHEAD)


async def rest(stream: AsyncIterator[Chunk]) -> list[Chunk]:
    return [chunk async for chunk in stream]


@pytest.mark.parametrize("windows", ["one window", "two windows"])
async def test_a_key_ends_what_is_computed_ahead(checkpoint: Path, windows: str) -> None:
    shared = windows == "two windows"
    if shared and sys.platform == "win32":
        pytest.skip("engines are shared through Unix sockets")
    async with running(checkpoint, shared=shared) as a, running(checkpoint, shared=shared) as b:
        asking = b if shared else a
        await asking.wait_ready(60)
        stream = a.generate(AHEAD, Cancel())
        await first_chunk(stream)
        counted = a.steps
        assert (await answer(asking))[-1].finish is Finish.LENGTH
        assert (await rest(stream))[-1].finish is Finish.CANCELLED
        spent = a.steps - counted
        await asyncio.sleep(0.05)
        assert a.steps == counted + spent  # it does not begin again
        assert spent < 100


async def test_ahead_waits_for_a_key_but_not_for_a_review(checkpoint: Path) -> None:
    async with running(checkpoint) as client:
        key = client.generate(LONG, cancel := Cancel())
        await first_chunk(key)
        ahead = asyncio.create_task(answer(client, replace(AHEAD, max_tokens=3)))
        await asyncio.sleep(0.05)
        assert not ahead.done()
        cancel.set()
        assert (await ahead)[-1].finish is Finish.LENGTH
        writing = asyncio.create_task(client.write(replace(LONG, priority=Priority.REVIEW), review := Cancel()))
        steps = client.steps
        while client.steps < steps + 5:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        assert (await answer(client, replace(AHEAD, max_tokens=3)))[-1].finish is Finish.LENGTH
        assert not writing.done()
        review.set()
        with pytest.raises(Cancelled):
            await writing
