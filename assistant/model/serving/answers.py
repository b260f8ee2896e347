"""One request to the engine -> the frames that answer it.

Knows the wire's requests and the engine's calls. Does not know connections or turns: whom it works for it sees by the request.
A bad request is answered with an error and harms nothing; a request that was interrupted is given back, unless nobody waits
for it.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from assistant.cancel import Cancelled
from assistant.model.serving.hub import Hub, Request
from assistant.types import EngineError, Finish, JsonObject, Priority
from assistant.wire import (
    chunk_to_json,
    compare_from_json,
    generate_from_json,
    learn_from_json,
    likelihoods_to_json,
    mark_from_json,
    marks_to_json,
    score_from_json,
    unlearn_from_json,
)

if TYPE_CHECKING:
    from assistant.model.edits import Edits
    from assistant.model.engine import Engine

log = logging.getLogger("sotto.engine")

Read = TypeVar("Read")
CANCELLED: JsonObject = {"error": "cancelled", "last": True}
NO_MEMORY = "there is not enough memory for this request; close other programs, or choose a smaller model"
WHOLE = (Priority.NEXT_EDIT, Priority.REVIEW)
"""Nobody reads these answers before they are complete: they are sent in one piece, and can begin again unseen."""


class Stopped:
    """Whether a request must stop: a question for Python, and the ``word`` and ``number`` that compiled code compares."""

    def __init__(self, request: Request, hub: Hub) -> None:
        self._request, self._hub = request, hub
        self.number = int(str(request.number))
        self.word = np.frombuffer(request.peer.word.memory, np.int64)

    def __call__(self) -> bool:
        self._hub.show_life()
        return self._request.is_stopped


def serve(engine: Engine, hub: Hub, request: Request) -> None:
    """Answer a request, or give it back to the hub because another one goes first."""
    if not isinstance(request.number, int):
        log.error("a request without an id was dropped")
        return
    if request.peer.caches is None:
        request.peer.caches = engine.caches.fresh()
    engine.caches = request.peer.caches
    whole = request.priority in WHOLE
    frames: list[JsonObject] = []
    for answer in _guarded(engine, hub, request):
        if whole:
            frames.append(answer)
        else:
            request.peer.send({"id": request.number, **answer})
    if whole and request.interrupted and _is_cut_off(frames[-1]):
        hub.again(request)
        return
    for answer in frames:
        request.peer.send({"id": request.number, **answer})


def _is_cut_off(last: JsonObject) -> bool:
    return last.get("error") == CANCELLED["error"] or last.get("finish") == Finish.CANCELLED.value


def _guarded(engine: Engine, hub: Hub, request: Request) -> Iterator[JsonObject]:
    """The frames of an answer, the last of them an error where there is one. At least one."""
    try:
        yield from _answer(engine, hub, request)
    except Cancelled:
        yield CANCELLED
    except Exception as error:
        if not isinstance(error, EngineError):
            log.exception("request %s failed", request.number)
        yield {"error": sentence(_explained(error, engine)), "last": True}


def _answer(engine: Engine, hub: Hub, request: Request) -> Iterator[JsonObject]:
    """The frames that answer one request, without its id."""
    frame, stopped = request.frame, Stopped(request, hub)
    if frame.get("op") == "generate":
        for chunk in engine.generate(_parsed(generate_from_json, frame), stopped, request.received):
            yield {**chunk_to_json(chunk), "last": chunk.finish is not None}
    elif frame.get("op") == "score":
        score = engine.score(_parsed(score_from_json, frame), stopped)
        yield {"bits": score.bits, "bytes": score.bytes, "tokens": score.tokens, "worst": score.worst, "last": True}
    elif frame.get("op") == "mark":
        yield {**marks_to_json(_edits(engine).mark(_parsed(mark_from_json, frame), stopped)), "last": True}
    elif frame.get("op") == "compare":
        yield {**likelihoods_to_json(_edits(engine).compare(_parsed(compare_from_json, frame), stopped)), "last": True}
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


def _parsed(read: Callable[[JsonObject], Read], frame: JsonObject) -> Read:
    try:
        return read(frame)
    except (KeyError, TypeError, ValueError) as error:
        raise EngineError(f"the engine cannot read this request: {error}") from error


def _explained(error: Exception, engine: Engine) -> Exception:
    """Memory that cannot be had is the user's to change; what the engine holds of it is given back at once."""
    if not isinstance(error, MemoryError) and "allocate memory" not in str(error):  # torch raises a RuntimeError
        return error
    engine.release()
    return EngineError(NO_MEMORY)


def sentence(error: Exception) -> str:
    """One line for the user: our own errors as they are, others with their kind."""
    if isinstance(error, EngineError):
        text = str(error)
    elif isinstance(error, ModuleNotFoundError):
        text = f"the engine needs the package {error.name}; run: {sys.executable} -m pip install {error.name}"
    else:
        text = f"the engine stumbled: {type(error).__name__}: {error}"
    return " ".join(text.split())
