"""Engine processes for tests: start one, ask it, read its answer."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from assistant.cancel import Cancel
from assistant.types import Chunk, GenerateRequest, Part
from lsp_server.engine import EngineClient

SHORT = GenerateRequest((Part(text="def f"),), max_tokens=3, budget_ms=60_000)
LONG = GenerateRequest((Part(text="def f"),), max_tokens=3000, budget_ms=60_000)


@contextlib.asynccontextmanager
async def running(model: Path, **options: object) -> AsyncIterator[EngineClient]:
    client = EngineClient(str(model), threads=1, **options)  # type: ignore[arg-type]
    await client.start()
    try:
        yield client
    finally:
        await client.close()


async def answer(client: EngineClient, request: GenerateRequest = SHORT, cancel: Cancel | None = None) -> list[Chunk]:
    return [chunk async for chunk in client.generate(request, cancel or Cancel())]


async def first_chunk(stream: AsyncIterator[Chunk]) -> Chunk:
    return await stream.__anext__()
