"""Next-edit requests to the engine process: they give way to completions and still come to their end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from assistant.cancel import Cancel, Cancelled
from assistant.edit_format import Hunk, Region, render, render_question, split_lines
from assistant.types import CompareRequest, EngineError, Finish, GenerateRequest, MarkRequest, Part, Rewrite
from lsp_server.engine import EngineClient
from tests.assistant.model import tiny
from tests.lsp_server.engines import SHORT, answer, running

REGION = Region("a.py", split_lines(tiny.TEXT))
PROMPT = render([Hunk("a.py", "import os\n", "import sys\n")], REGION)
WRITE = GenerateRequest((Part(text="def f"),), max_tokens=1500, heal=False, budget_ms=60_000)

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EngineClient]:
    """Many layers and a long context: there is time to interrupt a request."""
    folder = tiny.build(tmp_path_factory.mktemp("edits") / "m", shape=tiny.config(context=2048, layers=8))
    async with running(folder) as ready:
        await ready.wait_ready(60)
        yield ready


async def stepped(client: EngineClient, count: int) -> None:
    """Wait until the engine has run so many passes more; the cancel word tells them, and no event does."""
    before = client.steps
    while client.steps < before + count:  # noqa: ASYNC110
        await asyncio.sleep(0.001)


async def test_marks_compares_and_writes(client: EngineClient) -> None:
    marks = await client.mark(MarkRequest(PROMPT), Cancel())
    assert len(marks.chances) == len(REGION.lines)
    assert all(0 <= chance <= 1 for chance in marks.chances)
    asked = render_question(REGION, range(1))
    said = await client.compare(CompareRequest(PROMPT, (Rewrite(asked, "x\n"), Rewrite(asked, ""))), Cancel())
    assert [one.tokens for one in said] == [3, 1]
    assert all(one.logprob < 0 for one in said)
    chunk = await client.write(SHORT, Cancel())
    streamed = await answer(client)
    assert (chunk.text, chunk.finish) == ("".join(one.text for one in streamed), Finish.LENGTH)
    assert len(chunk.logprobs) == 3


async def test_a_completion_goes_first_and_the_next_edit_begins_again(client: EngineClient) -> None:
    alone = await client.write(WRITE, Cancel())
    ended: list[str] = []
    writing = asyncio.create_task(client.write(WRITE, Cancel()))
    writing.add_done_callback(lambda _: ended.append("edit"))
    await stepped(client, 5)
    for _ in range(2):
        assert (await answer(client))[-1].finish is Finish.LENGTH
        ended.append("completion")
    assert (await writing).text == alone.text
    assert ended == ["completion", "completion", "edit"]


async def test_a_waiting_next_edit_lets_completions_pass(client: EngineClient) -> None:
    ended: list[str] = []

    async def complete(name: str) -> None:
        await answer(client)
        ended.append(name)

    async def edit() -> None:
        await client.mark(MarkRequest(PROMPT), Cancel())
        ended.append("edit")

    first = asyncio.create_task(complete("first"))
    await asyncio.sleep(0)
    marking = asyncio.create_task(edit())
    await asyncio.sleep(0)
    second = asyncio.create_task(complete("second"))
    await asyncio.gather(first, marking, second)
    assert ended == ["first", "second", "edit"]


async def test_a_cancelled_next_edit_ends_at_once(client: EngineClient) -> None:
    cancel = Cancel()
    writing = asyncio.create_task(client.write(WRITE, cancel))
    await stepped(client, 2)
    cancel.set()
    with pytest.raises(Cancelled):
        await writing
    with pytest.raises(Cancelled):
        await client.mark(MarkRequest(PROMPT), cancel)
    assert (await answer(client))[-1].finish is Finish.LENGTH


async def test_what_cannot_be_marked_is_an_error_and_the_engine_lives(client: EngineClient) -> None:
    with pytest.raises(EngineError, match="no lines"):
        await client.mark(MarkRequest((Part(text="x"),)), Cancel())
    with pytest.raises(EngineError, match="no special token"):
        await client.write(GenerateRequest((Part(text="x"),), 3, ends=("nothing",)), Cancel())
    assert (await answer(client))[-1].finish is Finish.LENGTH
