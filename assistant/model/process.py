"""The engine process: frames in on stdin, frames out on stdout, one request at a time.

    python -m assistant.model.process --model DIR --threads N --cancel-word PATH

Knows the pipe and its own life; the work is `engine.Engine`. It lives no longer than its parent: when stdin closes it ends
at once, also in the middle of a decode. A bad request is answered with an error and harms nothing. While no request is there,
a second thread does what the caches have to do, slice by slice; a request waits for none of them.
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeVar

from assistant.cancel import Cancelled
from assistant.model.background import Background
from assistant.types import EngineError, GenerateRequest, JsonObject, ModelInfo, Part
from assistant.wire import (
    CancelWord,
    WireError,
    chunk_to_json,
    compare_from_json,
    encode,
    generate_from_json,
    info_to_json,
    learn_from_json,
    likelihoods_to_json,
    mark_from_json,
    marks_to_json,
    read_frame,
    score_from_json,
    unlearn_from_json,
)

if TYPE_CHECKING:
    from assistant.model.checkpoint import Checkpoint
    from assistant.model.edits import Edits
    from assistant.model.engine import Engine

log = logging.getLogger("sotto.engine")

Request = TypeVar("Request")

Received = tuple[float, JsonObject | None]
"""A frame and the moment it arrived: a request's budget runs from there. None says that a slice of background work is done."""
COMPILED = "compiled"
"""Not a request: the fused step's machine code is on disk now."""
FUSED, PLAIN = "fused int8", "torch"
SWITCH_S = 0.0005
"""A thread keeps the interpreter no longer than this from another one that wants it; 5 ms is Python's own."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until stdin closes. Returns the exit code: 0 when asked to stop, 1 when there is no usable model."""
    options = _options(arguments)
    started = time.perf_counter()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal reaches the parent too, which closes the pipe
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(message)s")
    incoming, outgoing = _own_pipes()
    frames: queue.SimpleQueue[Received] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(incoming, frames), name="reader", daemon=True).start()
    word = CancelWord(options.cancel_word, create=False)
    _send(outgoing, {"event": "loading"})
    try:
        engine, info, loaded = _load(options.model, options.threads, word, started)
    except Exception as error:
        log.info("loading failed", exc_info=True)
        _send(outgoing, {"event": "failed", "error": _sentence(error)})
        return 1
    _send(outgoing, info_to_json(info))
    from assistant.model import compiling, fused

    if info.runner == PLAIN and fused.fits(loaded.config):
        compiling.in_background(lambda: frames.put((0.0, {"op": COMPILED})))
    return _serve(engine, loaded, word, frames, outgoing)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="assistant.model.process", description="The engine process of Sotto.")
    parser.add_argument("--model", default="", help="checkpoint folder; empty for the model that comes with Sotto")
    parser.add_argument("--threads", type=int, default=0, help="0 chooses from the idle cores")
    parser.add_argument("--cancel-word", required=True, help="the mapped file shared with the parent")
    return parser.parse_args(arguments)


def _own_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Keep stdin and stdout for frames alone: what any library prints goes to stderr, what it reads is empty."""
    incoming = os.fdopen(os.dup(0), "rb")
    outgoing = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return incoming, outgoing


def _read(incoming: BinaryIO, frames: queue.SimpleQueue[Received]) -> None:
    """The reader thread. `os._exit` because the main thread may be deep in a decode that nobody will read."""
    try:
        while (frame := read_frame(incoming)) is not None:
            frames.put((time.perf_counter(), frame))
        os._exit(0)
    except WireError as error:
        log.error("the pipe from the server is broken: %s", error)
    except BaseException:
        log.exception("the reader thread failed")
    os._exit(1)


def _load(model: str, threads: int, word: CancelWord, started: float) -> tuple[Engine, ModelInfo, Checkpoint]:
    """Choose threads before the imports (they keep a core busy), load, run one short request."""
    from assistant.model import threads as cores

    count, why = cores.choose(threads)
    from assistant.model import checkpoint, fused
    from assistant.model.engine import Engine

    sys.setswitchinterval(SWITCH_S)
    loaded = checkpoint.load(Path(model) if model else checkpoint.default_folder())
    runner = fused.load(loaded)
    if runner is None:
        _set_torch_threads(count)
    engine = Engine(loaded, runner=runner, count_step=word.count_step)
    _warm_up(engine)
    info = ModelInfo(
        name=loaded.name,
        family=loaded.family.name,
        parameters=loaded.config.n_params,
        context=loaded.config.context,
        sha256=loaded.sha256,
        quantization=loaded.quantization,
        threads=count,
        threads_reason=why,
        load_ms=(time.perf_counter() - started) * 1000,
        specials=tuple(loaded.tokenizer.specials),
        runner=FUSED if runner is not None else PLAIN,
    )
    return engine, info, loaded


def _set_torch_threads(count: int) -> None:
    import torch

    torch.set_num_threads(count)
    torch.set_num_interop_threads(1)


def _warm_up(engine: Engine) -> None:
    """The first pass through each operator is slow (code pages, thread pool): not on the user's first key."""
    text = "def first(items):\n    return items[0]\n" * 8
    for _ in engine.generate(GenerateRequest(parts=(Part(text=text),), max_tokens=4, budget_ms=60_000)):
        pass
    engine.forget()
    gc.collect()
    gc.freeze()  # torch's 170,000 objects are not walked again: a full collection in mid-decode took 34 ms


def _serve(
    engine: Engine, loaded: Checkpoint, word: CancelWord, frames: queue.SimpleQueue[Received], outgoing: BinaryIO
) -> int:
    background = Background(lambda: frames.put((0.0, None)))
    while True:
        received, frame = frames.get()
        if frame is None:
            background.rest()
        elif frame.get("op") == "stop":
            return 0
        elif frame.get("op") == COMPILED:
            _use_fused(engine, loaded)
        else:
            _serve_one(engine, word, frame, received, outgoing)
        if frames.empty():
            background.start(engine.caches.next_slice)


def _use_fused(engine: Engine, loaded: Checkpoint) -> None:
    """Between two requests: the next one runs ten times as fast."""
    from assistant.model import fused

    runner = fused.load(loaded)
    if runner is not None:
        engine.use(runner)
        log.info("the fused step is compiled and in use")


def _serve_one(engine: Engine, word: CancelWord, frame: JsonObject, received: float, outgoing: BinaryIO) -> None:
    number = frame.get("id")
    if not isinstance(number, int):
        log.error("a request without an id was dropped")
        return
    try:
        for answer in _answer(engine, word, number, frame, received):
            _send(outgoing, {"id": number, **answer})
    except Cancelled:
        _send(outgoing, {"id": number, "error": "cancelled", "last": True})
    except Exception as error:
        if not isinstance(error, EngineError):
            log.exception("request %d failed", number)
        _send(outgoing, {"id": number, "error": _sentence(error), "last": True})


class _Cancelled:
    """Whether a request is still wanted: a question for Python, and the ``word`` and ``number`` that compiled code compares."""

    def __init__(self, word: CancelWord, number: int) -> None:
        import numpy as np

        self._word, self.number = word, number
        self.word = np.frombuffer(word.memory, np.int64)

    def __call__(self) -> bool:
        return self._word.is_cancelled(self.number)


def _answer(engine: Engine, word: CancelWord, number: int, frame: JsonObject, received: float) -> Iterator[JsonObject]:
    """The frames that answer one request, without its id."""

    cancelled = _Cancelled(word, number)
    if frame.get("op") == "generate":
        for chunk in engine.generate(_parsed(generate_from_json, frame), cancelled, received):
            yield {**chunk_to_json(chunk), "last": chunk.finish is not None}
    elif frame.get("op") == "score":
        score = engine.score(_parsed(score_from_json, frame), cancelled)
        yield {"bits": score.bits, "bytes": score.bytes, "tokens": score.tokens, "worst": score.worst, "last": True}
    elif frame.get("op") == "mark":
        yield {**marks_to_json(_edits(engine).mark(_parsed(mark_from_json, frame), cancelled)), "last": True}
    elif frame.get("op") == "compare":
        yield {**likelihoods_to_json(_edits(engine).compare(_parsed(compare_from_json, frame), cancelled)), "last": True}
    elif frame.get("op") == "learn":
        engine.caches.put(*_parsed(learn_from_json, frame))
        yield {"last": True}
    elif frame.get("op") == "unlearn":
        engine.caches.drop(_parsed(unlearn_from_json, frame))
        yield {"last": True}
    elif frame.get("op") == "waiting":
        yield {"waiting": engine.caches.waiting, "last": True}
    else:
        raise EngineError(f"the engine does not know the request {frame.get('op')!r}")


def _edits(engine: Engine) -> Edits:
    from assistant.model.edits import Edits

    return Edits(engine)


def _parsed(read: Callable[[JsonObject], Request], frame: JsonObject) -> Request:
    try:
        return read(frame)
    except (KeyError, TypeError, ValueError) as error:
        raise EngineError(f"the engine cannot read this request: {error}") from error


def _sentence(error: Exception) -> str:
    """One line for the user: our own errors as they are, others with their kind."""
    if isinstance(error, EngineError):
        text = str(error)
    elif isinstance(error, ModuleNotFoundError):
        text = f"the engine needs the package {error.name}; run: {sys.executable} -m pip install {error.name}"
    else:
        text = f"the engine stumbled: {type(error).__name__}: {error}"
    return " ".join(text.split())


def _send(outgoing: BinaryIO, message: JsonObject) -> None:
    try:
        outgoing.write(encode(message))
        outgoing.flush()
    except OSError:  # nobody is left to read it
        os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
