"""The engine process over its own pipe: frames, errors, cancel, and its end."""

from __future__ import annotations

import os
import shutil
import signal
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from assistant.types import GenerateRequest, JsonObject, OpenFile, Part, ScoreRequest
from assistant.wire import (
    CancelWord,
    encode,
    generate_to_json,
    learn_to_json,
    read_frame,
    score_to_json,
    unlearn_to_json,
)
from tests.assistant.model import tiny

ROOT = Path(__file__).resolve().parents[3]
LONG = generate_to_json(GenerateRequest((Part(text="def f"),), max_tokens=3000, budget_ms=60_000))
SHORT = generate_to_json(GenerateRequest((Part(text="def f"),), max_tokens=3, budget_ms=60_000))


NOISY = """
import os, sys, threading, time
import assistant.model.process as process

def chatter():
    while True:
        print("noise", flush=True)
        time.sleep(0.01)

def own_pipes(kept=process._own_pipes):
    pipes = kept()
    threading.Thread(target=chatter, daemon=True).start()
    os.system("echo noise from a child")
    return pipes

process._own_pipes = own_pipes
sys.exit(process.main())
"""
"""An engine in which a thread prints and a child process inherits stdout."""


class Process:
    """A real engine process, spoken to frame by frame."""

    def __init__(self, model: Path, word: CancelWord) -> None:
        self.word = word
        command = [sys.executable, "-m", "assistant.model.process", "--model", str(model), "--threads", "1"]
        self.child = subprocess.Popen(
            [*command, "--cancel-word", word.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
        )

    def send(self, message: JsonObject) -> None:
        assert self.child.stdin is not None
        self.child.stdin.write(encode(message))
        self.child.stdin.flush()

    def read(self) -> JsonObject:
        assert self.child.stdout is not None
        frame = read_frame(self.child.stdout)  # type: ignore[arg-type]
        assert frame is not None, self.child.stderr and self.child.stderr.read().decode()
        return frame

    def ask(self, message: JsonObject) -> list[JsonObject]:
        """All frames of an answer."""
        self.send(message)
        frames = [self.read()]
        while not frames[-1]["last"]:
            frames.append(self.read())
        return frames


@contextmanager
def started(model: Path, folder: Path) -> Iterator[Process]:
    word = CancelWord(str(folder / "cancel"), create=True)
    process = Process(model, word)
    try:
        with process.child:
            yield process
            process.child.kill()
    finally:
        process.child.kill()
        word.close(remove=True)


@pytest.fixture(scope="module")
def slow_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Many layers and a long context: a decode of seconds, to be interrupted."""
    return tiny.build(tmp_path_factory.mktemp("slow") / "m", shape=tiny.config(context=4096, layers=12))


@pytest.fixture(scope="module")
def process(slow_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with started(slow_checkpoint, tmp_path_factory.mktemp("process")) as ready:
        assert ready.read() == {"event": "loading"}
        assert ready.read()["event"] == "ready"
        yield ready


def test_says_what_it_loaded(slow_checkpoint: Path, tmp_path: Path) -> None:
    with started(slow_checkpoint, tmp_path) as fresh:
        fresh.read()
        ready = fresh.read()
        assert ready["name"] == "random"
        assert ready["context"] == 4096
        assert ready["parameters"] == tiny.config(context=4096, layers=12).n_params
        assert ready["specials"] == list(tiny.NAMES)
        assert (ready["threads"], ready["threads_reason"]) == (1, "1 as set")
        fresh.send({"op": "stop"})
        assert fresh.child.wait(10) == 0


def test_streams_tokens_and_ends_with_the_costs(process: Process) -> None:
    frames = process.ask({**SHORT, "id": 1})
    assert all(frame["id"] == 1 for frame in frames)
    assert [frame["last"] for frame in frames] == [False] * (len(frames) - 1) + [True]
    assert sum(len(frame["logprobs"]) for frame in frames) == 3
    assert frames[-1]["finish"] == "length"
    assert frames[-1]["prompt_tokens"] >= 1


def test_scores(process: Process) -> None:
    (frame,) = process.ask({**score_to_json(ScoreRequest((Part(text="def f"),), "irst")), "id": 2})
    assert frame["bits"] > 0
    assert (frame["bytes"], frame["last"]) == (4, True)


@pytest.mark.parametrize(
    ("message", "says"),
    [
        ({"op": "dance"}, "does not know the request 'dance'"),
        ({}, "does not know the request None"),
        ({"op": "generate"}, "cannot read this request"),
        ({**SHORT, "parts": [{"nonsense": 1}]}, "cannot read this request"),
        ({**SHORT, "parts": 5}, "cannot read this request"),
        ({**SHORT, "max_tokens": "many"}, "stumbled"),
        ({**SHORT, "parts": [{"special": "nope"}]}, "no special token called nope"),
        ({**SHORT, "parts": [{"text": "x" * 100_000}]}, "fixed parts take"),
        ({"op": "score", "parts": [], "heal": True}, "cannot read this request"),
        ({"op": "learn"}, "cannot read this request"),
        ({"op": "learn", "key": "a", "text": 5}, "must be a text"),
        ({"op": "unlearn", "key": ["a"]}, "must be a text"),
        ({**SHORT, "file": {"key": "a"}}, "cannot read this request"),
        ({**SHORT, "file": 7}, "cannot read this request"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_bad_request_is_answered_and_harms_nothing(process: Process, message: JsonObject, says: str) -> None:
    (frame,) = process.ask({**message, "id": 3})
    assert says in frame["error"]
    assert "\n" not in frame["error"]
    assert frame["last"] is True
    assert process.ask({**SHORT, "id": 4})[-1]["finish"] == "length"


def test_a_request_without_an_id_is_dropped(process: Process) -> None:
    process.send({"op": "generate"})
    assert process.ask({**SHORT, "id": 5})[0]["id"] == 5


def test_text_of_any_kind_travels(process: Process) -> None:
    text = "s = '<|end|>\ud83d é😀\r\n\x00"
    frames = process.ask({**generate_to_json(GenerateRequest((Part(text=text),), 3, budget_ms=60_000)), "id": 6})
    assert frames[-1]["finish"] == "length"


def test_cancel_ends_a_decode_within_a_step(process: Process) -> None:
    process.send({**LONG, "id": 7})
    for _ in range(5):
        assert not process.read()["last"]
    process.word.cancel(7)
    counted = process.word.steps
    while not (frame := process.read())["last"]:
        pass
    assert frame["finish"] == "cancelled"
    assert process.word.steps <= counted + 1


def test_a_request_cancelled_before_it_is_read_runs_nothing(process: Process) -> None:
    process.ask({**SHORT, "id": 8})
    counted = process.word.steps
    process.word.cancel(9)
    (frame,) = process.ask({**LONG, "id": 9})
    assert frame["finish"] == "cancelled"
    assert process.word.steps == counted
    assert process.ask({**SHORT, "id": 10})[-1]["finish"] == "length"


def test_two_cancels_are_one(process: Process) -> None:
    """And so are those of a request that is not there any more, or never was."""
    process.send({**LONG, "id": 21})
    assert not process.read()["last"]
    for _ in range(2):
        process.send({"op": "cancel", "id": 21})
        process.word.cancel(21)
    while not (frame := process.read())["last"]:
        pass
    assert frame["finish"] == "cancelled"
    process.send({"op": "cancel", "id": 21})
    process.send({"op": "cancel", "id": "never"})
    process.send({"op": "cancel"})
    assert process.ask({**SHORT, "id": 22})[-1]["finish"] == "length"


@pytest.mark.skipif(sys.platform != "linux", reason="takes memory away from a running process")
def test_memory_that_cannot_be_had_is_said_and_the_engine_lives(tmp_path: Path) -> None:
    """A second document wants 200 MB for a context of its own; when there is no room for it, another try may find some."""
    import resource

    model = tiny.build(tmp_path / "m", shape=tiny.config(context=1 << 16, layers=12))
    with started(model, tmp_path) as process:
        assert [process.read()["event"] for _ in range(2)] == ["loading", "ready"]
        pid = process.child.pid
        assert process.ask({**SHORT, "id": 1})[-1]["finish"] == "length"
        used = int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * resource.getpagesize()
        whole = resource.prlimit(pid, resource.RLIMIT_AS, (used + 50_000_000, resource.RLIM_INFINITY))
        other = generate_to_json(GenerateRequest((Part(text="x = 1\n"),), 3, budget_ms=60_000))
        (frame,) = process.ask({**other, "id": 2})
        assert "not enough memory" in frame["error"]
        resource.prlimit(pid, resource.RLIMIT_AS, whole)
        assert process.ask({**other, "id": 3})[-1]["finish"] == "length"


TYPED = "    configuration = load"
LINE = f"{TYPED}_configuration(folder, strict=True)\n"


def bits(process: Process, number: int) -> float:
    """What the rest of `LINE` costs in a new file."""
    asked = ScoreRequest((Part(text=TYPED),), LINE[len(TYPED) :], file=OpenFile("/new.py", TYPED, ""))
    (frame,) = process.ask({**score_to_json(asked), "id": number})
    return float(frame["bits"])


def until(process: Process, number: int, done: Callable[[float], bool]) -> float:
    """Ask until the background work shows; each question is a chance for its next slices."""
    for turn in range(2000):
        if done(cost := bits(process, number + turn)):
            return cost
    raise AssertionError("nothing was learnt")


def test_what_is_learnt_counts_and_what_is_unlearnt_does_not(process: Process) -> None:
    before = bits(process, 1000)
    assert process.ask({**learn_to_json("/other.py", LINE * 3), "id": 1001}) == [{"id": 1001, "last": True}]
    until(process, 1100, lambda cost: cost < before / 3)
    assert process.ask({**unlearn_to_json("/other.py"), "id": 1002}) == [{"id": 1002, "last": True}]
    assert bits(process, 1003) == pytest.approx(before, rel=1e-3)
    assert process.ask({**unlearn_to_json("/never.py"), "id": 1004}) == [{"id": 1004, "last": True}]


@pytest.mark.parametrize(
    "text", ["", "\ud800\x00" * 99, "x" * 10_000_000, "\n" * 500_000], ids=["none", "odd", "line", "empty"]
)
def test_any_document_can_be_learnt(process: Process, text: str) -> None:
    file = OpenFile("\ud83d", text, text)
    (learnt,) = process.ask({**learn_to_json("\x00", text), "id": 2000})
    assert learnt == {"id": 2000, "last": True}
    asked = generate_to_json(GenerateRequest((Part(text="def f"),), 2, budget_ms=60_000, file=file))
    assert process.ask({**asked, "id": 2001})[-1]["finish"] == "length"
    process.ask({**unlearn_to_json("\x00"), "id": 2002})


def test_a_request_is_answered_while_much_is_being_learnt(process: Process) -> None:
    """Hundreds of documents lie in the pipe before it; none is tokenised or sorted first."""
    documents = {f"/many/{number}.py": f"value_{number} = compute({number})\n" * 40 for number in range(200)}
    for number, (key, text) in enumerate(documents.items()):
        process.send({**learn_to_json(key, text), "id": 3000 + number})
    process.send({**SHORT, "id": 4000})
    acknowledged = 0
    while (frame := process.read())["id"] != 4000:
        assert frame["last"]
        acknowledged += 1
    assert acknowledged == 200
    while not frame["last"]:
        frame = process.read()
    assert frame["finish"] == "length"
    before = bits(process, 5000)
    process.ask({**learn_to_json("/other.py", LINE * 3), "id": 4001})
    until(process, 5001, lambda cost: cost < before / 3)  # the newest is done first
    for number, key in enumerate([*documents, "/other.py"]):
        process.ask({**unlearn_to_json(key), "id": 9000 + number})


def test_ends_when_its_parent_closes_the_pipe_in_mid_decode(slow_checkpoint: Path, tmp_path: Path) -> None:
    with started(slow_checkpoint, tmp_path) as orphan:
        orphan.read(), orphan.read()
        orphan.send({**LONG, "id": 1})
        orphan.read()
        counted = orphan.word.steps
        assert orphan.child.stdin is not None
        orphan.child.stdin.close()
        assert orphan.child.wait(10) == 0
        assert orphan.word.steps < counted + 2000  # it did not finish the decode first


def test_garbage_on_the_pipe_ends_it(slow_checkpoint: Path, tmp_path: Path) -> None:
    with started(slow_checkpoint, tmp_path) as process:
        process.read(), process.read()
        assert process.child.stdin is not None
        process.child.stdin.write(struct.pack("<I", 2**31) + b"garbage")
        process.child.stdin.flush()
        assert process.child.wait(10) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C reaches a process group as SIGINT on POSIX only")
def test_ctrl_c_is_its_parents_affair(process: Process) -> None:
    os.kill(process.child.pid, signal.SIGINT)
    assert process.ask({**SHORT, "id": 11})[-1]["finish"] == "length"


def test_a_print_does_not_corrupt_the_frames(slow_checkpoint: Path, tmp_path: Path) -> None:
    word = CancelWord(str(tmp_path / "cancel"), create=True)
    command = [sys.executable, "-c", NOISY, "--model", str(slow_checkpoint), "--threads", "1", "--cancel-word", word.path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(encode({**SHORT, "id": 1}) + encode({"op": "stop"}))
        child.stdin.flush()
        events = []
        while (frame := read_frame(child.stdout)) is not None:  # type: ignore[arg-type]
            events.append(frame.get("event") or frame["id"])
        assert events[:2] == ["loading", "ready"]
        assert set(events[2:]) == {1}
        assert child.stderr is not None
        assert b"noise from a child" in child.stderr.read()
    word.close(remove=True)


def test_a_bad_checkpoint_is_said_in_one_frame(tiny_checkpoint: Path, tmp_path: Path) -> None:
    spoiled = Path(shutil.copytree(tiny_checkpoint, tmp_path / "spoiled"))
    (spoiled / "model.safetensors").write_bytes(b"half")
    with started(spoiled, tmp_path) as process:
        assert process.read() == {"event": "loading"}
        failed = process.read()
        assert failed["event"] == "failed"
        assert failed["error"].startswith(str(spoiled / "model.safetensors"))
        assert "\n" not in failed["error"]
        assert process.child.wait(10) == 1


def test_starts_while_the_pipe_already_holds_requests(slow_checkpoint: Path, tmp_path: Path) -> None:
    """What arrives while the weights load is answered afterwards; its budget has been running since."""
    with started(slow_checkpoint, tmp_path) as process:
        late = generate_to_json(GenerateRequest((Part(text="def f"),), max_tokens=3, budget_ms=1))
        process.send({**late, "id": 1})
        assert [process.read()["event"] for _ in range(2)] == ["loading", "ready"]
        assert process.read()["finish"] == "budget"
