"""A scene in the edit format's terms: what was done as hunks of whole lines, and stretches of documents as regions.

Knows lines and characters. Does not know the model, or which stretch is worth a look (`windows`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from assistant.edit_format import HISTORY, REGION_LINES, Hunk, Region, split_lines
from assistant.edit_format import Change as RegionChange
from assistant.next_edit.types import Candidate, Change, Document, Scene

REGION_CHARACTERS = 1200
"""Of a region: an example had at most 1,500 with its history and its answer."""
LONGEST_LINE = 200
"""Longer lines were never learnt from, and one fills a region."""
PATH_PARTS = 4


@dataclass(frozen=True)
class Stretch:
    """Lines ``first`` to ``last`` - 1 of a document."""

    document: Document
    first: int
    last: int

    def region(self) -> Region:
        """The lines as the model reads them."""
        return Region(shown_path(self.document.path), tuple(lines_of(self.document)[self.first : self.last]))


def lines_of(document: Document) -> tuple[str, ...]:
    """Its lines, each ending in \n alone, the last one too."""
    return _lines(document.text)


@lru_cache(maxsize=32)
def _lines(text: str) -> tuple[str, ...]:
    return split_lines(text.replace("\r\n", "\n"))


def shown_path(path: str) -> str:
    return "/".join(path.replace("\\", "/").strip("/").split("/")[-PATH_PARTS:])


def hunk(change: Change, path: str) -> Hunk:
    """A change as the whole lines that it took and gave, without those that stayed at both ends."""
    begin = change.before.rfind("\n", 0, change.start) + 1
    end = change.start + len(change.removed)
    stop = change.before.find("\n", end) + 1 or len(change.before)
    old = change.before[begin:stop]
    new = change.before[begin : change.start] + change.inserted + change.before[end:stop]
    a, b = (list(split_lines(text.replace("\r\n", "\n"))) for text in (old, new))
    while a and b and a[0] == b[0]:
        del a[0], b[0]
    while a and b and a[-1] == b[-1]:
        del a[-1], b[-1]
    return Hunk(shown_path(path), "".join(a), "".join(b))


def history(scene: Scene) -> tuple[Hunk, ...]:
    """The last changes that the model is told, the oldest first."""
    paths = {one.uri: one.path for one in (scene.document, *scene.others)}
    found = [hunk(change, paths.get(change.uri, change.uri)) for change in scene.changes[-HISTORY:]]
    return tuple(one for one in found if one.old.strip() or one.new.strip())


def stretch(document: Document, lines: Sequence[str], middle: int, size: int = REGION_LINES) -> Stretch:
    """Up to ``size`` lines around line ``middle``, fewer where they are long."""
    first = last = max(0, min(middle, len(lines)))
    room = REGION_CHARACTERS
    grew = True
    while grew and last - first < size:
        grew = False
        for at in (last, first - 1):
            if last - first < size and 0 <= at < len(lines) and len(lines[at]) <= min(LONGEST_LINE, room):
                room -= len(lines[at])
                first, last = min(first, at), max(last, at + 1)
                grew = True
    return Stretch(document, first, last)


def line_of(text: str, offset: int) -> int:
    """The line, from 0, that an offset lies on."""
    return text.count("\n", 0, offset)


def as_lines(document: Document, candidate: Candidate) -> RegionChange:
    """A candidate as a change of whole lines of its document, smallest possible; ``start`` = ``end`` inserts."""
    text = document.text
    begin = text.rfind("\n", 0, candidate.start) + 1
    stop = text.find("\n", candidate.end) + 1 or len(text)
    if candidate.start == candidate.end == begin and candidate.text.endswith("\n"):
        stop = begin
    new = text[begin : candidate.start] + candidate.text + text[candidate.end : stop]
    a, b = (list(split_lines(piece.replace("\r\n", "\n"))) for piece in (text[begin:stop], new))
    start = line_of(text, begin)
    while a and b and a[0] == b[0]:
        del a[0], b[0]
        start += 1
    while a and b and a[-1] == b[-1]:
        del a[-1], b[-1]
    return RegionChange(start, start + len(a), "".join(b))
