"""The gate at work on one client: each opportunity is a `Case` that gathers features and goes through the policy's stages.

Holds the history, and what was offered until its outcome is heard. Knows sites and suggestions, no model and no store.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from assistant.completion.context import Site
from assistant.gate.features import VERSION, of_place, of_text
from assistant.gate.history import History
from assistant.gate.policy import Decision, Policy
from assistant.gate.rows import GateRow, target
from assistant.types import Reason, Ruling, Suggestion, Trigger

_REMEMBERED = 200  # offers whose outcome may still come
_KEYSTROKE = 2  # characters: a letter, or a bracket and the closer that the editor adds; more at once was not typed


@dataclass(frozen=True)
class _Offer:
    suggestion: Suggestion
    path: str
    offset: int
    line: str
    invoked: bool
    decision: Decision | None


class Weigher:
    """One client's gate: the policy (``None`` gates nothing), the past, and the offers. Not thread-safe."""

    def __init__(self, policy: Policy | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock`` gives seconds that never go back."""
        self.policy, self.history, self.clock = policy, History(), clock
        self.hidden = 0
        self.last: Decision | None = None
        self._offers: dict[str, _Offer] = {}

    def case(self, site: Site, trigger: Trigger, several: bool, popup: bool) -> Case:
        """One more request at ``site``."""
        return Case(self, site, trigger, of_place(site, trigger, several, popup, self.history, self.clock()))

    def typed(self, chars: int) -> None:
        """A document grew by ``chars`` characters in one change."""
        if 0 < chars <= _KEYSTROKE:
            self.history.typed(self.clock(), chars)

    def shown(self, id: str) -> None:
        """The suggestion ``id`` came before the user's eyes."""
        offer = self._offers.get(id)
        if offer is not None:
            self.history.shown(self.clock(), offer.path, offer.offset, offer.line)

    def ended(self, id: str, kind: str, visible_ms: float) -> bool:
        """The final outcome of a display, in the words of `telemetry.events.Outcome`. Whether one can learn from it."""
        offer = self._offers.pop(id, None)
        if offer is None:
            return False
        text = offer.suggestion.inserted
        label = target(GateRow(id, 0, {}, outcome=kind, visible_ms=visible_ms, n_chars=len(text)))
        if label is None:
            return False
        self.history.ended(self.clock(), text, *label)
        if self.policy is not None and offer.decision is not None and not offer.invoked:
            self.policy.ended(offer.decision, *label)
        return not offer.invoked

    def offer(self, offer: _Offer) -> None:
        self._offers[offer.suggestion.id] = offer
        if len(self._offers) > _REMEMBERED:
            del self._offers[next(iter(self._offers))]


class Case:
    """One opportunity: `runs` before the model, `tells` once there is a text, `shows` when it passed the quality floor."""

    def __init__(self, weigher: Weigher, site: Site, trigger: Trigger, features: dict[str, float]) -> None:
        self.features = features
        self._weigher, self._site, self._invoked = weigher, site, trigger is Trigger.INVOKED
        self._gate = weigher.policy.gate.id if weigher.policy else ""
        self._one: Decision | None = None
        self._two: Decision | None = None

    def runs(self) -> bool:
        """Stage one: whether a run of the model is worth it."""
        self._weigher.history.opportunity(self._weigher.clock())
        if self._weigher.policy is not None:
            self._one = self._noted(self._weigher.policy.before(self.features, self._invoked))
        return self._one is None or self._one.action == "show"

    def tells(self, suggestion: Suggestion, age_ms: float | None, signals: Mapping[str, float] = MappingProxyType({})) -> None:
        """There is a text, asked for ``age_ms`` ago (``None``: by an earlier request). ``signals``: see `features.signals`."""
        self.features |= of_text(self._site, suggestion, self._weigher.history, age_ms, signals)

    def shows(self, standing: bool) -> bool:
        """Stage two: whether the text is worth the user's glance. ``standing``: the user is looking at it already."""
        policy = self._weigher.policy
        if policy is None:
            return True
        if self._one is None:  # the text was there before the question
            if not standing:
                self._weigher.history.opportunity(self._weigher.clock())
            self._one = policy.standing("one", self.features)
        if standing:
            self._two = policy.standing("two", self.features)
        else:
            self._two = self._noted(policy.after(self.features, self._invoked, self._one))
        return self._two.action == "show"

    def offered(self, suggestion: Suggestion) -> None:
        """``suggestion`` goes to the user; its outcome will be heard by its id."""
        site = self._site
        self._weigher.offer(_Offer(suggestion, site.path, site.offset, site.line_before, self._invoked, self._two))

    def ruling(self, reason: Reason) -> Ruling | None:
        """What is recorded of an opportunity that ended with ``reason``."""
        if self._one is None:
            return None
        one, two = self._one, self._two
        decided = reason in (Reason.SHOWN, Reason.GATED_HIDE, Reason.GATED_SKIP)
        last, stage = (one, 1) if two is None or one.reason in ("explored", "silence") else (two, 2)
        return Ruling(
            gate=self._gate,
            feature_version=VERSION,
            p1=one.p,
            p2=two.p if two else None,
            threshold=last.threshold,
            stage=stage,
            propensity=last.propensity if decided else 1.0,
            explored=last.explored and decided,
            draw=last.draw,
            why=last.reason,
        )

    def _noted(self, decision: Decision) -> Decision:
        self._weigher.last = decision
        self._weigher.hidden += decision.action != "show"
        return decision
