"""The door of a shared engine: who finds which engine, who is sent away, and what happens where there can be none."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

import lsp_server.shared_engine as shared_engine
from assistant.cancel import Cancel
from assistant.types import EngineError, Finish, GenerateRequest
from assistant.wire import encode, generate_to_json
from lsp_server.paths import calibrated_dir
from tests.lsp_server.engines import LONG, answer, first_chunk, running
from tests.lsp_server.windows import Two, sockets, until

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.usefixtures("folder"),
    pytest.mark.skipif(sys.platform == "win32", reason="engines are shared through Unix sockets"),
]


async def test_a_dead_engines_socket_is_replaced(checkpoint: Path) -> None:
    async with running(checkpoint, shared=True) as client:
        await client.wait_ready(60)
        pid = client.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    async with running(checkpoint, shared=True) as client:
        assert (await client.wait_ready(60)).name == "random"
        assert client.pid != pid


@pytest.mark.parametrize("what", ["version", "files"])
async def test_what_differs_has_an_engine_of_its_own(
    two: Two, checkpoint: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if what == "version":
        monkeypatch.setattr(shared_engine, "__version__", "0")
    if what == "files":
        os.utime(checkpoint / "model.safetensors")
    async with running(checkpoint, shared=True) as other:
        await other.wait_ready(60)
        assert other.pid != two[0].pid
        assert (await answer(two[0]))[-1].finish is Finish.LENGTH


async def test_a_request_that_kills_engines_is_not_put_to_the_shared_one_again(two: Two) -> None:
    a, b = two
    for _ in range(2):
        stream = a.generate(LONG, Cancel())
        await first_chunk(stream)
        pid = a.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(EngineError):
            _ = [chunk async for chunk in stream]
        await until(lambda old=pid: None not in (a.pid, b.pid) and old not in (a.pid, b.pid))  # type: ignore[misc]
        await asyncio.gather(a.wait_ready(60), b.wait_ready(60))
    assert a.pid != b.pid
    assert psutil.Process(a.pid).ppid() == os.getpid()
    assert psutil.Process(b.pid).ppid() != os.getpid()
    assert (await answer(a))[-1].finish is Finish.LENGTH


async def test_strangers_at_the_door_are_sent_away(two: Two, folder: Path) -> None:
    for path in sockets(folder):
        for words in (b"", b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 100, b"\x02\x00\x00\x00{}", b"\x05\x00\x00\x00hello"):
            with socket.socket(socket.AF_UNIX) as stranger, contextlib.suppress(OSError):
                stranger.connect(path)
                stranger.sendall(words)
    for client in two:
        assert (await answer(client))[-1].finish is Finish.LENGTH


async def test_a_window_that_reads_nothing_holds_up_nobody(two: Two, checkpoint: Path, tmp_path: Path) -> None:
    """Its socket fills, and the engine leaves it behind."""
    a, _ = two
    (tmp_path / "word").write_bytes(bytes(32))
    arguments = ("--model", str(checkpoint), "--threads", "1", "--calibrated", str(calibrated_dir()))
    wire = await shared_engine.connect(arguments, str(checkpoint), str(tmp_path / "word"))
    assert wire.pid == a.pid
    wire.reader._transport.pause_reading()  # type: ignore[attr-defined]
    for number in range(1, 200):  # none needs a step
        wire.write(encode({**generate_to_json(GenerateRequest((), 0, budget_ms=0)), "id": number, "op": "x" * 8000}))
    assert (await answer(a))[-1].finish is Finish.LENGTH
    transport = wire.reader._transport  # type: ignore[attr-defined]
    poll, until = select.poll(), time.monotonic() + 60
    poll.register(transport.get_extra_info("socket").fileno(), select.POLLRDHUP)
    while not poll.poll(0):  # closed from the other side, once it is full
        assert time.monotonic() < until
        await asyncio.sleep(0.01)
    transport.resume_reading()
    await wire.reader.read()
    await wire.ended()


async def test_without_a_safe_folder_the_engine_is_private(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    os.chmod(tmp_path, 0o755)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))  # others may look into it
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    os.mkdir(tmp_path / f"sotto-{os.getuid()}")
    os.chmod(tmp_path / f"sotto-{os.getuid()}", 0o777)
    async with running(checkpoint, shared=True) as client:
        await client.wait_ready(60)
        assert psutil.Process(client.pid).ppid() == os.getpid()
        assert (await answer(client))[-1].finish is Finish.LENGTH
    assert "not a folder of yours alone" in caplog.text


async def test_an_unusable_model_is_said_to_every_window(tmp_path: Path) -> None:
    async with running(tmp_path / "none", shared=True) as a, running(tmp_path / "none", shared=True) as b:
        for client in (a, b):
            with pytest.raises(EngineError, match="does not exist"):
                await client.wait_ready(60)


async def test_an_engine_without_windows_ends(checkpoint: Path, tmp_path: Path, folder: Path) -> None:
    word = tmp_path / "word"
    word.write_bytes(bytes(32))
    options = ("--linger", "0.1")
    wire = await shared_engine.connect(("--model", str(checkpoint), "--threads", "3"), str(checkpoint), str(word), *options)
    process = psutil.Process(wire.pid)
    before = sockets(folder)
    wire.part()
    await wire.ended()
    await asyncio.to_thread(psutil.wait_procs, [process])
    assert len(sockets(folder)) == len(before) - 1
    await until(lambda: not word.exists())
