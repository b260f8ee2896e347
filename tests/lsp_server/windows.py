"""What tests of several windows share: a runtime folder of their own, a slow model, two windows with one engine."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest
import pytest_asyncio

from lsp_server.engine import EngineClient
from tests.assistant.model import tiny
from tests.lsp_server.engines import running

Two = tuple[EngineClient, EngineClient]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Many layers and a long context: a decode of seconds, to be interrupted."""
    return tiny.build(tmp_path_factory.mktemp("shared") / "m", shape=tiny.config(context=4096, layers=12))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A runtime folder of this module's own; engines that are left there are ended."""
    folder = tmp_path_factory.mktemp("run")
    folder.chmod(0o700)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(folder))
        yield folder / "sotto"
        for process in engines():
            process.kill()


def engines() -> list[psutil.Process]:
    """The shared engines of this module's folder."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            ours = process.environ().get("XDG_RUNTIME_DIR") == os.environ["XDG_RUNTIME_DIR"]
            if ours and "--listen" in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def sockets(folder: Path) -> list[str]:
    return [name.path for name in os.scandir(folder) if name.name.endswith(".sock")]


@pytest_asyncio.fixture(loop_scope="module")
async def two(checkpoint: Path, folder: Path) -> AsyncIterator[Two]:
    """Two windows with one engine."""
    async with running(checkpoint, shared=True) as a, running(checkpoint, shared=True) as b:
        await asyncio.gather(a.wait_ready(60), b.wait_ready(60))
        assert a.pid == b.pid
        yield a, b


async def until(true: Callable[[], bool]) -> None:
    """Wait for what no event tells."""
    for _ in range(12_000):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not happen in two minutes")
