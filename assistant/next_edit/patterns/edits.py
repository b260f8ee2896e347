"""What the history's changes come to by now: composed edits, each with its place before all of them and its place today.

Multi-keystroke changes of one place are one edit, one that was undone is none. Knows text only, no syntax.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from assistant.next_edit.patterns.pieces import Piece, pieces
from assistant.next_edit.patterns.tokens import line_start
from assistant.next_edit.types import Change, Document
from assistant.text import common_suffix, first_difference


@dataclass(frozen=True)
class Edit:
    """``[old_start, old_end)`` of ``base`` is ``[start, end)`` of ``text`` now. ``order``: the index of its latest change."""

    uri: str
    base: str
    text: str
    old_start: int
    old_end: int
    start: int
    end: int
    order: int
    accepted: bool = False

    @property
    def removed(self) -> str:
        return self.base[self.old_start : self.old_end]

    @property
    def inserted(self) -> str:
        return self.text[self.start : self.end]


@dataclass
class _Region:
    """``[old_start, old_end)`` of the base is ``[start, end)`` so far. ``order`` < 0: nobody of the history wrote it."""

    old_start: int
    old_end: int
    start: int
    end: int
    order: int
    accepted: bool


class Composed:
    """The changes of one document put together, and where the rest of its base text is now."""

    def __init__(self, document: Document, changes: Sequence[tuple[int, Change]]) -> None:
        self.uri = document.uri
        self.text = document.text
        self.base = changes[0][1].before if changes else document.text
        self._regions: list[_Region] = []
        now = self.base
        for order, change in changes:
            self._bridge(now, change.before)
            self._apply(change.start, len(change.removed), len(change.inserted), order, change.accepted)
            now = change.after
        self._bridge(now, self.text)
        self.pieces = self._refined()
        self._starts = [piece.old_start for piece, _ in self.pieces]

    def _refined(self) -> list[tuple[Piece, _Region]]:
        """The regions without what stayed the same in them."""
        found: list[tuple[Piece, _Region]] = []
        for r in self._lines():
            parts = pieces(self.base[r.old_start : r.old_end], self.text[r.start : r.end])
            found.extend((part.moved(r.old_start, r.start), r) for part in parts)
        return found

    def _lines(self) -> list[_Region]:
        """The regions up to the ends of their lines; two in one line are one. A pause in the middle of a word, or which of two
        equal line ends was deleted, makes no difference then.
        """
        found: list[_Region] = []
        for region in self._regions:
            r = replace(region)
            head = r.old_start - line_start(self.base, r.old_start)
            if found and r.old_start - head < found[-1].old_end:
                last = found.pop()
                order = max(last.order, r.order)
                r = _Region(last.old_start, r.old_end, last.start, r.end, order, last.accepted and r.accepted)
            else:
                r.old_start, r.start = r.old_start - head, r.start - head
            found.append(r)
            if not (self._is_line(self.base, r.old_end) and self._is_line(self.text, r.end)):
                stop = self.base.find("\n", r.old_end) + 1 or len(self.base)
                r.old_end, r.end = stop, r.end + stop - r.old_end
        return found

    @staticmethod
    def _is_line(text: str, offset: int) -> bool:
        return offset == 0 or text[offset - 1] == "\n"

    def _bridge(self, now: str, then: str) -> None:
        """Something nobody told of came between, such as an undo: its place is followed, but it is no edit."""
        if now == then:
            return
        start = first_difference(now, then)
        tail = common_suffix(now, then, start)
        self._apply(start, len(now) - tail - start, len(then) - tail - start, -1, False)

    def _apply(self, start: int, removed: int, inserted: int, order: int, accepted: bool) -> None:
        end, grown = start + removed, inserted - removed
        before = [r for r in self._regions if r.end < start]
        hit = [r for r in self._regions if r.end >= start and r.start <= end]
        after = [r for r in self._regions if r.start > end]
        shift = before[-1].old_end - before[-1].end if before else 0
        if hit:
            first, last = hit[0], hit[-1]
            new = _Region(
                first.old_start + min(0, start - first.start),
                last.old_end + max(0, end - last.end),
                min(first.start, start),
                max(last.end, end) + grown,
                max(order, *(r.order for r in hit)) if order >= 0 else -1,
                accepted,
            )
        else:
            new = _Region(start + shift, end + shift, start, end + grown, order, accepted)
        for region in after:
            region.start += grown
            region.end += grown
        self._regions = [*before, new, *after]

    def edits(self) -> list[Edit]:
        """What the user changed, in the order of the text, never less than a token."""
        return [
            Edit(self.uri, self.base, self.text, piece.old_start, piece.old_end, piece.start, piece.end, r.order, r.accepted)
            for piece, r in self.pieces
            if r.order >= 0
        ]

    def now(self, start: int, end: int) -> int | None:
        """Where ``[start, end)`` of the base begins today; ``None`` if any of it was changed."""
        i = bisect_right(self._starts, start) - 1
        if i + 1 < len(self.pieces) and self.pieces[i + 1][0].old_start < end:
            return None
        if i < 0:
            return start
        piece = self.pieces[i][0]
        return None if start < piece.old_end else start + piece.end - piece.old_end


def compose(document: Document, changes: Iterable[Change]) -> Composed:
    """The changes of this document among a history's."""
    return Composed(document, [(i, change) for i, change in enumerate(changes) if change.uri == document.uri])
