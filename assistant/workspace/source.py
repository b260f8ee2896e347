"""A text and its UTF-8 bytes, with exact conversion between offsets in one and in the other.

tree-sitter counts bytes, the rest of the house counts code points. Plain ASCII, the usual case, costs nothing.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node

_RUN = re.compile(r"[^\x00-\x7f]{1,64}")  # short runs: an offset inside one is found by decoding it


def encode(text: str) -> bytes:
    """UTF-8; a lone surrogate is one wrong character, not an exception."""
    return text.encode("utf-8", "replace")


class Source:
    """``text`` as given; ``data`` its bytes."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.data = encode(text)
        self.ascii = len(self.data) == len(text)
        self._chars: list[int] = []  # for each run: where it starts and ends, in code points and in bytes
        self._char_ends: list[int] = []
        self._bytes: list[int] = []
        self._byte_ends: list[int] = []
        if not self.ascii:
            self._find_runs()

    def _find_runs(self) -> None:
        extra = 0
        for run in _RUN.finditer(self.text):
            self._chars.append(run.start())
            self._char_ends.append(run.end())
            self._bytes.append(run.start() + extra)
            extra += len(encode(run.group())) - (run.end() - run.start())
            self._byte_ends.append(run.end() + extra)

    def char(self, byte: int) -> int:
        """The code point offset of a byte offset; one inside a character is that character's."""
        if self.ascii:
            return byte
        i = bisect_right(self._bytes, byte) - 1
        if i < 0:
            return byte
        if byte >= self._byte_ends[i]:
            return self._char_ends[i] + byte - self._byte_ends[i]
        return self._chars[i] + len(self.data[self._bytes[i] : byte].decode("utf-8", "ignore"))

    def byte(self, char: int) -> int:
        """The byte offset of a code point offset."""
        if self.ascii:
            return char
        i = bisect_right(self._chars, char) - 1
        if i < 0:
            return char
        if char >= self._char_ends[i]:
            return self._byte_ends[i] + char - self._char_ends[i]
        return self._bytes[i] + len(encode(self.text[self._chars[i] : char]))

    def slice(self, start: int, end: int) -> str:
        """The text between two byte offsets."""
        if self.ascii:
            return self.text[start:end]
        return self.text[self.char(start) : self.char(end)]

    def of(self, node: Node | None) -> str:
        """The text of a node; "" for none."""
        return "" if node is None else self.slice(node.start_byte, node.end_byte)
