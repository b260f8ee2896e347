"""Where lines of a text are while the text is being edited: a pin moves with its lines, and is gone when one of them changes.

It never points at other text than it was set on. Knows offsets and texts, no comments.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Pin:
    """Whole lines ``[start, end)`` of a text, the end of the last one left out."""

    start: int
    end: int

    @classmethod
    def on(cls, text: str, first: int, last: int) -> Pin:
        """The lines from ``first`` to ``last``, both counted from 0; lines end with LF."""
        start = 0
        for _ in range(first):
            found = text.find("\n", start)
            if found < 0:
                break
            start = found + 1
        end = start - 1
        for _ in range(max(1, last - first + 1)):
            found = text.find("\n", end + 1)
            if found < 0:
                end = len(text)
                break
            end = found
        return cls(start, max(start, end - (text[end - 1 : end + 1] == "\r\n")))

    @classmethod
    def around(cls, text: str, start: int, end: int) -> Pin:
        """The lines that a span touches."""
        first = text.rfind("\n", 0, start) + 1
        last = text.find("\n", end)
        last = len(text) if last < 0 else last
        return cls(first, max(first, last - (text[last - 1 : last + 1] == "\r\n")))

    def after(self, text: str, start: int, end: int, new: str) -> Pin | None:
        """The pin once ``[start, end)`` of ``text``, the text before, has become ``new``; ``None`` if its lines changed."""
        if start == end and not new:
            return self
        if end < self.start or (end == self.start and _leaves_start(text, start, new)):
            shift = len(new) - (end - start)
            return Pin(self.start + shift, self.end + shift)
        if start > self.end or (start == self.end and _leaves_end(text, end, new)):
            return self
        return None


def _leaves_start(text: str, start: int, new: str) -> bool:
    """Whether what ends right before a line leaves the line's beginning one."""
    return new.endswith("\n") if new else start == 0 or text[start - 1] == "\n"


def _leaves_end(text: str, end: int, new: str) -> bool:
    """Whether what begins right behind a line leaves the line's end one."""
    rest = new or text[end : end + 2]
    return rest.startswith(("\n", "\r\n")) or not rest
