"""An engine nobody asks ends, and comes back when somebody does."""

from __future__ import annotations

import asyncio
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from assistant.cancel import Cancel
from assistant.types import EngineError, Finish, GenerateRequest, Part
from tests.assistant.model import tiny
from tests.lsp_server.engines import answer, first_chunk, running


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.build(tmp_path_factory.mktemp("rest") / "m")


class Heard:
    """What a client's listener hears, and a way to wait for it."""

    def __init__(self) -> None:
        self.kinds: list[str] = []
        self._news = asyncio.Event()

    def __call__(self, kind: str, text: str) -> None:
        self.kinds.append(kind)
        self._news.set()

    async def until(self, *kinds: str) -> None:
        while self.kinds[-len(kinds) :] != list(kinds):
            self._news.clear()
            await self._news.wait()


async def test_it_rests_and_the_next_request_wakes_it_visibly(checkpoint: Path) -> None:
    heard = Heard()
    async with running(checkpoint, on_event=heard, idle_s=0.2) as client:
        await client.wait_ready(60)
        first, process = await answer(client), psutil.Process(client.pid)
        await heard.until("resting")
        assert not process.is_running()
        assert client.pid is None
        assert client.info is not None  # prompts are still made for it
        again = await answer(client)
        assert [chunk.text for chunk in again] == [chunk.text for chunk in first]
        assert heard.kinds == ["loading", "ready", "resting", "loading", "ready"]
        assert client.failure == ""


async def test_what_it_should_learn_meanwhile_is_refused(checkpoint: Path) -> None:
    """The feeder begins again at "ready", as for any new engine."""
    heard = Heard()
    async with running(checkpoint, on_event=heard, idle_s=0.05) as client:
        await heard.until("loading", "ready", "resting")
        with pytest.raises(EngineError, match="rests"):
            await client.learn("a.py", "x = 1\n")
        assert heard.kinds[-1] == "resting"


async def test_it_does_not_rest_in_the_middle_of_an_answer(checkpoint: Path) -> None:
    heard = Heard()
    async with running(checkpoint, on_event=heard, idle_s=0.01) as client:
        long = GenerateRequest((Part(text="def f"),), max_tokens=200, budget_ms=60_000)
        for _ in range(3):
            assert (await answer(client, long))[-1].finish is Finish.LENGTH
        assert "restarting" not in heard.kinds


async def test_a_request_at_the_moment_it_rests_is_answered(checkpoint: Path) -> None:
    for turn in range(2):
        heard = Heard()
        async with running(checkpoint, on_event=heard, idle_s=0.02) as client:
            await client.wait_ready(60)
            await asyncio.sleep(0.018 + turn * 0.004)
            assert (await answer(client))[-1].finish is Finish.LENGTH
            assert "restarting" not in heard.kinds


async def test_closing_while_it_rests(checkpoint: Path) -> None:
    heard = Heard()
    async with running(checkpoint, on_event=heard, idle_s=0.05) as client:
        await heard.until("resting")
        waiting = asyncio.create_task(first_chunk(client.generate(GenerateRequest((), 3), Cancel())))
        await asyncio.sleep(0)
    with pytest.raises((EngineError, StopAsyncIteration)):
        await waiting


async def test_it_never_rests_by_default(checkpoint: Path) -> None:
    heard = Heard()
    async with running(checkpoint, on_event=heard) as client:
        await client.wait_ready(60)
        await asyncio.sleep(0.3)
        assert heard.kinds == ["loading", "ready"]
