"""The values of next-edit prediction: what was changed, what is known of the documents, and what might come next.

Offsets are code points; texts have the line ends that the editor sent. Knows no editor, no model and no store.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from assistant.cancel import Cancel


@dataclass(frozen=True)
class Document:
    """One text at one moment; ``version`` is the editor's, ``None`` for a file that is not open."""

    uri: str
    path: str
    language: str
    text: str
    version: int | None = None


@dataclass(frozen=True)
class Change:
    """One coalesced change of one document: ``[start, start + len(removed))`` of ``before`` became ``inserted``.

    ``before`` is the document's whole text before it. ``at`` counts seconds on the history's clock, at its last keystroke.
    ``accepted``: the text came from a suggestion that the user took.
    """

    uri: str
    before: str
    start: int
    removed: str
    inserted: str
    at: float
    accepted: bool = False

    @property
    def after(self) -> str:
        """The document's whole text after it."""
        return self.before[: self.start] + self.inserted + self.before[self.start + len(self.removed) :]


class Files(Protocol):
    """The rest of the workspace, as far as predictions need it. Every call is quick, and none raises."""

    def naming(self, identifier: str, limit: int = 32) -> Iterable[str]:
        """Paths of indexed files that hold this identifier."""

    def read(self, path: str) -> Document | None:
        """An indexed file's text, an open buffer's where there is one; ``None`` when it cannot be had."""


@dataclass(frozen=True)
class Scene:
    """All that a prediction is made from: the document with the cursor, the other open ones, and the latest changes.

    ``changes`` are the history's, the oldest first; the last one may be of another document than ``document``.
    ``files`` is ``None`` where nothing is indexed.
    """

    document: Document
    offset: int
    others: tuple[Document, ...] = ()
    changes: tuple[Change, ...] = ()
    files: Files | None = None

    def find(self, uri: str) -> Document | None:
        """The open document of that uri."""
        return next((one for one in (self.document, *self.others) if one.uri == uri), None)


@dataclass(frozen=True)
class Candidate:
    """A possible next edit: ``[start, end)`` of the document ``uri`` becomes ``text``.

    ``rule`` names its producer. ``support`` counts the changes of the history that speak for it, ``matches`` the places where
    the same rule proposes something now. ``features`` are the rule's own numbers for the ranker. ``why`` is one short sentence
    for the user.
    """

    uri: str
    start: int
    end: int
    text: str
    rule: str
    support: int = 1
    matches: int = 1
    features: Mapping[str, float] = field(default_factory=dict)
    why: str = ""


class Pattern(Protocol):
    """A producer: one module of `patterns`, found by its registry."""

    name: str

    def __call__(self, scene: Scene, cancel: Cancel) -> Iterable[Candidate]:
        """What this rule would change next, the likeliest first. Never raises; ends soon after ``cancel`` is set."""
