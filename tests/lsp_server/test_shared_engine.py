"""One engine for several windows: how they find it, what each keeps for itself, what the end of one means for the others."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

import lsp_server.engine as engine_module
from assistant.cancel import Cancel
from assistant.types import EngineError, Finish, GenerateRequest, OpenFile, Part, ScoreRequest
from lsp_server.engine import EngineClient
from tests.lsp_server.engines import LONG, answer, first_chunk, running
from tests.lsp_server.windows import Two, engines, sockets, until

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.usefixtures("folder"),
    pytest.mark.skipif(sys.platform == "win32", reason="engines are shared through Unix sockets"),
]
ROOT = Path(__file__).resolve().parents[2]
TYPED = "    configuration = load"
LINE = f"{TYPED}_configuration(folder, strict=True)\n"
REST = ScoreRequest((Part(text=TYPED),), LINE[len(TYPED) :], file=OpenFile("/new.py", TYPED, ""))

WINDOW = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
from assistant.cancel import Cancel
from lsp_server.engine import EngineClient
from tests.lsp_server.engines import LONG

async def main():
    client = EngineClient(sys.argv[2], threads=1, shared=True)
    await client.start()
    async for _ in client.generate(LONG, Cancel()):
        print(client.pid, flush=True)

asyncio.run(main())
"""
"""Another server process, in the middle of a long answer."""


async def learnt(client: EngineClient, bits: float) -> None:
    """Each question is a chance for the next slice of learning."""
    while (await client.score(REST)).bits > bits:
        pass


async def replaced(two: Two, pid: int | None) -> None:
    """Both windows have another engine, the same."""
    a, b = two
    await until(lambda: None not in (a.pid, b.pid) and pid not in (a.pid, b.pid))
    await asyncio.gather(a.wait_ready(60), b.wait_ready(60))
    assert a.pid == b.pid


async def test_windows_that_start_together_share_one_process(checkpoint: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        clients = [EngineClient(str(checkpoint), threads=1, shared=True) for _ in range(4)]
        await asyncio.gather(*(client.start() for client in clients))
        for client in clients:
            stack.push_async_callback(client.close)
        infos = await asyncio.gather(*(client.wait_ready(60) for client in clients))
        assert len({client.pid for client in clients}) == 1
        assert infos == [infos[0]] * 4
        assert [process.pid for process in engines()] == [clients[0].pid]
        said = await asyncio.gather(*(answer(client) for client in clients))
        assert len({"".join(chunk.text for chunk in chunks) for chunks in said}) == 1


async def test_the_socket_is_the_users_alone(two: Two, folder: Path) -> None:
    (path,) = sockets(folder)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700


async def test_the_engine_stays_for_the_next_window(checkpoint: Path) -> None:
    async with running(checkpoint, shared=True) as client:
        await client.wait_ready(60)
        pid = client.pid
    async with running(checkpoint, shared=True) as client:
        await client.wait_ready(60)
        assert client.pid == pid


async def test_what_one_window_learns_the_other_does_not_know(two: Two) -> None:
    a, b = two
    before = (await b.score(REST)).bits
    await a.learn("/other.py", LINE * 3)
    await learnt(a, before / 3)
    assert (await b.score(REST)).bits == pytest.approx(before, rel=1e-3)


async def test_a_key_in_one_window_goes_before_the_other_windows_next_edit(two: Two) -> None:
    """It is interrupted, begins again, and says the same."""
    a, b = two
    request = GenerateRequest((Part(text="def f"),), max_tokens=1500, heal=False, budget_ms=60_000)
    alone = await a.write(request, Cancel())
    ended: list[str] = []
    writing = asyncio.create_task(a.write(request, Cancel()))
    writing.add_done_callback(lambda _: ended.append("edit"))
    steps = a.steps
    await until(lambda: a.steps > steps + 5)
    for _ in range(3):
        assert (await answer(b))[-1].finish is Finish.LENGTH
        ended.append("key")
    assert (await writing).text == alone.text
    assert ended == ["key", "key", "key", "edit"]


async def test_a_next_edit_in_one_window_goes_before_the_other_windows_review(two: Two) -> None:
    a, b = two
    target = "x = 1\n" * 200
    alone = await a.score(ScoreRequest((Part(text="import os\n" * 150),), target))
    ended: list[str] = []
    tasks = []
    for turn in range(4):  # one after the other from one window, each with something else to compute
        prompt = Part(text=f"import a{turn}\n" * 150)
        tasks.append(asyncio.create_task(a.score(ScoreRequest((prompt,), target))))
        tasks[-1].add_done_callback(lambda _: ended.append("review"))
    steps = a.steps
    await until(lambda: a.steps > steps)
    await b.write(GenerateRequest((Part(text="def f"),), 3, budget_ms=60_000), Cancel())
    ended.append("edit")
    scores = await asyncio.gather(*tasks)
    assert ended.index("edit") < 3
    assert all(score.tokens == alone.tokens for score in scores)
    assert (await a.score(ScoreRequest((Part(text="import os\n" * 150),), target))).bits == pytest.approx(alone.bits, rel=1e-4)


async def test_one_windows_cancel_stops_nothing_of_the_others(two: Two) -> None:
    a, b = two
    cancel, other = Cancel(), Cancel()
    stream = a.generate(LONG, cancel)
    await first_chunk(stream)
    waiting = asyncio.create_task(answer(b, LONG, other))  # the same number in its own window's count, perhaps
    await asyncio.sleep(0.05)
    other.set()
    other.set()
    assert (await waiting)[-1].finish is Finish.CANCELLED
    assert (await first_chunk(stream)).finish is None
    cancel.set()
    counted = a.steps
    assert [chunk async for chunk in stream][-1].finish is Finish.CANCELLED
    assert (await answer(b))[-1].finish is Finish.LENGTH
    assert a.steps <= counted + 1


async def test_a_cancelled_request_behind_another_windows_leaves_the_turn_at_once(two: Two) -> None:
    """The next request of its window need not wait for the other window's work first."""
    a, b = two
    cancel = Cancel()
    stream = a.generate(LONG, cancel)
    await first_chunk(stream)
    gone = Cancel()
    waiting = asyncio.create_task(answer(b, LONG, gone))
    await asyncio.sleep(0.05)
    gone.set()
    await waiting
    await b.idle()
    assert (await first_chunk(stream)).finish is None
    cancel.set()
    await a.idle()


async def test_a_killed_engine_is_replaced_once_for_all(two: Two) -> None:
    a, _ = two
    pid = a.pid
    assert pid is not None
    stream = a.generate(LONG, Cancel())
    await first_chunk(stream)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(EngineError, match="ended in the middle"):
        _ = [chunk async for chunk in stream]
    await replaced(two, pid)
    assert len(engines()) == 1
    for client in two:
        assert (await answer(client))[-1].finish is Finish.LENGTH


def window(checkpoint: Path, pid: int | None, folder: Path) -> None:
    """A server process that is killed while the engine of that ``pid`` works for it."""
    command = [sys.executable, "-c", WINDOW, str(ROOT), str(checkpoint)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(folder)}) as process:
        assert process.stdout is not None
        assert int(process.stdout.readline()) == pid
        assert os.listdir(folder) != []
        process.kill()


async def test_a_killed_server_harms_no_other_window(two: Two, checkpoint: Path, tmp_path: Path) -> None:
    """Its long answer is dropped, and its cancel word with it."""
    a, _ = two
    pid = a.pid
    await asyncio.to_thread(window, checkpoint, pid, tmp_path)
    assert (await answer(a))[-1].finish is Finish.LENGTH
    assert a.pid == pid
    await until(lambda: os.listdir(tmp_path) == [])


async def test_the_window_that_started_the_engine_may_end(checkpoint: Path, two: Two) -> None:
    """An engine is nobody's child."""
    assert psutil.Process(two[0].pid).ppid() not in (os.getpid(), two[0].pid)
    assert os.getsid(two[0].pid or 0) != os.getsid(0)


async def test_a_hung_engine_is_replaced_for_all(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "SILENCE_S", 0.3)
    a, _ = two
    pid = a.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    tries = [answer(client, GenerateRequest((Part(text="x"),), 3, budget_ms=0)) for client in two]
    said = await asyncio.gather(*tries, return_exceptions=True)
    assert all(isinstance(one, EngineError) for one in said)
    await replaced(two, pid)
    monkeypatch.undo()
    for client in two:
        assert (await answer(client))[-1].finish is Finish.LENGTH


async def test_an_engine_busy_with_another_window_does_not_count_as_hung(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "SILENCE_S", 0.1)
    monkeypatch.setattr(engine_module, "ACK_S", 0.1)
    a, b = two
    pid = a.pid
    cancel = Cancel()
    stream = a.generate(LONG, cancel)
    await first_chunk(stream)
    waiting = asyncio.create_task(answer(b, GenerateRequest((Part(text="x"),), 3, budget_ms=0)))
    steps = a.steps
    await until(lambda: a.steps > steps + 400)
    assert not waiting.done()
    cancel.set()
    assert (await waiting)[-1].finish is Finish.BUDGET
    assert (a.pid, b.pid) == (pid, pid)
