"""How much of an accepted text still stands there later: after half a minute, two minutes and five.

Follows the place of each accepted text through the changes of its document, and compares only when it is time. Times are
milliseconds of a monotonic clock. Knows no editor and no outcome; a document that is closed first leaves no answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from assistant.ghost import difference

HORIZONS_S = (30, 120, 300)
_PIECES = re.compile(r"\w+|[^\S\n]+|\n|[^\w\s]")  # an indentation that changes costs itself, not its line
_STRAYED = 1500  # characters around its place in which a text is looked for once a large edit has swallowed it
_PAIRS = 40_000  # comparisons that take some 5 ms; longer texts are compared line by line


@dataclass(frozen=True)
class Retained:
    """Of ``accepted_chars`` that the impression ``suggestion`` gave, ``chars`` stand in the text ``horizon_s`` later."""

    suggestion: str
    horizon_s: int
    at_ms: float
    chars: int
    accepted_chars: int


class Watches:
    """The accepted texts of one session, each until its last horizon. Not thread-safe."""

    def __init__(self) -> None:
        self._documents: dict[str, _Document] = {}

    def add(self, suggestion: str, uri: str, text: str, accepted: str, span: tuple[int, int], at_ms: float) -> None:
        """``accepted`` came into ``text`` at ``[start, end)``, or comes there with the next change that touches it."""
        self.forget(suggestion)
        if not accepted:
            return
        document = self._documents.setdefault(uri, _Document(text))
        to_come = accepted not in text[slice(*span)]
        watch = _Watch(suggestion, accepted, *span, at_ms, to_come, to_come)
        if text != document.text:
            watch.move(*difference(text, document.text), len(document.text) - len(text))
        document.watches.append(watch)

    def changed(self, uri: str, text: str) -> None:
        document = self._documents.get(uri)
        if document is None or text == document.text:
            return
        first, last = difference(document.text, text)
        for watch in document.watches:
            watch.move(first, last, len(text) - len(document.text))
        document.text = text

    def due(self, now: float) -> list[Retained]:
        """The answers whose time has come."""
        found: list[Retained] = []
        for uri, document in list(self._documents.items()):
            for watch in document.watches:
                found += watch.answers(document.text, now)
            document.watches = [watch for watch in document.watches if watch.horizons]
            if not document.watches:
                del self._documents[uri]
        return found

    def forget(self, suggestion: str) -> None:
        """It was taken back at once: nothing was accepted."""
        for document in self._documents.values():
            document.watches = [watch for watch in document.watches if watch.suggestion != suggestion]

    def closed(self, uri: str) -> None:
        self._documents.pop(uri, None)


@dataclass
class _Watch:
    """``[start, end)`` holds what became of the accepted text. An open side takes in what is typed right there: the insertion
    that is still to come, or text that was deleted on that side and may come back.
    """

    suggestion: str
    accepted: str
    start: int
    end: int
    at_ms: float
    open_start: bool
    open_end: bool
    horizons: list[int] = field(default_factory=lambda: list(HORIZONS_S))

    def move(self, first: int, last: int, growth: int) -> None:
        """An edit replaced ``[first, last)`` and made the document ``growth`` longer. What it overlaps becomes part of it."""
        if last < self.start or (last == self.start and not self.open_start):
            self.start, self.end = self.start + growth, self.end + growth
        elif first < self.end or (first == self.end and self.open_end):
            self.open_start = first <= self.start
            self.open_end = last >= self.end
            self.start, self.end = min(self.start, first), max(self.end, last) + growth

    def answers(self, text: str, now: float) -> Iterator[Retained]:
        while self.horizons and now >= self.at_ms + self.horizons[0] * 1000:
            horizon = self.horizons.pop(0)
            chars = still_there(self.accepted, self._region(text))
            yield Retained(self.suggestion, horizon, self.at_ms + horizon * 1000, chars, len(self.accepted))

    def _region(self, text: str) -> str:
        """Its place; the middle of it, where a large edit (another branch, a formatter) has swallowed it."""
        start, end = self.start, self.end
        if end - start > len(self.accepted) + 2 * _STRAYED:
            start = max(start, (start + end - len(self.accepted)) // 2 - _STRAYED)
            end = start + len(self.accepted) + 2 * _STRAYED
        return text[start:end]


@dataclass
class _Document:
    text: str
    watches: list[_Watch] = field(default_factory=list)


def still_there(accepted: str, region: str) -> int:
    """Characters of ``accepted`` in the longest common sequence of words, signs and white space with ``region``."""
    if accepted in region:
        return len(accepted)
    here, there = _PIECES.findall(accepted), _PIECES.findall(region)
    if len(here) * len(there) > _PAIRS:
        here, there = accepted.splitlines(keepends=True), region.splitlines(keepends=True)
    best = [0] * (len(there) + 1)
    for piece in here:
        before = 0  # of the previous piece, one place to the left
        for place, other in enumerate(there, 1):
            above = best[place]
            best[place] = max(above, best[place - 1], before + len(piece) if piece == other else 0)
            before = above
    return best[-1]
