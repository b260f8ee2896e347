"""What the completion pipeline asks of a filter, and what it hears: plain values, cheap to import."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from assistant.types import Snapshot


class Kind(str, Enum):
    """What becomes of a suggestion."""

    OK = "ok"
    REPAIRED = "repaired"
    CUT = "cut"
    DROPPED = "dropped"


@dataclass(frozen=True)
class Edit:
    """Replace ``[start, end)`` of a suggestion's text."""

    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Verdict:
    """``text``: the suggestion to show, "" when there is none. ``reasons``: a sentence for each objection, for people.
    ``kinds``: the objections' kinds. ``edits``: what was repaired or cut off, in order and apart, in offsets of the text that
    was given.
    """

    kind: Kind
    text: str
    reasons: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    edits: tuple[Edit, ...] = ()


class Checker(Protocol):
    """A filter of suggestions."""

    def check(self, snapshot: Snapshot, start: int, end: int, text: str) -> Verdict:
        """Judge ``text`` in place of ``[start, end)`` of the snapshot's text. Never raises; no knowledge is no objection."""

    def forget(self, uri: str) -> None:
        """The document was closed."""
