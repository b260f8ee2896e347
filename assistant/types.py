"""The values that pass between the floors: frozen, plain, comparable.

Offsets are code points into a document's text, never an editor's positions. Nothing here does any work.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import Any, Protocol

from assistant.cancel import Cancel


class Trigger(str, Enum):
    """Why a completion was asked for: the user pressed a key for it, or merely typed."""

    INVOKED = "invoked"
    AUTOMATIC = "automatic"


@dataclass(frozen=True)
class Selected:
    """The entry selected in the editor's own popup: it would replace ``[start, end)`` with ``text``."""

    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Indent:
    """The buffer's unit of indentation as the editor states it; ``None`` where it does not."""

    width: int = 4
    tabs: bool = False


@dataclass(frozen=True)
class Snapshot:
    """One document at one moment, and where the cursor is.

    ``uri`` identifies the document; ``path`` is set only for a file on disk. ``language`` is the LSP language id.
    ``newline`` is the document's own line end (``text`` keeps it).
    """

    uri: str
    language: str
    text: str
    offset: int
    version: int | None = None
    path: str | None = None
    root: str | None = None
    trigger: Trigger = Trigger.AUTOMATIC
    selected: Selected | None = None
    indent: Indent | None = None

    @property
    def prefix(self) -> str:
        return self.text[: self.offset]

    @property
    def suffix(self) -> str:
        return self.text[self.offset :]

    @property
    def newline(self) -> str:
        return "\r\n" if "\r\n" in self.text else "\n"


class Source(str, Enum):
    """Where a suggestion's text came from: a decode, or an earlier answer the user typed into."""

    MODEL = "model"
    CACHE = "cache"


@dataclass(frozen=True)
class Confidence:
    """What the model thought of its own text: natural-log probabilities of the shown tokens, and how many there are."""

    mean_logprob: float
    min_logprob: float
    tokens: int


@dataclass(frozen=True)
class Suggestion:
    """Replace ``[start, end)`` of the snapshot's text, which lies on the cursor's line, with ``text``.

    ``inserted`` is what the user sees as new at the cursor: ``text`` without what it repeats of the line.
    ``id`` names the suggestion in telemetry and in the accept command.
    """

    id: str
    text: str
    inserted: str
    start: int
    end: int
    source: Source
    confidence: Confidence | None


@dataclass(frozen=True)
class Timings:
    """Milliseconds, each phase on its own clock; ``total`` from the handler's call to its answer, debounce included."""

    wait: float = 0.0
    context: float = 0.0
    prefill: float = 0.0
    decode: float = 0.0
    total: float = 0.0


class Reason(str, Enum):
    """Why a completion ended as it did; every opportunity gets exactly one."""

    SHOWN = "shown"
    EMPTY = "empty"
    DISABLED = "disabled"
    EXCLUDED = "excluded"
    LANGUAGE = "language"
    SKIPPED = "skipped"
    GATED_SKIP = "gated_skip"
    UNSURE = "unsure"
    GATED_HIDE = "gated_hide"
    SUPERSEDED = "superseded"
    CANCELLED = "cancelled"
    STALE = "stale"
    ENGINE = "engine"


@dataclass(frozen=True)
class Ruling:
    """What the gate thought of one opportunity, in the words of `telemetry.events.Opportunity`.

    ``why`` is its own word for it (`assistant.gate.policy.Decision`); what was done stands in the completion's reason.
    """

    gate: str = ""
    feature_version: int = 0
    p1: float | None = None
    p2: float | None = None
    threshold: float | None = None
    stage: int = 0
    propensity: float = 1.0
    explored: bool = False
    draw: float | None = None
    why: str = ""


@dataclass(frozen=True)
class Completion:
    """The outcome of one opportunity: a suggestion or none, the reason, what the gate thought, and what it cost."""

    reason: Reason
    suggestion: Suggestion | None = None
    timings: Timings = field(default_factory=Timings)
    prompt_tokens: int = 0
    reused_tokens: int = 0
    new_tokens: int = 0
    features: Mapping[str, float] = field(default_factory=dict)
    ruling: Ruling | None = None
    exits: tuple[int, ...] = ()
    saved_tokens: int | None = None


@dataclass(frozen=True)
class Part:
    """A piece of a prompt: the special token called ``special`` (without its brackets), or ``text``.

    ``keep`` says which end of a text survives where the context is too short: ``"start"``, ``"end"``; ``"all"``: uncut.
    """

    special: str = ""
    text: str = ""
    keep: str = "all"


@dataclass(frozen=True)
class OpenFile:
    """The file around the hole, for the engine's n-gram caches: its whole text before and after the cursor, lines end in \\n.

    ``key`` names the document as `TextModel.learn` does: the absolute path of a file, or the uri of what has none.
    """

    key: str
    above: str
    below: str


class Priority(IntEnum):
    """Which request goes first, over all windows of a user: whoever waits for it most. The lower number wins."""

    INLINE = 0
    NEXT_EDIT = 1
    AHEAD = 2  # nobody has asked yet: it ends as cancelled when anybody does
    REVIEW = 3


@dataclass(frozen=True)
class GenerateRequest:
    """Continue a prompt.

    ``heal`` lets the tokenizer take back the last tokens of the last text and constrains the first new tokens to spell
    the text that was taken back, so that a cursor inside a word costs nothing; the answer never repeats it.
    ``stop`` are texts that end the answer before themselves. ``budget_ms`` is wall-clock time from the engine's receipt:
    when it is spent, what there is comes back. With ``file`` the n-gram caches of the workspace and of that file are mixed
    with the model, token by token; without, the model speaks alone. ``ends`` names special tokens that end the answer besides
    the model's own. ``draft`` is a text that the answer probably repeats in part: it changes nothing but the time. ``chat``,
    (role, text) pairs, is asked in the checkpoint's chat format (`ModelInfo.chat`) in place of ``parts``. ``attention`` names
    what attention looks at; empty: what the engine was started with. ``turbo`` lets tokens leave early as calibrated.
    """

    parts: tuple[Part, ...]
    max_tokens: int
    heal: bool = True
    stop: tuple[str, ...] = ()
    budget_ms: float = 1000.0
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    file: OpenFile | None = None
    ends: tuple[str, ...] = ()
    draft: str = ""
    chat: tuple[tuple[str, str], ...] = ()
    attention: str = ""
    priority: Priority = Priority.INLINE
    turbo: bool = False


@dataclass(frozen=True)
class ScoreRequest:
    """How well does the model expect ``target`` after the prompt? Used by benchmarks; same healing and caches as generation."""

    parts: tuple[Part, ...]
    target: str
    heal: bool = True
    file: OpenFile | None = None


@dataclass(frozen=True)
class Score:
    """``bits`` of the target under the model, its length in UTF-8 bytes and in tokens; ``worst``: of its unlikeliest token."""

    bits: float
    bytes: int
    tokens: int
    worst: float = 0.0


@dataclass(frozen=True)
class MarkRequest:
    """Which lines change next? ``parts`` is a prompt of `assistant.edit_format.render`."""

    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Marks:
    """The probability, 0 to 1, that each line of the prompt's region changes; ``tokens`` were run in ``ms``."""

    chances: tuple[float, ...]
    tokens: int = 0
    ms: float = 0.0


@dataclass(frozen=True)
class Rewrite:
    """A text that may be written: ``asked`` is what comes before it (`assistant.edit_format.render_question`)."""

    asked: tuple[Part, ...]
    text: str


@dataclass(frozen=True)
class CompareRequest:
    """How well does the model expect each of ``rewrites`` after the same prompt? The prompt is run once."""

    parts: tuple[Part, ...]
    rewrites: tuple[Rewrite, ...]


@dataclass(frozen=True)
class Likelihood:
    """Natural-log probability of a text and of its end, and how many tokens these are."""

    logprob: float
    tokens: int


class Finish(str, Enum):
    """Why decoding ended."""

    END = "end"
    STOP = "stop"
    LENGTH = "length"
    BUDGET = "budget"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Chunk:
    """New text as it streams. ``logprobs`` has one natural-log probability for each token it took.

    Every chunk carries the phases' costs so far; the last one of an answer has ``finish``. What an engine cannot tell is left
    out: ``entropy`` is that of the model's own distribution of the first token (nats), ``exits[k]`` how many tokens left the
    model after layer k + 1, ``stop`` the Stop head's probability that what comes is not worth it, ``saved_tokens`` how many of
    the request's tokens were not decoded because of it.
    """

    text: str
    logprobs: tuple[float, ...] = ()
    finish: Finish | None = None
    prompt_tokens: int = 0
    reused_tokens: int = 0
    prefill_ms: float = 0.0
    decode_ms: float = 0.0
    entropy: float | None = None
    exits: tuple[int, ...] = ()
    stop: float | None = None
    saved_tokens: int | None = None


@dataclass(frozen=True)
class ModelInfo:
    """What the engine says of itself once its weights are loaded.

    ``specials`` are names for `Part`, ``layout`` is how it wants a hole in a file written (`assistant.completion.prompt`), and
    ``chat`` says whether it takes `GenerateRequest.chat`. ``note``: which setting this model does not follow, and what to do.
    """

    name: str
    family: str
    parameters: int
    context: int
    sha256: str
    quantization: str
    threads: int
    threads_reason: str
    load_ms: float
    specials: tuple[str, ...] = ()
    runner: str = ""
    layout: str = "sotto"
    chat: bool = False
    note: str = ""


class EngineError(Exception):
    """The engine cannot answer: it is loading, restarting, or has no usable model. The text is fit for the user."""


class TextModel(Protocol):
    """The one door to a model. Implementations: the client of the engine process, and an honest fake in tests."""

    @property
    def info(self) -> ModelInfo | None:
        """``None`` until weights are loaded."""

    def generate(self, request: GenerateRequest, cancel: Cancel) -> AsyncIterator[Chunk]:
        """Stream the continuation; ends after the chunk that has ``finish``. Raises `EngineError` when there is no engine.

        Setting ``cancel``, or closing the iterator, stops the decode within one layer's time.
        """

    async def score(self, request: ScoreRequest) -> Score:
        """Bits of a known continuation. Raises `EngineError`."""

    async def learn(self, key: str, text: str) -> None:
        """The workspace's n-gram cache holds ``text`` for the document ``key`` from now on, in place of what it held.

        Returns once the engine took it; it counts a little later. A request for that document itself (``file.key``) leaves
        it out. A new engine (the "ready" event) knows nothing: everything is sent again. Raises `EngineError`.
        """

    async def unlearn(self, key: str) -> None:
        """The cache forgets a document; nothing happens when it held none. Raises `EngineError`."""


class EditEngine(Protocol):
    """What next-edit prediction asks of a model. It gives way: whatever `TextModel.generate` asks goes first, and a request
    that was interrupted begins again. Each call raises `EngineError`, and `assistant.cancel.Cancelled` once ``cancel`` is set.
    """

    @property
    def info(self) -> ModelInfo | None:
        """``None`` until weights are loaded."""

    async def mark(self, request: MarkRequest, cancel: Cancel) -> Marks:
        """The lines that change."""

    async def compare(self, request: CompareRequest, cancel: Cancel) -> tuple[Likelihood, ...]:
        """One for each text that may be written."""

    async def write(self, request: GenerateRequest, cancel: Cancel) -> Chunk:
        """A whole answer in one piece."""


JsonObject = dict[str, Any]
