"""The events of one suggestion's life, as frozen values: session, opportunity, impression, outcome.

Text ids are ULIDs made by the server. Times: ``*_ms`` are UTC milliseconds, ``mono_ms`` milliseconds of a monotonic clock
that orders events within a session. Nothing here holds source text, a path or an identifier of the user's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Session:
    """One run of the server with one client."""

    id: str
    pid: int
    client: str
    client_version: str
    server_version: str
    started_ms: int


@dataclass(frozen=True)
class SessionEnd:
    session: str
    ended_ms: int
    reason: str


@dataclass(frozen=True)
class Model:
    """A model that answered: ``id`` is its checkpoint's sha256."""

    id: str
    name: str
    quantization: str
    parameters: int


@dataclass(frozen=True)
class Opportunity:
    """One moment at which something could have been shown; hides and skips are rows as well.

    ``decision`` is show, hide, skip or suppressed_rule; ``reason`` is `assistant.types.Reason`'s word. ``propensity`` is the
    probability with which the policy in force took this decision. Timings are milliseconds of each phase.
    """

    id: str
    session: str
    ts_ms: int
    mono_ms: float
    kind: str = "inline"
    language: str = ""
    file_key: str = ""
    trigger: str = "automatic"
    model: str = ""
    gate: str = ""
    features: Mapping[str, float] = field(default_factory=dict)
    p1: float | None = None
    p2: float | None = None
    threshold: float | None = None
    decision: str = "hide"
    reason: str = ""
    propensity: float = 1.0
    explored: bool = False
    t_wait: float = 0.0
    t_context: float = 0.0
    t_prefill: float = 0.0
    t_decode: float = 0.0
    t_total: float = 0.0
    prompt_tokens: int = 0
    reused_tokens: int = 0
    new_tokens: int = 0
    cancelled: bool = False


@dataclass(frozen=True)
class Impression:
    """A suggestion that reached the user's eyes. ``how``: ``notified`` by the client, or ``inferred``."""

    id: str
    opportunity: str
    shown_ms: int
    mono_ms: float
    n_chars: int
    n_lines: int
    n_tokens: int = 0
    mean_logprob: float | None = None
    min_logprob: float | None = None
    rank: int = 0
    source: str = "model"
    how: str = "inferred"


@dataclass(frozen=True)
class Outcome:
    """What became of an impression; at most one final row each, a partial acceptance may precede it.

    ``kind``: accepted, accepted_word, accepted_line, rejected, typed_through, superseded, ignored, undone or censored.
    ``how``: ``command`` or ``notified`` by the client, or ``inferred`` from the text's changes.
    """

    impression: str
    kind: str
    ts_ms: int
    mono_ms: float
    visible_ms: float = 0.0
    accepted_chars: int = 0
    accepted_lines: int = 0
    how: str = "inferred"


Event = Session | SessionEnd | Model | Opportunity | Impression | Outcome
