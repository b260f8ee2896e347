"""What next-edit prediction answers, and what it is told: plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from assistant.next_edit.place import Edit, smallest
from assistant.next_edit.types import Candidate, Document
from assistant.types import Reason, Snapshot, Source, Suggestion


class Reach(str, Enum):
    """What an edit may be: an insertion at the cursor alone, any of the document asked for, of all open ones, or also of files
    that the editor has to open first.
    """

    CURSOR = "cursor"
    HERE = "here"
    OPEN = "open"
    ALL = "all"


@dataclass(frozen=True)
class Prediction:
    """The next edit: ``edit`` of ``document``, whose text it was made for or has moved along with."""

    id: str
    document: Document
    edit: Edit
    rule: str = ""
    why: str = ""
    probability: float = 0.0
    threshold: float = 0.0
    at_cursor: bool = False
    features: dict[str, float] = field(default_factory=dict)

    @property
    def target(self) -> str:
        """The document's text once it is taken."""
        return self.edit.apply(self.document.text)

    def insertion(self, snapshot: Snapshot) -> str | None:
        """Its text, where it only inserts at the snapshot's cursor."""
        if self.document.uri != snapshot.uri or self.document.text != snapshot.text:
            return None
        core = smallest(self.edit, snapshot.text)
        return core.text if core.start == core.end == snapshot.offset else None

    def suggestion(self) -> Suggestion:
        """The same as the record of suggestions knows them."""
        edit = self.edit
        return Suggestion(self.id, edit.text, edit.text, edit.start, edit.end, Source.MODEL, None)


@dataclass(frozen=True)
class Left:
    """A candidate that another one was preferred to: for the next answer, where its document changes by that one only."""

    document: Document
    edit: Edit
    candidate: Candidate


@dataclass(frozen=True)
class Answer:
    """What became of one request. ``p`` and ``threshold`` are of the best candidate, where there was one; ``left``: what
    else was probable.
    """

    reason: Reason
    prediction: Prediction | None = None
    p: float | None = None
    threshold: float | None = None
    features: dict[str, float] = field(default_factory=dict)
    total_ms: float = 0.0
    left: tuple[Left, ...] = ()


@dataclass(frozen=True)
class Step:
    """One of the edits that a change consists of: ``[start, end)`` of ``before`` was replaced, which gave ``after``."""

    before: str
    after: str
    start: int
    end: int
