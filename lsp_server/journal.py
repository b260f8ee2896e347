"""What happened -> the store: opportunities as they are answered, impressions and outcomes as the tracker decides them.

Nothing here waits for a disk or sees source text leave: events hold numbers. Switched off, it forgets and writes nothing.
"""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from assistant.impression import Ended, Seen
from assistant.outcomes import Fact, OutcomeTracker
from assistant.retained import Retained
from assistant.types import Completion, ModelInfo, Reason, Ruling, Snapshot, Suggestion
from lsp_server.comment_rows import comment_rows
from telemetry.events import Event, Exits, Gate, Impression, Model, Opportunity, Outcome, Retention, Session, SessionEnd

if TYPE_CHECKING:
    from assistant.review.rank import Comment

DECISION = {
    Reason.SHOWN: "show",
    Reason.UNSURE: "hide",
    Reason.GATED_HIDE: "hide",
    Reason.GATED_SKIP: "skip",
    Reason.DISABLED: "suppressed_rule",
    Reason.EXCLUDED: "suppressed_rule",
    Reason.LANGUAGE: "suppressed_rule",
    Reason.SKIPPED: "suppressed_rule",
}
"""Every other reason is a ``skip``: nothing was decided about a suggestion."""


NO_GATE = Ruling()
REMEMBERED = 1000  # suggestions whose kind is known when their display is reported
KINDS = ("inline", "next_edit")
RULE = "rule:"
"""A feature of this name says which rule a next edit is of."""
"""Each is followed by itself: a client may report the displays of one only, and both may stand on the screen."""


class Store(Protocol):
    """What the journal needs of `telemetry.store.Store`."""

    def record(self, event: Event) -> None:
        """Queue an event; returns at once."""

    def file_key(self, path: str) -> str:
        """A name for a path that only this installation can make."""


class Journal:
    """One session's events. Call from the event loop's thread only."""

    def __init__(
        self,
        store: Store,
        new_id: Callable[[], str],
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        listen: Callable[[Fact], None] | None = None,
    ) -> None:
        """``listen`` hears every fact as it is written down; the gate's memory of the last outcomes is fed from there."""
        self._store = store
        self._new_id = new_id
        self._monotonic = monotonic
        self._wall = wall
        self._listen = listen
        self._trackers = {kind: OutcomeTracker() for kind in KINDS}
        self._kinds: OrderedDict[str, str] = OrderedDict()
        self._session = new_id()
        self._model = ""
        self._comments: dict[str, float] = {}

    def begin(self, client: str, client_version: str, server_version: str) -> None:
        self._store.record(Session(self._session, os.getpid(), client, client_version, server_version, self._ts()))

    def model(self, info: ModelInfo) -> None:
        """Answers come from this model from now on."""
        self._model = info.sha256
        self._store.record(Model(info.sha256, info.name, info.quantization, info.parameters))

    def gate(self, id: str, kind: str, json: str, n: int = 0, metrics: Mapping[str, float] | None = None) -> None:
        """This gate decides from now on: its parameters as JSON, how many rows it was fitted on, its figures."""
        self._store.record(Gate(id, kind, json, self._ts(), n, metrics or {}))

    def answered(self, snapshot: Snapshot, completion: Completion, kind: str = "inline") -> None:
        """One opportunity, with or without a suggestion. An excluded file leaves no name, not even a keyed one.

        Of a next edit (``kind`` next_edit) the snapshot is of the edit's document, the cursor where it begins.
        """
        opportunity = self._opportunity(snapshot, completion, kind)
        self._store.record(opportunity)
        for layer, tokens in enumerate(completion.exits, 1):
            if tokens:
                self._store.record(Exits(opportunity.id, layer, tokens))
        if completion.suggestion is not None:
            self._name(completion.suggestion.id, kind)
            self._write(self._trackers[kind].offered(snapshot, completion.suggestion, opportunity.id, self._mono()))

    def changed(self, uri: str, text: str) -> None:
        self._tell(lambda tracker: tracker.changed(uri, text, self._mono()))

    def closed(self, uri: str) -> None:
        self._tell(lambda tracker: tracker.closed(uri, self._mono()))

    def shown(self, id: str) -> None:
        self._write(self._trackers[self._kinds.get(id, "inline")].shown(id, self._mono()))

    def accepted(self, id: str) -> None:
        self._tell(lambda tracker: tracker.accepted(id, self._mono()))

    def rejected(self, id: str) -> None:
        self._tell(lambda tracker: tracker.rejected(id, self._mono()))

    def commented(self, id: str, comment: Comment, file: str, automatic: bool) -> None:
        """A review's comment: shown as the impression ``id``, or, without one, hidden. ``file``: its repository and path."""
        now = self._mono()
        made = comment_rows(comment, self._new_id(), self._session, self._store.file_key(file), id, automatic, self._ts(), now)
        for event in made:
            self._store.record(event)
        if id:
            self._comments[id] = now

    def comment_ended(self, id: str, kind: str, how: str) -> None:
        """What became of a comment, in the words of `telemetry.events.Outcome`."""
        now, since = self._mono(), self._comments.pop(id, None)
        if since is not None:
            self._store.record(Outcome(id, kind, self._ts(), now, visible_ms=now - since, how=how))

    def partially_accepted(self, id: str, chars: int) -> None:
        """``chars`` code points of the suggestion's whole text, counted from its beginning."""
        self._tell(lambda tracker: tracker.partially_accepted(id, chars, self._mono()))

    def tick(self) -> None:
        """Call about once a second: outcomes that only time decides."""
        self._tell(lambda tracker: tracker.tick(self._mono()))

    def end(self, reason: str) -> None:
        self._tell(lambda tracker: tracker.finish(self._mono()))
        self._store.record(SessionEnd(self._session, self._ts(), reason))

    def _opportunity(self, snapshot: Snapshot, completion: Completion, kind: str) -> Opportunity:
        ruling = completion.ruling or NO_GATE
        times, excluded = completion.timings, completion.reason is Reason.EXCLUDED
        return Opportunity(
            id=self._new_id(),
            session=self._session,
            ts_ms=self._ts(),
            mono_ms=self._mono(),
            kind=kind,
            language="" if excluded else snapshot.language,
            file_key="" if excluded or snapshot.path is None else self._store.file_key(_inside(snapshot)),
            trigger=snapshot.trigger.value,
            model=self._model,
            gate=ruling.gate,
            features=completion.features,
            feature_version=ruling.feature_version,
            p1=ruling.p1,
            p2=ruling.p2,
            threshold=ruling.threshold,
            stage=ruling.stage,
            decision=DECISION.get(completion.reason, "skip"),
            reason=completion.reason.value,
            propensity=ruling.propensity,
            explored=ruling.explored,
            draw=ruling.draw,
            t_wait=times.wait,
            t_context=times.context,
            t_prefill=times.prefill,
            t_decode=times.decode,
            t_total=times.total,
            prompt_tokens=completion.prompt_tokens,
            reused_tokens=completion.reused_tokens,
            new_tokens=completion.new_tokens,
            cancelled=completion.reason in (Reason.CANCELLED, Reason.SUPERSEDED),
            why=ruling.why,
            rule=next((name[len(RULE) :] for name in completion.features if name.startswith(RULE)), ""),
            saved_tokens=completion.saved_tokens,
        )

    def _name(self, id: str, kind: str) -> None:
        self._kinds[id] = kind
        while len(self._kinds) > REMEMBERED:
            self._kinds.popitem(last=False)

    def _tell(self, news: Callable[[OutcomeTracker], list[Fact]]) -> None:
        for tracker in self._trackers.values():
            self._write(news(tracker))

    def _write(self, facts: list[Fact]) -> None:
        for fact in facts:
            self._store.record(self._event(fact))
            if self._listen is not None:
                self._listen(fact)

    def _event(self, fact: Fact) -> Event:
        if isinstance(fact, Seen):
            return self._impression(fact)
        return self._outcome(fact) if isinstance(fact, Ended) else self._retention(fact)

    def _impression(self, fact: Seen) -> Impression:
        shown, confidence = fact.suggestion, fact.suggestion.confidence
        return Impression(
            id=shown.id,
            opportunity=fact.opportunity,
            shown_ms=self._ts(fact.at_ms),
            mono_ms=fact.at_ms,
            n_chars=len(shown.inserted),
            n_lines=_lines(shown),
            n_tokens=confidence.tokens if confidence else 0,
            mean_logprob=confidence.mean_logprob if confidence else None,
            min_logprob=confidence.min_logprob if confidence else None,
            source=shown.source.value,
            how=fact.how,
        )

    def _outcome(self, fact: Ended) -> Outcome:
        return Outcome(
            impression=fact.suggestion,
            kind=fact.kind,
            ts_ms=self._ts(fact.at_ms),
            mono_ms=fact.at_ms,
            visible_ms=fact.visible_ms,
            accepted_chars=fact.accepted_chars,
            accepted_lines=fact.accepted_lines,
            how=fact.how,
            final=fact.final,
        )

    def _retention(self, fact: Retained) -> Retention:
        return Retention(
            impression=fact.suggestion,
            horizon_s=fact.horizon_s,
            ts_ms=self._ts(fact.at_ms),
            mono_ms=fact.at_ms,
            retained_chars=fact.chars,
            accepted_chars=fact.accepted_chars,
        )

    def _mono(self) -> float:
        return self._monotonic() * 1000

    def _ts(self, mono_ms: float | None = None) -> int:
        """UTC milliseconds now, or at a moment of the monotonic clock."""
        past = 0.0 if mono_ms is None else self._mono() - mono_ms
        return int(self._wall() * 1000 - past)


def _inside(snapshot: Snapshot) -> str:
    """The file's path from its workspace folder's name on: a checkout that moves keeps its keys, two projects share none."""
    path, root = (snapshot.path or "").replace("\\", "/"), (snapshot.root or "").replace("\\", "/").rstrip("/")
    return path.removeprefix(root[: root.rfind("/") + 1]) if root else path


def _lines(suggestion: Suggestion) -> int:
    return suggestion.inserted.count("\n") + 1
