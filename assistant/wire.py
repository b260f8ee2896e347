"""The private language of the server and its engine process: length-prefixed JSON frames, and a cancel word.

A frame is a little-endian uint32 length and that many bytes of UTF-8 JSON. Requests go down with ``id`` and ``op``
(``generate``, ``score``, ``mark``, ``compare``, ``learn``, ``unlearn``, ``waiting``, ``stop``); the engine answers each with
frames of the same ``id`` until one has ``"last": true``. ``cancel`` with the ``id`` of a request that has not begun ends it;
one that runs is stopped through the cancel word, within a layer. On a socket that several servers share, a server's first frame
is ``{"op": "hello", "word": PATH}`` and the engine's first one ``{"event": "hello", "pid": N}``.
Frames without an ``id`` are the engine's own news: ``{"event": "loading" | "ready" | "failed" | "log", ...}``.

The cancel word is a small memory-mapped file, one for each server: see `CancelWord`. A mapped file rather than a POSIX or
multiprocessing shared-memory object: it exists on every platform and nothing has to outlive a killed process.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import mmap
import os
import struct
from dataclasses import asdict, replace
from typing import Any, BinaryIO

from assistant.types import (
    Chunk,
    CompareRequest,
    Finish,
    GenerateRequest,
    JsonObject,
    Likelihood,
    MarkRequest,
    Marks,
    ModelInfo,
    OpenFile,
    Part,
    Priority,
    Rewrite,
    Score,
    ScoreRequest,
)

MAX_FRAME = 64 * 1024 * 1024
ABOVE, BELOW = 40_000, 20_000
"""Characters of the open file round the cursor that travel: all of a file of 200,000 would cost 0.9 ms a key, these 0.2."""
STEP = 10_000
"""The first character moves by so many at once, so that a key leaves what was tokenised before as it was."""
LONGEST_DOCUMENT = 1_000_000
"""Characters of a learnt document; what is longer is data more often than code, and 1 MB takes 4 ms to read."""
_LENGTH = struct.Struct("<I")
_WORDS = struct.Struct("<qqqq")
_STOP, _STEPS, _CANCELLED, _ALIVE = range(0, _WORDS.size, 8)


class WireError(Exception):
    """The other side sent something that is not a frame, or closed the pipe inside one."""


def encode(message: JsonObject) -> bytes:
    """ASCII JSON, so that a lone surrogate from an editor's buffer travels too."""
    body = json.dumps(message, separators=(",", ":")).encode("ascii")
    return _LENGTH.pack(len(body)) + body


def _decode(body: bytes) -> JsonObject:
    try:
        message = json.loads(body)
    except ValueError as error:
        raise WireError(f"not JSON: {error}") from error
    if not isinstance(message, dict):
        raise WireError("a frame must hold a JSON object")
    return message


def _length(head: bytes) -> int:
    (length,) = _LENGTH.unpack(head)
    if length > MAX_FRAME:
        raise WireError(f"a frame of {length} bytes is over the limit: something else writes to this pipe")
    return int(length)


def read_frame(stream: BinaryIO) -> JsonObject | None:
    """The next frame, or ``None`` when the other side closed the pipe between frames."""
    head = stream.read(_LENGTH.size)
    if not head:
        return None
    body = stream.read(_length(head)) if len(head) == _LENGTH.size else b""
    if len(head) != _LENGTH.size or len(body) != _length(head):
        raise WireError("the pipe closed inside a frame")
    return _decode(body)


async def read_frame_async(stream: asyncio.StreamReader) -> JsonObject | None:
    """`read_frame` for an asyncio pipe."""
    try:
        head = await stream.readexactly(_LENGTH.size)
        return _decode(await stream.readexactly(_length(head)))
    except asyncio.IncompleteReadError as error:
        if not error.partial:
            return None
        raise WireError("the pipe closed inside a frame") from error


class CancelWord:
    """Four int64 in a mapped file, shared by a server (which makes and removes it) and the engine (which opens it).

    The first is the id of the request to stop: compiled code compares that one alone. Both sides write it, so the third holds
    the last id that the server itself cancelled. The second counts the passes run for this server, the fourth moves as long as
    the engine is at work, for whomever: a server that waits reads there that the engine does not hang.
    """

    def __init__(self, path: str, *, create: bool) -> None:
        self.path = path
        if create:
            with open(path, "wb") as new:
                new.write(bytes(_WORDS.size))
        with open(path, "r+b") as file:
            self._map = mmap.mmap(file.fileno(), _WORDS.size)

    def cancel(self, request_id: int) -> None:
        """The server's: this request is not wanted any more."""
        self._write(_CANCELLED, request_id)
        self._write(_STOP, request_id)

    def interrupt(self, request_id: int) -> None:
        """The engine's: this request stops for now, another one goes first."""
        self._write(_STOP, request_id)

    def resume(self) -> None:
        """The engine's: an interrupted request may begin again, unless its server has cancelled it meanwhile."""
        unwanted = -1
        while unwanted != self._read(_CANCELLED):  # a cancel that comes after this writes the first word after us
            unwanted = self._read(_CANCELLED)
            self._write(_STOP, unwanted)

    def is_cancelled(self, request_id: int) -> bool:
        """Whether this request has to stop, for good or for now."""
        return self._read(_STOP) == request_id

    def is_unwanted(self, request_id: int) -> bool:
        """Whether the server has cancelled this request."""
        return self._read(_CANCELLED) == request_id

    @property
    def memory(self) -> memoryview:
        """All numbers, for who reads them in a loop; the file cannot be closed any more."""
        return memoryview(self._map)

    @property
    def steps(self) -> int:
        """Forward passes (prefill chunks and decode steps) that engines have run for this server since it started."""
        return self._read(_STEPS)

    def count_step(self) -> None:
        self._write(_STEPS, self.steps + 1)

    @property
    def alive(self) -> int:
        """Some number that changes while the engine is at work."""
        return self._read(_ALIVE)

    def show_life(self) -> None:
        self._write(_ALIVE, self.alive + 1)

    def close(self, *, remove: bool = False) -> None:
        self._map.close()
        if remove:
            self.remove()

    def remove(self) -> None:
        """Delete the file, if it is still there; what is mapped stays."""
        with contextlib.suppress(OSError):  # Windows keeps a file that somebody has mapped
            os.unlink(self.path)

    def _read(self, at: int) -> int:
        return int(struct.unpack_from("<q", self._map, at)[0])

    def _write(self, at: int, value: int) -> None:
        struct.pack_into("<q", self._map, at, value)


def nearby(file: OpenFile) -> OpenFile:
    """What the caches use of the open file: up to `ABOVE` + `STEP` characters before the cursor and `BELOW` behind it."""
    start = max(0, len(file.above) - ABOVE) // STEP * STEP
    return replace(file, above=file.above[start:], below=file.below[:BELOW])


def generate_to_json(request: GenerateRequest) -> JsonObject:
    return {"op": "generate", **_request_to_json(request)}


def score_to_json(request: ScoreRequest) -> JsonObject:
    return {"op": "score", **_request_to_json(request)}


def _request_to_json(request: GenerateRequest | ScoreRequest) -> JsonObject:
    return asdict(replace(request, file=nearby(request.file)) if request.file is not None else request)


def mark_to_json(request: MarkRequest) -> JsonObject:
    return {"op": "mark", **asdict(request)}


def compare_to_json(request: CompareRequest) -> JsonObject:
    return {"op": "compare", **asdict(request)}


def learn_to_json(key: str, text: str) -> JsonObject:
    return {"op": "learn", "key": key, "text": text[:LONGEST_DOCUMENT]}


def unlearn_to_json(key: str) -> JsonObject:
    return {"op": "unlearn", "key": key}


def waiting_to_json() -> JsonObject:
    return {"op": "waiting"}


def _parts(message: JsonObject) -> tuple[Part, ...]:
    return tuple(Part(**part) for part in message["parts"])


def _file(message: JsonObject) -> OpenFile | None:
    file = message.get("file")
    return None if file is None else OpenFile(*(_text(file, name) for name in ("key", "above", "below")))


def _text(message: JsonObject, name: str) -> str:
    value = message[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a text")
    return value


def generate_from_json(message: JsonObject) -> GenerateRequest:
    rest = {k: v for k, v in message.items() if k in GenerateRequest.__dataclass_fields__}
    ends = tuple(_text({"end": name}, "end") for name in message.get("ends", ()))
    chat = tuple((_text({"role": role}, "role"), _text({"text": text}, "text")) for role, text in message.get("chat", ()))
    rest |= {"parts": _parts(message), "stop": tuple(message["stop"]), "file": _file(message), "ends": ends, "chat": chat}
    return GenerateRequest(**{**rest, "priority": Priority(message.get("priority", 0))})


def score_from_json(message: JsonObject) -> ScoreRequest:
    return ScoreRequest(parts=_parts(message), target=message["target"], heal=message["heal"], file=_file(message))


def mark_from_json(message: JsonObject) -> MarkRequest:
    return MarkRequest(_parts(message))


def compare_from_json(message: JsonObject) -> CompareRequest:
    rewrites = tuple(Rewrite(tuple(Part(**part) for part in one["asked"]), _text(one, "text")) for one in message["rewrites"])
    return CompareRequest(_parts(message), rewrites)


def learn_from_json(message: JsonObject) -> tuple[str, str]:
    """The document's key and text."""
    return _text(message, "key"), _text(message, "text")


def unlearn_from_json(message: JsonObject) -> str:
    """The document's key."""
    return _text(message, "key")


def chunk_to_json(chunk: Chunk) -> JsonObject:
    return {**asdict(chunk), "finish": chunk.finish.value if chunk.finish else None}


def chunk_from_json(message: JsonObject) -> Chunk:
    rest: dict[str, Any] = {k: v for k, v in message.items() if k in Chunk.__dataclass_fields__}
    finish = Finish(rest["finish"]) if rest.get("finish") else None
    many = {name: tuple(rest.get(name, ())) for name in ("logprobs", "exits")}
    return Chunk(**{**rest, **many, "finish": finish})


def score_result_from_json(message: JsonObject) -> Score:
    return Score(bits=message["bits"], bytes=message["bytes"], tokens=message["tokens"], worst=message.get("worst", 0.0))


def marks_to_json(marks: Marks) -> JsonObject:
    return asdict(marks)


def marks_from_json(message: JsonObject) -> Marks:
    return Marks(tuple(message["chances"]), message["tokens"], message["ms"])


def likelihoods_to_json(found: tuple[Likelihood, ...]) -> JsonObject:
    return {"likelihoods": [[one.logprob, one.tokens] for one in found]}


def likelihoods_from_json(message: JsonObject) -> tuple[Likelihood, ...]:
    return tuple(Likelihood(logprob, tokens) for logprob, tokens in message["likelihoods"])


def info_to_json(info: ModelInfo) -> JsonObject:
    return {"event": "ready", **asdict(info)}


def info_from_json(message: JsonObject) -> ModelInfo:
    rest: dict[str, Any] = {k: v for k, v in message.items() if k in ModelInfo.__dataclass_fields__}
    return ModelInfo(**{**rest, "specials": tuple(rest["specials"])})
