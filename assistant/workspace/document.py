"""An open document: its text, edited in place, its tree, re-parsed where it changed, and its symbols while it is broken.

Serves one thread at a time. Knows no editor: an edit is a place in code points and a new text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from assistant.workspace import extract, languages
from assistant.workspace.merging import Edit, keep_known
from assistant.workspace.parsing import parse
from assistant.workspace.source import Source
from assistant.workspace.symbols import FileSymbols

if TYPE_CHECKING:
    from tree_sitter import Tree

MAX_EDITS = 64  # between two readings; more are read at once, to follow every name to its new place


class DocumentTree:
    """The text of one open document and what it says of itself.

    While the document has more syntax errors than when it was last read whole, `symbols` keeps what it knew: see
    ``merging``. Without a grammar, or when the text is too large, every reading is made from scratch.
    """

    def __init__(self, text: str, language: str, path: str = "") -> None:
        self._language = languages.resolve(language, path)
        self._parser = languages.parser(self._language)
        self._source = Source(text)
        self._tree: Tree | None = None
        self._edits: list[Edit] = []
        self._known: FileSymbols | None = None
        self._usual_errors = 0
        self._is_read = False

    @property
    def text(self) -> str:
        return self._source.text

    @property
    def language(self) -> str:
        """Our name of the language, as `languages.resolve` gives it."""
        return self._language

    def edit(self, start: int, end: int, text: str) -> None:
        """Replace ``[start, end)`` (code points, cut to the text's length) with ``text``."""
        start = max(0, min(start, len(self.text)))
        end = max(start, min(end, len(self.text)))
        if len(self._edits) >= MAX_EDITS:
            self.symbols()
        old = self._source
        self._source = Source(old.text[:start] + text + old.text[end:])
        self._edits.append(Edit(start, end, start + len(text)))
        self._is_read = False
        if self._tree is not None:
            self._edit_tree(self._tree, old, start, end, start + len(text))

    def _edit_tree(self, tree: Tree, old: Source, start: int, end: int, new_end: int) -> None:
        start_byte, end_byte, new_byte = old.byte(start), old.byte(end), self._source.byte(new_end)
        tree.edit(
            start_byte,
            end_byte,
            new_byte,
            _point(old.data, start_byte),
            _point(old.data, end_byte),
            _point(self._source.data, new_byte),
        )

    def replace(self, text: str) -> None:
        """The whole text is new, as from an editor that sends no ranges: only the part that differs is an edit."""
        old = self.text
        if text == old:
            return
        start = _common(old, text)
        end = _common(old[start:][::-1], text[start:][::-1])
        self.edit(start, len(old) - end, text[start : len(text) - end])

    def symbols(self) -> FileSymbols:
        """The symbols of the text as it is now; computed at the first call after an edit."""
        if self._is_read and self._known is not None:
            return self._known
        fresh = self._read()
        broken = len(fresh.errors) > self._usual_errors or (fresh.cut and self._tree is None)
        if self._known is not None and broken:
            fresh = keep_known(self._known, fresh, self._edits, self.text)
        else:
            self._usual_errors = len(fresh.errors)
        self._known, self._edits, self._is_read = fresh, [], True
        return fresh

    def _read(self) -> FileSymbols:
        _, cut = extract.readable(self.text)
        if self._parser is None or cut:
            self._tree = None
            return extract.extract(self.text, self._language)
        self._tree = parse(self._parser, self._source.data, self._tree)
        if self._tree is None:
            whole = ((0, len(self.text)),)
            return FileSymbols(self._language, words=extract.words_of(self.text), errors=whole, cut=True)
        return extract.read(self._tree, self._source, self._language)


def _point(data: bytes, byte: int) -> tuple[int, int]:
    """(row, column in bytes); a row ends with ``\\n`` for tree-sitter, so ``\\r`` is one column of its row."""
    return data.count(b"\n", 0, byte), byte - (data.rfind(b"\n", 0, byte) + 1)


def _common(a: str, b: str) -> int:
    """How many characters both begin with."""
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        if a[:middle] == b[:middle]:
            low = middle
        else:
            high = middle - 1
    return low
