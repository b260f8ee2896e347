"""One suggestion that was shown, and the facts that are told of it.

Holds what is known so far and names its end; when something ends, `assistant.outcomes` decides.
"""

from __future__ import annotations

from dataclasses import dataclass

from assistant.ghost import Ghost
from assistant.types import Suggestion

TYPED_SHARE = 0.8  # of the suggestion's characters
READ_MS, READ_BASE_MS, READ_CHAR_MS = 800.0, 300.0, 20.0  # before that it cannot have been read: the lesser of the two
PARTIAL = ("accepted_word", "accepted_line")


@dataclass(frozen=True)
class Seen:
    """A suggestion reached the user's eyes at ``at_ms``; ``how`` is notified (by the client) or inferred."""

    suggestion: Suggestion
    opportunity: str
    at_ms: float
    how: str


@dataclass(frozen=True)
class Ended:
    """An outcome, in the words of `telemetry.events.Outcome`.

    ``suggestion`` is the id of the impression (its first id). ``accepted_chars`` (code points) and ``accepted_lines`` say
    how much of the suggestion was in the text at its end, whoever put it there. ``final`` is false for a partial
    acceptance; every `Seen` is followed by exactly one final `Ended` once the document or the session ends.
    """

    suggestion: str
    kind: str
    how: str
    at_ms: float
    visible_ms: float
    accepted_chars: int
    accepted_lines: int
    final: bool = True


@dataclass(eq=False)
class Track:
    """One impression, or an answer whose display is not yet reported (``seen_ms`` None); decided once ``ended`` is set."""

    suggestion: Suggestion
    opportunity: str
    uri: str
    ghost: Ghost
    active_ms: float
    ids: list[str]
    seen_ms: float | None = None
    progress: int = 0
    taken: int = 0
    taken_how: str = "inferred"
    ended: Ended | None = None
    until: float = 0.0
    undo: str | None = None

    @property
    def total(self) -> int:
        return len(self.suggestion.inserted)

    def waiting(self) -> bool:
        """Whether the text may still stand on the screen."""
        return self.ended is None or self.ended.kind == "ignored"

    def touch(self, now: float) -> None:
        """The user acted on it, or was offered it again: the timeout starts anew."""
        self.active_ms = now
        if self.ended is not None and self.ended.kind == "ignored":
            self.ended = None

    def advance(self, progress: int, now: float) -> None:
        if progress != self.progress:
            self.progress = progress
            self.touch(now)

    def passive(self, kind: str) -> str:
        """The kind of an end without acceptance of the whole: what of it was taken or typed wins over ``kind``."""
        if self.taken:
            return self.partial_kind()
        return "typed_through" if self.progress >= TYPED_SHARE * max(self.total, 1) else kind

    def refused(self, now: float) -> str:
        """The kind of an end by other text: too soon after the display, it says nothing about the suggestion."""
        kind = self.passive("rejected")
        seen = now if self.seen_ms is None else self.seen_ms
        read_ms = min(READ_MS, READ_BASE_MS + READ_CHAR_MS * self.total)
        return "unread" if kind == "rejected" and now - seen < read_ms else kind

    @property
    def given(self) -> int:
        """How many of its characters came into the text."""
        return max(self.progress, self.taken)

    def partial_kind(self) -> str:
        head, rest = self.suggestion.inserted[: self.taken], self.suggestion.inserted[self.taken :]
        return "accepted_line" if head.endswith("\n") or rest.startswith(("\n", "\r\n")) else "accepted_word"

    def result(self, kind: str, how: str, at_ms: float, final: bool = True) -> Ended:
        chars = self.total if kind == "accepted" else self.given
        if final and kind in PARTIAL:
            how = self.taken_how
        lines = self.suggestion.inserted[:chars].count("\n") + 1 if chars else 0
        visible = at_ms - (at_ms if self.seen_ms is None else self.seen_ms)
        return Ended(self.suggestion.id, kind, how, at_ms, visible, chars, lines, final)
