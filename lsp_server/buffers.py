"""The open documents, as the editor last described them. Knows texts and offsets; nothing of messages or positions.

pygls keeps such a mirror too, but ends lines at form feeds and U+2028 as well, which shifts every later position of a file
that holds one, and it raises on a change to a document that is not open. So this is the only copy.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from lsp_server.positions import Lines


@dataclass(frozen=True)
class Edit:
    """Replace ``[start, end)`` of a text, in code points, with ``text``."""

    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Buffer:
    """One open document at one moment. ``notebook`` is the URI of the notebook whose cell it is."""

    uri: str
    language: str
    text: str
    version: int | None = None
    notebook: str | None = None

    @cached_property
    def lines(self) -> Lines:
        return Lines(self.text)

    def edited(self, edit: Edit, version: int | None) -> Buffer:
        """The buffer after an edit; a missing ``version`` keeps the old one."""
        text = self.text[: edit.start] + edit.text + self.text[edit.end :]
        return replace(self, text=text, version=self.version if version is None else version)


class Buffers:
    """All open documents by URI."""

    def __init__(self) -> None:
        self._open: dict[str, Buffer] = {}

    def __iter__(self) -> Iterator[Buffer]:
        return iter(self._open.values())

    def get(self, uri: str) -> Buffer | None:
        return self._open.get(uri)

    def put(self, buffer: Buffer) -> None:
        self._open[buffer.uri] = buffer

    def close(self, uri: str) -> Buffer | None:
        return self._open.pop(uri, None)

    def cells(self, notebook: str) -> list[str]:
        """The URIs of a notebook's open cells."""
        return [buffer.uri for buffer in self._open.values() if buffer.notebook == notebook]


def difference(before: str, after: str) -> Edit:
    """The smallest single edit that turns one text into the other: for clients that send the whole text each time."""
    limit = min(len(before), len(after))
    start = _common(before, after, limit)
    end = _common(before[::-1], after[::-1], limit - start)
    return Edit(start, len(before) - end, after[start : len(after) - end])


def _common(a: str, b: str, limit: int) -> int:
    """Length of the common beginning, at most ``limit``; by halves, for a loop over characters is too slow here."""
    low, high = 0, limit
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
