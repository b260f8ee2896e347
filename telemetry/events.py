"""The events of one suggestion's life, as frozen values: session, opportunity, impression, outcome, retention.

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
class Gate:
    """A gate version that decides from now on: its parameters as JSON of numbers and short words, and its figures.

    ``n`` counts the rows it was fitted on.
    """

    id: str
    kind: str
    json: str
    created_ms: int
    n: int = 0
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Opportunity:
    """One moment at which something could have been shown; hides and skips are rows as well.

    ``decision`` is show, hide, skip or suppressed_rule; ``reason`` is `assistant.types.Reason`'s word. ``stage`` is the gate's
    stage that decided (1 before the model, 2 after it, 0 none), and ``threshold`` that stage's. ``p1`` and ``p2`` are the two
    stages' probabilities of acceptance, None where a stage was not reached. ``propensity`` is the probability with which the
    policy in force took this decision, ``explored`` that chance overruled a hide, ``draw`` the random number in [0, 1) that
    did (None where none was drawn). ``why`` is the gate's own word for its decision (`assistant.gate.policy.Decision`),
    ``rule`` the name of the rule behind a next edit or a review comment. at most ``saved_tokens`` more would have been
    decoded had no doubted token ended the answer, None where doubts end nothing. Timings are milliseconds of each phase.

    ``kind`` is inline, next_edit or review.
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
    feature_version: int = 0
    p1: float | None = None
    p2: float | None = None
    threshold: float | None = None
    stage: int = 0
    decision: str = "hide"
    reason: str = ""
    propensity: float = 1.0
    explored: bool = False
    draw: float | None = None
    t_wait: float = 0.0
    t_context: float = 0.0
    t_prefill: float = 0.0
    t_decode: float = 0.0
    t_total: float = 0.0
    prompt_tokens: int = 0
    reused_tokens: int = 0
    new_tokens: int = 0
    cancelled: bool = False
    why: str = ""
    rule: str = ""
    saved_tokens: int | None = None


@dataclass(frozen=True)
class Exits:
    """``tokens`` of an opportunity's answer left the model after ``layer`` (1 is the first); no rows where all layers ran."""

    opportunity: str
    layer: int
    tokens: int


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

    ``kind``: accepted, accepted_word, accepted_line, typed_through, rejected, unread (typed over before it can have been
    read), undone, superseded, ignored or censored; of a review comment accepted (its fix was applied), resolved (the user
    mended the line by hand), rejected (dismissed), superseded, ignored or censored. ``how``: ``command`` or ``notified`` by the
    client, or ``inferred`` from the text's changes. ``final`` is false while a partial acceptance may still grow.
    """

    impression: str
    kind: str
    ts_ms: int
    mono_ms: float
    visible_ms: float = 0.0
    accepted_chars: int = 0
    accepted_lines: int = 0
    how: str = "inferred"
    final: bool = True


@dataclass(frozen=True)
class Retention:
    """Of ``accepted_chars`` that an impression put into the text, ``retained_chars`` stand there ``horizon_s`` later."""

    impression: str
    horizon_s: int
    ts_ms: int
    mono_ms: float
    retained_chars: int
    accepted_chars: int


Event = Session | SessionEnd | Model | Gate | Opportunity | Exits | Impression | Outcome | Retention

LABELS: dict[str, tuple[int, float]] = {
    "accepted": (1, 1.0),
    "accepted_line": (1, 1.0),
    "accepted_word": (1, 1.0),
    "typed_through": (1, 1.0),
    "resolved": (1, 1.0),
    "rejected": (0, 1.0),
    "undone": (0, 1.0),
    "superseded": (0, 0.3),
    "ignored": (0, 0.3),
}
"""What a final outcome says about the user's will: taken or not, and how much of a judgement that was.

``unread`` and ``censored`` say nothing, and neither does an impression that has no final outcome yet.
"""
