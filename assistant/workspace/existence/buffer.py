"""The file being edited, with a suggestion in it: its tree, re-parsed where it changed, and its outline, re-read where it
changed.

One object a document; serves one thread at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from assistant.workspace import languages
from assistant.workspace.existence.outline import Outline, is_dynamic, read_block
from assistant.workspace.parsing import parse
from assistant.workspace.source import Source

if TYPE_CHECKING:
    from tree_sitter import Node, Parser, Tree

MAX_CHARS = 250_000
MAX_PIECES = 4_000


@dataclass(frozen=True)
class Page:
    """A text as it would be. ``hole``: the bytes that the suggestion takes."""

    source: Source
    root: Node
    outline: Outline
    hole: tuple[int, int]

    def covers(self, node: Node) -> bool:
        """Whether the suggestion wrote any of the node."""
        return node.start_byte < self.hole[1] and node.end_byte > self.hole[0]

    @property
    def rest(self) -> bytes:
        """The text without the suggestion."""
        data = self.source.data
        return data[: self.hole[0]] + b" " + data[self.hole[1] :]


class Reparsed:
    """The tree of one document, parsed anew only where its text has changed."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._parser: Parser | None = languages.parser(language)
        self._source: Source | None = None
        self._tree: Tree | None = None

    def read(self, text: str) -> tuple[Source, Tree] | None:
        """The tree of ``text``; ``None`` for one that is not read."""
        if self._parser is None or len(text) > MAX_CHARS:
            return None
        source = Source(text)
        tree = parse(self._parser, source.data, self._edited(source))
        self._source, self._tree = source, tree
        return (source, tree) if tree is not None else None

    def _edited(self, new: Source) -> Tree | None:
        """The last tree, told what has changed since."""
        old, tree = self._source, self._tree
        if old is None or tree is None:
            return None
        start = _common(old.data, new.data)
        same = _common(old.data[start:][::-1], new.data[start:][::-1])
        ends = len(old.data) - same, len(new.data) - same
        tree.edit(start, *ends, _point(old.data, start), _point(old.data, ends[0]), _point(new.data, ends[1]))
        return tree


class Buffer:
    """Keeps what was read of one Python document."""

    language = "python"

    def __init__(self) -> None:
        self._trees = Reparsed(self.language)
        self._pieces: dict[bytes, Outline] = {}

    def page(self, text: str, start: int, end: int) -> Page | None:
        """``text`` with the suggestion at ``[start, end)`` (code points) in it; ``None`` for one that is not read."""
        read = self._trees.read(text)
        if read is None:
            return None
        source, tree = read
        hole = source.byte(start), source.byte(end)
        return Page(source, tree.root_node, self._outline(tree.root_node, source), hole)

    def _outline(self, root: Node, source: Source) -> Outline:
        whole = Outline()
        if len(self._pieces) > MAX_PIECES:
            self._pieces.clear()
        for child in root.named_children:
            key = source.data[child.start_byte : child.end_byte]
            piece = self._pieces.get(key)
            if piece is None:
                piece = self._pieces[key] = Outline(dynamic=is_dynamic(key))
                read_block([child], source, piece)
            whole.take(piece)
        return whole


def _point(data: bytes, byte: int) -> tuple[int, int]:
    return data.count(b"\n", 0, byte), byte - (data.rfind(b"\n", 0, byte) + 1)


def _common(a: bytes, b: bytes) -> int:
    """How many bytes both begin with."""
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        if a[:middle] == b[:middle]:
            low = middle
        else:
            high = middle - 1
    return low
