"""The client of the engine process: answers, cancels, turns, and what happens when the process dies, hangs or cannot load."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

import lsp_server.engine as engine_module
import lsp_server.engine_pipe as engine_pipe
from assistant.cancel import Cancel
from assistant.types import Chunk, EngineError, Finish, GenerateRequest, Part, ScoreRequest
from lsp_server.engine import EngineClient
from tests.assistant.model import tiny
from tests.lsp_server.engines import LONG, answer, first_chunk, running

NOTHING = GenerateRequest((Part(text="def f"),), max_tokens=3, budget_ms=0)
"""Answered as soon as the engine is free, without a step."""

pytestmark = pytest.mark.asyncio(loop_scope="module")
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="stopping a process with a signal needs POSIX")


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


async def test_streams_and_scores(client: EngineClient) -> None:
    chunks = await answer(client)
    assert [chunk.finish for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert chunks[-1].finish is Finish.LENGTH
    assert sum(len(chunk.logprobs) for chunk in chunks) == 3
    score = await client.score(ScoreRequest((Part(text="def f"),), "irst"))
    assert score.bits > 0
    assert score.bytes == 4


async def test_knows_the_model_once_it_is_loaded(slow_checkpoint: Path) -> None:
    heard: list[str] = []
    async with running(slow_checkpoint, on_event=lambda kind, text: heard.append(kind)) as client:
        assert client.info is None
        info = await client.wait_ready(60)
        assert client.info == info
        assert (info.name, info.context, info.threads) == ("random", 4096, 1)
        assert heard == ["loading", "ready"]
        assert client.pid is not None


async def test_a_request_made_while_the_weights_load_waits_for_them(slow_checkpoint: Path) -> None:
    async with running(slow_checkpoint) as client:
        assert (await answer(client))[-1].finish is Finish.LENGTH


async def test_a_request_that_waits_for_the_weights_can_be_cancelled(slow_checkpoint: Path) -> None:
    async with running(slow_checkpoint) as client:
        cancel = Cancel()
        waiting = asyncio.create_task(answer(client, LONG, cancel))
        await asyncio.sleep(0)
        cancel.set()
        assert (await waiting)[-1].finish is Finish.CANCELLED
        assert client.info is None


async def test_cancel_ends_the_answer_at_once_and_the_decode_within_a_step(client: EngineClient) -> None:
    cancel = Cancel()
    stream = client.generate(LONG, cancel)
    await first_chunk(stream)
    cancel.set()
    counted = client.steps
    rest = [chunk async for chunk in stream]
    assert rest[-1].finish is Finish.CANCELLED
    assert len(rest) < 100
    await answer(client, NOTHING)
    assert client.steps <= counted + 1


async def test_cancel_from_another_thread(client: EngineClient) -> None:
    cancel = Cancel()
    stream = client.generate(LONG, cancel)
    await first_chunk(stream)
    await asyncio.to_thread(cancel.set)
    assert [chunk async for chunk in stream][-1].finish is Finish.CANCELLED
    assert (await answer(client))[-1].finish is Finish.LENGTH


async def test_a_token_set_beforehand_runs_nothing(client: EngineClient) -> None:
    cancel = Cancel()
    cancel.set()
    counted = client.steps
    assert [chunk.finish for chunk in await answer(client, LONG, cancel)] == [Finish.CANCELLED]
    await answer(client, NOTHING)
    assert client.steps == counted


async def test_closing_the_iterator_stops_the_decode(client: EngineClient) -> None:
    stream = client.generate(LONG, Cancel())
    await first_chunk(stream)
    await stream.aclose()  # type: ignore[attr-defined]
    counted = client.steps
    await answer(client, NOTHING)
    assert client.steps <= counted + 1


@pytest.mark.parametrize("turn", range(5))
async def test_cancelling_the_callers_task_stops_the_decode(client: EngineClient, turn: int) -> None:
    """Several times: `asyncio.wait_for` would lose the cancellation when a frame comes in the same turn of the loop."""
    begun = asyncio.Event()

    async def consume() -> None:
        async for _ in client.generate(LONG, Cancel()):
            begun.set()

    task = asyncio.create_task(consume())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    counted = client.steps
    await answer(client, NOTHING)
    assert client.steps <= counted + 1


async def test_requests_take_turns_in_order(client: EngineClient) -> None:
    finished: list[int] = []

    async def ask(number: int) -> None:
        await answer(client)
        finished.append(number)

    await asyncio.gather(*(ask(number) for number in range(6)))
    assert finished == list(range(6))


async def test_a_waiting_request_that_is_cancelled_leaves_at_once(client: EngineClient) -> None:
    running_stream = client.generate(LONG, cancel_running := Cancel())
    await first_chunk(running_stream)
    cancel = Cancel()
    waiting = asyncio.create_task(answer(client, LONG, cancel))
    task = asyncio.create_task(answer(client, LONG))
    await asyncio.sleep(0)
    cancel.set()
    task.cancel()
    assert (await waiting)[-1].finish is Finish.CANCELLED
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await first_chunk(running_stream)).finish is None  # the one that runs goes on
    cancel_running.set()
    assert (await answer(client))[-1].finish is Finish.LENGTH


async def test_thirty_superseded_requests_leave_the_engine_free(client: EngineClient) -> None:
    """Each key cancels the one before it: at most the running one and the last one touch the engine."""
    tasks: list[asyncio.Task[list[Chunk]]] = []
    cancels: list[Cancel] = []
    for _ in range(30):
        if cancels:
            cancels[-1].set()
        cancels.append(Cancel())
        tasks.append(asyncio.create_task(answer(client, LONG, cancels[-1])))
        await asyncio.sleep(0)
    cancels[-1].set()
    finishes = [chunks[-1].finish for chunks in await asyncio.gather(*tasks)]
    assert finishes == [Finish.CANCELLED] * 30
    counted = client.steps
    await answer(client, NOTHING)
    assert client.steps <= counted + 1


async def test_an_error_of_one_request_is_its_own(client: EngineClient) -> None:
    with pytest.raises(EngineError, match="no special token called nope"):
        await answer(client, GenerateRequest((Part(special="nope"),), max_tokens=1))
    with pytest.raises(EngineError, match="the target takes"):
        await client.score(ScoreRequest((), "x = 1\n" * 5000))
    assert (await answer(client))[-1].finish is Finish.LENGTH


async def test_killed_in_mid_decode_one_request_is_lost(client: EngineClient, caplog: pytest.LogCaptureFixture) -> None:
    stream = client.generate(LONG, Cancel())
    await first_chunk(stream)
    old, steps = client.pid, client.steps
    assert old is not None
    os.kill(old, signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM)
    with pytest.raises(EngineError, match="ended in the middle"):
        await answer_of(stream)
    assert (await answer(client))[-1].finish is Finish.LENGTH
    assert client.pid != old
    assert client.steps > steps  # the counter outlives the process
    assert "started again" in caplog.text


async def answer_of(stream: AsyncIterator[Chunk]) -> list[Chunk]:
    return [chunk async for chunk in stream]


async def test_killed_while_idle_it_is_back_for_the_next_request(slow_checkpoint: Path) -> None:
    heard: list[str] = []
    restarted = asyncio.Event()

    def hear(kind: str, text: str) -> None:
        heard.append(kind)
        if heard.count("ready") == 2:
            restarted.set()

    async with running(slow_checkpoint, on_event=hear) as client:
        await client.wait_ready(60)
        assert client.pid is not None
        os.kill(client.pid, signal.SIGTERM)
        await asyncio.wait_for(restarted.wait(), 60)
        assert heard == ["loading", "ready", "restarting", "loading", "ready"]
        assert (await answer(client))[-1].finish is Finish.LENGTH


async def test_crash_after_crash_it_backs_off_and_says_so(monkeypatch: pytest.MonkeyPatch, slow_checkpoint: Path) -> None:
    starts: list[int] = []

    def crashing(module: str, *arguments: str) -> list[str]:
        starts.append(1)
        return [sys.executable, "-c", "import sys; sys.exit(3)"]

    monkeypatch.setattr(engine_pipe, "python_command", crashing)
    async with running(slow_checkpoint) as client:
        with pytest.raises(EngineError, match=r"exit code 3.*3 in a row"):
            await client.wait_ready(60)
        count = len(starts)
        with pytest.raises(EngineError, match="3 in a row"):
            await answer(client)
        assert len(starts) == count == 3
        assert client.failure == ""


async def test_a_program_that_cannot_be_started(monkeypatch: pytest.MonkeyPatch, slow_checkpoint: Path) -> None:
    monkeypatch.setattr(engine_pipe, "python_command", lambda *_: ["/nowhere/python"])
    async with running(slow_checkpoint) as client:
        with pytest.raises(EngineError, match="nowhere"):
            await client.wait_ready(60)


@pytest.mark.parametrize("file", ["model.safetensors", "config.json"])
async def test_a_spoiled_checkpoint_fails_for_good_with_one_sentence(slow_checkpoint: Path, tmp_path: Path, file: str) -> None:
    spoiled = Path(shutil.copytree(slow_checkpoint, tmp_path / "spoiled"))
    whole = (spoiled / file).read_bytes()
    (spoiled / file).write_bytes(whole[: len(whole) // 2])
    heard: list[tuple[str, str]] = []
    async with running(spoiled, on_event=lambda *event: heard.append(event)) as client:
        with pytest.raises(EngineError) as caught:
            await client.wait_ready(60)
        assert str(spoiled / file) in str(caught.value)
        assert "\n" not in str(caught.value)
        for _ in range(3):
            with pytest.raises(EngineError, match=file):
                await answer(client)
        assert [kind for kind, _ in heard] == ["loading", "failed"]
        assert heard[1][1] == client.failure == str(caught.value)


async def test_a_missing_model_folder(tmp_path: Path) -> None:
    async with running(tmp_path / "none") as client:
        with pytest.raises(EngineError, match="does not exist"):
            await client.wait_ready(60)


@posix_only
async def test_an_engine_that_ignores_a_cancel_is_replaced(client: EngineClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "ACK_S", 0.2)
    cancel = Cancel()
    stream = client.generate(LONG, cancel)
    await first_chunk(stream)
    old = client.pid
    assert old is not None
    os.kill(old, signal.SIGSTOP)
    cancel.set()
    assert (await answer_of(stream))[-1].finish is Finish.CANCELLED
    assert (await answer(client))[-1].finish is Finish.LENGTH
    assert client.pid != old


@posix_only
async def test_a_silent_engine_is_replaced(client: EngineClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "SILENCE_S", 0.2)
    old = client.pid
    assert old is not None
    os.kill(old, signal.SIGSTOP)
    with pytest.raises(EngineError, match=r"silent for 0\.2 s"):
        await answer(client, NOTHING)
    assert (await answer(client))[-1].finish is Finish.LENGTH
    assert client.pid != old


async def test_close_ends_the_process_and_removes_the_cancel_word(slow_checkpoint: Path, tmp_path: Path) -> None:
    tempfile.tempdir = str(tmp_path)
    try:
        async with running(slow_checkpoint) as client:
            await client.wait_ready(60)
            pid = client.pid
            assert pid is not None
            assert len(os.listdir(tmp_path)) == 1
            pending = asyncio.create_task(answer(client, LONG))
            await asyncio.sleep(0.05)
        with pytest.raises(EngineError):
            await pending
    finally:
        tempfile.tempdir = None
    assert os.listdir(tmp_path) == []
    assert client.pid is None
    with pytest.raises(EngineError, match="not running"):
        await answer(client)
    await client.close()


async def test_close_while_loading(slow_checkpoint: Path) -> None:
    async with running(slow_checkpoint) as client:
        waiting = asyncio.create_task(answer(client))
        await asyncio.sleep(0.01)
    with pytest.raises(EngineError):
        await waiting


async def test_the_process_is_told_in_our_log(slow_checkpoint: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "sotto.engine"):
        async with running(slow_checkpoint) as client:
            await client.wait_ready(60)
            with pytest.raises(EngineError, match="stumbled"):
                await answer(client, GenerateRequest((Part(text="x"),), max_tokens="many"))  # type: ignore[arg-type]
    assert "Traceback" in caplog.text


async def test_a_project_with_a_package_of_our_name_is_not_run(slow_checkpoint: Path, tmp_path: Path) -> None:
    """The server's working folder is the user's project, whose `assistant` package must not be imported, nor its `torch.py`."""
    (tmp_path / "assistant").mkdir()
    (tmp_path / "assistant" / "__init__.py").write_text("raise SystemExit('the wrong assistant')")
    (tmp_path / "torch.py").write_text("raise SystemExit('the wrong torch')")
    script = f"""
import asyncio, os, sys
sys.path[:] = [{str(engine_module.__file__).rsplit("lsp_server", 1)[0]!r}, *filter(None, sys.path)]
from lsp_server.engine import EngineClient
async def main():
    client = EngineClient({str(slow_checkpoint)!r}, threads=1)
    await client.start()
    info = await client.wait_ready(60)
    await client.close()
    assert "torch" not in sys.modules
    print(info.name)
asyncio.run(main())
"""
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=90
    )
    assert done.stdout == "random\n", done.stderr
