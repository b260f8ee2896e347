"""The engine process: frames in on stdin, frames out on stdout; or a socket that all servers of a user share.

    python -m assistant.model.process --model DIR --threads N --cancel-word PATH
    python -m assistant.model.process --model DIR --threads N --listen FD

Knows how its life begins; the work is `engine.Engine`, whose turn it is `serving.hub.Hub`. With pipes it lives no longer than
its parent: when stdin closes it ends at once, also in the middle of a decode. With a socket it belongs to nobody: it leaves its
parent, and ends some time after its last server.
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from assistant.model import compiling
from assistant.model.serving.door import Door
from assistant.model.serving.hub import Hub, Peer
from assistant.model.serving.quiet import LINGER_S
from assistant.types import GenerateRequest, ModelInfo, Part
from assistant.wire import CancelWord, WireError, info_to_json, read_frame

if TYPE_CHECKING:
    from assistant.model.checkpoint import Checkpoint
    from assistant.model.engine import Engine

log = logging.getLogger("sotto.engine")

FUSED, PLAIN, GPU = "fused int8", "torch", "CUDA graphs, bf16"
SWITCH_S = 0.0005
"""A thread keeps the interpreter no longer than this from another one that wants it; 5 ms is Python's own."""
LINE = "%(levelname)s %(message)s"
FAILED_S = 3.0
"""An engine without a model stays so long to say so to the servers that are about to connect."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until nobody wants this engine. Returns the exit code: 0 when asked to stop, 1 when there is no usable model."""
    options = _options(arguments)
    started = time.perf_counter()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal reaches the parent too, which closes the pipe
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format=LINE)
    hub = Hub()
    door = _leave_home(options.listen, hub) if options.listen >= 0 else None
    if door is None:
        _serve_parent(hub, options.cancel_word)
    hub.announce({"event": "loading"})
    compiling.renew()
    try:
        folder = _folder(options.model, options.allow_download, hub)
        attention = options.attention, options.calibrated
        engine, info, loaded = _load(folder, options.threads, options.device, hub.count_step, started, attention)
    except Exception as error:
        from assistant.model.serving.answers import sentence

        log.info("loading failed", exc_info=True)
        hub.announce({"event": "failed", "error": sentence(error)})
        time.sleep(FAILED_S if door is not None else 0)
        return 1
    hub.announce(info_to_json(info))
    from assistant.model import fused
    from assistant.model.serving import loop, quiet

    if loaded is not None and info.runner == PLAIN and fused.fits(loaded.config):
        compiling.in_background(lambda: hub.call(lambda: _use_fused(engine, loaded, options.threads)))
    elif info.runner.startswith("transformers cpu"):
        from kernels.attention import compiled

        if not compiled.available():
            compiling.in_background(lambda: hub.call(compiled.look_again), compiling.ATTENTION)
    return loop.run(engine, hub, quiet.Quiet(linger_s=options.linger), door.shut if door is not None else None)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="assistant.model.process", description="The engine process of Sotto.")
    parser.add_argument(
        "--model",
        default="",
        help="checkpoint folder, or id in the Hugging Face cache; empty for the model that comes with Sotto",
    )
    parser.add_argument(
        "--allow-download", action="store_true", help="fetch a model id of the Hugging Face hub that is missing"
    )
    parser.add_argument("--calibrated", type=Path, help="the folder of what `sotto model calibrate` found of others' models")
    parser.add_argument("--attention", default="", help="what attention looks at, in a model that transformers loads")
    parser.add_argument("--threads", type=int, default=0, help="0 chooses from the idle cores")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="auto takes a GPU for large models")
    parser.add_argument("--cancel-word", default="", help="the mapped file shared with the parent")
    parser.add_argument("--listen", type=int, default=-1, help="a bound Unix socket, in place of stdin and stdout")
    parser.add_argument("--linger", type=float, default=LINGER_S, help="seconds that it stays without a server")
    return parser.parse_args(arguments)


def _serve_parent(hub: Hub, word: str) -> None:
    """Keep stdin and stdout for frames alone: what any library prints goes to stderr, what it reads is empty."""
    incoming, outgoing = _own_pipes()

    def write(data: bytes) -> None:
        try:
            outgoing.write(data)
            outgoing.flush()
        except OSError:  # nobody is left to read it
            os._exit(1)

    peer = Peer(write, CancelWord(word, create=False))
    hub.join(peer)
    threading.Thread(target=_read, args=(incoming, hub, peer), name="reader", daemon=True).start()


def _own_pipes() -> tuple[BinaryIO, BinaryIO]:
    incoming = os.fdopen(os.dup(0), "rb")
    outgoing = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return incoming, outgoing


def _read(incoming: BinaryIO, hub: Hub, peer: Peer) -> None:
    """The reader thread. `os._exit` because the main thread may be deep in a decode that nobody will read."""
    code = 1
    try:
        while (frame := read_frame(incoming)) is not None:
            hub.push(peer, frame)
        code = 0
    except WireError as error:
        log.error("the pipe from the server is broken: %s", error)
    except BaseException:
        log.exception("the reader thread failed")
    peer.word.remove()
    os._exit(code)


def _leave_home(listening: int, hub: Hub) -> Door:
    """Become nobody's child, for whoever started this engine may end before the other servers; then let servers in."""
    if os.fork():
        os._exit(0)
    door = Door(listening, hub)
    logging.getLogger().addHandler(_Told(hub))
    door.open()
    return door


class _Told(logging.Handler):
    """What this process logs goes into the log of the server it concerns."""

    def __init__(self, hub: Hub) -> None:
        super().__init__(logging.INFO)
        self.setFormatter(logging.Formatter(LINE))
        self._hub = hub

    def emit(self, record: logging.LogRecord) -> None:
        self._hub.tell({"event": "log", "text": self.format(record)})


def _folder(model: str, allow_download: bool, hub: Hub) -> Path:
    """Where the checkpoint lies. Raises `EngineError`."""
    from assistant.model import checkpoint
    from assistant.model.hf.locate import locate

    if not model:
        return checkpoint.default_folder()
    return locate(model, allow_download, lambda text: hub.announce({"event": "loading", "text": text}))


def _load(
    folder: Path,
    threads: int,
    device: str,
    count_step: Callable[[], None],
    started: float,
    attention: tuple[str, Path | None],
) -> tuple[Engine, ModelInfo, Checkpoint | None]:
    """Choose threads before the imports (they keep a core busy), load, run one short request."""
    from assistant.model import threads as cores

    count, why = cores.choose(threads)
    from assistant.model import checkpoint, fused
    from assistant.model.devices import gpu_runner
    from assistant.model.engine import Engine
    from assistant.model.hf.files import is_transformers

    sys.setswitchinterval(SWITCH_S)
    if is_transformers(folder):
        return *_load_hub(folder, count, why, count_step, started, (*attention, device)), None
    loaded = checkpoint.load(folder)
    on_gpu = gpu_runner(loaded, device)
    runner = fused.load(loaded, threads=threads) if on_gpu is None else None
    if runner is None:
        _set_torch_threads(count)
    elif not threads:
        count, why = runner.threads, f"1 to {runner.threads}, as cores are idle"
    engine = Engine(loaded, runner=on_gpu or runner, count_step=count_step)
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
        runner=GPU if on_gpu is not None else FUSED if runner is not None else PLAIN,
    )
    return engine, info, loaded


def _load_hub(
    folder: Path, count: int, why: str, count_step: Callable[[], None], started: float, choices: tuple[str, Path | None, str]
) -> tuple[Engine, ModelInfo]:
    """A checkpoint of another kind, through transformers."""
    from assistant.model.hf.load import load

    _set_torch_threads(count)
    engine, info = load(folder, count_step, *choices)
    _warm_up(engine)
    return engine, replace(info, threads=count, threads_reason=why, load_ms=(time.perf_counter() - started) * 1000)


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


def _use_fused(engine: Engine, loaded: Checkpoint, threads: int) -> None:
    """Between two requests: the next one runs ten times as fast."""
    from assistant.model import fused

    runner = fused.load(loaded, threads=threads)
    if runner is not None:
        engine.use(runner)
        log.info("the fused step is compiled and in use")


if __name__ == "__main__":
    sys.exit(main())
