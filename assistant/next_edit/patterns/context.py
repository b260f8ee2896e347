"""One call of the rules: the scene, its parsed texts and its composed edits, made once and shared by all of them.

Also what every rule needs to say its candidates: sites of one line become one edit, far too many are cut to the nearest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from assistant.cancel import Cancel
from assistant.next_edit.patterns.edits import Composed, Edit, compose
from assistant.next_edit.patterns.tokens import is_word, line_end, line_start, tokens
from assistant.next_edit.patterns.trees import Parsed, Trees
from assistant.next_edit.types import Candidate, Document, Scene
from assistant.text import common_suffix, first_difference

MAX_SITES = 24  # of one finding in one document, the nearest to the user
MAX_CHANGES = 40  # of the history, the latest
MAX_TEXT = 2_000_000  # characters of a document that is looked at


class Site(NamedTuple):
    """A place where a rule would write ``text``."""

    start: int
    end: int
    text: str


class LinePair(NamedTuple):
    """Lines of one edit, without line ends: ``old`` at ``old_start`` of the base became ``new`` at ``start`` of the text."""

    uri: str
    old: str
    new: str
    old_start: int
    start: int
    order: int


class Swapped(NamedTuple):
    """The user put the word ``new`` where ``old`` was. ``kept``: how much of the tokens of its lines stayed, 0 to 1; ``grown``:
    whether, apart from this word, its lines lost no character.
    """

    uri: str
    old: str
    new: str
    old_start: int
    start: int
    order: int
    kept: float
    grown: bool


class Context:
    """What the rules see. ``trees`` outlives the call."""

    def __init__(self, scene: Scene, cancel: Cancel, trees: Trees | None = None) -> None:
        self.scene = scene
        self.cancel = cancel
        self.trees = Trees() if trees is None else trees
        self._composed: dict[str, Composed] = {}

    @property
    def document(self) -> Document:
        return self.scene.document

    @cached_property
    def documents(self) -> tuple[Document, ...]:
        """The open documents, the current one first, each once."""
        every = {one.uri: one for one in (self.scene.document, *self.scene.others)}
        return tuple(one for one in every.values() if len(one.text) <= MAX_TEXT)

    def composed(self, document: Document) -> Composed:
        if document.uri not in self._composed:
            self._composed[document.uri] = compose(document, self.scene.changes[-MAX_CHANGES:])
        return self._composed[document.uri]

    @cached_property
    def edits(self) -> tuple[Edit, ...]:
        """What the user changed in the open documents, the latest first."""
        found = [edit for document in self.documents for edit in self.composed(document).edits()]
        return tuple(sorted(found, key=lambda edit: (-edit.order, edit.start)))

    @cached_property
    def last_order(self) -> int:
        return max((edit.order for edit in self.edits), default=-1)

    def edits_of(self, uri: str) -> list[Edit]:
        return [edit for edit in self.edits if edit.uri == uri]

    def now(self, document: Document) -> Parsed:
        """The document's tree as it is."""
        return self.trees.parsed(document)

    def before(self, document: Document) -> Parsed:
        """The document's tree before all changes."""
        return self.trees.parsed(document, self.composed(document).base)

    # -- views of the edits

    @cached_property
    def swapped(self) -> tuple[Swapped, ...]:
        """Words that stand in place of words, the latest first."""
        return tuple(
            Swapped(e.uri, e.removed, e.inserted, e.old_start, e.start, e.order, self.kept(e), self.has_grown(e))
            for e in self.edits
            if is_word(e.removed) and is_word(e.inserted)
        )

    def kept(self, edit: Edit) -> float:
        """The part of the tokens of an edit's line that no edit touched."""
        start, end = line_start(edit.text, edit.start), line_end(edit.text, edit.end)
        old_start, old_end = line_start(edit.base, edit.old_start), line_end(edit.base, edit.old_end)
        mine = [e for e in self.edits if e.uri == edit.uri]
        gone = sum(len(tokens(e.base, e.old_start, e.old_end)) for e in mine if old_start <= e.old_start < old_end)
        come = sum(len(tokens(e.text, e.start, e.end)) for e in mine if start <= e.start < end)
        every = max(len(tokens(edit.base, old_start, old_end)), len(tokens(edit.text, start, end)))
        # The renamed word itself counts as kept: a line may be that word alone.
        return min(1.0, max(0.0, 1.0 - (max(gone, come) - 1) / every)) if every else 0.0

    def has_grown(self, edit: Edit) -> bool:
        """Whether the other edits of its line only put something in."""
        start, end = line_start(edit.text, edit.start), line_end(edit.text, edit.end)
        beside = (e for e in self.edits_of(edit.uri) if e is not edit and start <= e.start <= end)
        return all(_only_adds(e.removed, e.inserted) for e in beside)

    @cached_property
    def line_pairs(self) -> tuple[LinePair, ...]:
        """Changed lines, one to one, the latest first."""
        return tuple(pair for document in self.documents for pair in self._pairs_of(document))

    def _pairs_of(self, document: Document) -> Iterator[LinePair]:
        seen: set[tuple[int, int]] = set()
        for edit in self.edits_of(document.uri):
            old_start, start = line_start(edit.base, edit.old_start), line_start(edit.text, edit.start)
            old_end, end = line_end(edit.base, edit.old_end), line_end(edit.text, edit.end)
            old, new = edit.base[old_start:old_end], edit.text[start:end]
            if "\n" in old or "\n" in new or (old_start, start) in seen:
                continue
            seen.add((old_start, start))
            yield LinePair(edit.uri, old, new, old_start, start, edit.order)

    # -- the user's hand

    def is_typing(self, uri: str, start: int, end: int) -> bool:
        """Whether the cursor is in or directly behind this word: it may be half of one."""
        return uri == self.document.uri and start <= self.scene.offset <= end

    def is_touched(self, document: Document, start: int, end: int) -> bool:
        """Whether the user changed any of ``[start, end)``."""
        return any(edit.start < end and edit.end > start for edit in self.edits_of(document.uri))

    def is_passed(self, document: Document, start: int, end: int, order: int) -> bool:
        """Whether the user has worked in the lines of ``[start, end)`` since the change of that order."""
        first, last = line_start(document.text, start), line_end(document.text, end)
        return any(first <= edit.start <= last and edit.order > order for edit in self.edits_of(document.uri))

    # -- saying it

    def candidates(
        self,
        rule: str,
        document: Document,
        sites: Iterable[Site],
        why: str,
        support: int = 1,
        features: Mapping[str, float] | None = None,
    ) -> list[Candidate]:
        """One candidate a line, the nearest where there are too many. ``matches`` counts the lines before that."""
        text = document.text
        merged = merge(text, sorted({site for site in sites if text[site.start : site.end] != site.text}))
        total = len(merged)
        if total > MAX_SITES:
            place = self.scene.offset if document.uri == self.document.uri else 0
            merged = sorted(sorted(merged, key=lambda s: abs(s.start - place))[:MAX_SITES])
        return [
            Candidate(document.uri, s.start, s.end, s.text, rule, support, total, dict(features or {}), why) for s in merged
        ]


def _only_adds(old: str, new: str) -> bool:
    head = first_difference(old, new)
    return head + common_suffix(old, new, head) >= len(old)


def merge(text: str, sites: Sequence[Site]) -> list[Site]:
    """Sites of one line as one; a site that overlaps the one before it is left out."""
    found: list[Site] = []
    for site in sites:
        last = found[-1] if found else None
        if last is None or "\n" in text[last.end : site.start]:
            found.append(site)
        elif site.start >= last.end:
            found[-1] = Site(last.start, site.end, last.text + text[last.end : site.start] + site.text)
    return found
