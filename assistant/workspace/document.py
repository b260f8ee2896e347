"""An open document: its text, edited in place, its tree, re-parsed where it changed, and its symbols while it is broken.

Serves one thread at a time. Knows no editor: an edit is a place in code points and a new text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from assistant.text import common_suffix, first_difference
from assistant.workspace import extract, languages
from assistant.workspace.merging import Edit, add_edit, keep_known
from assistant.workspace.outline import Outline, outline
from assistant.workspace.parsing import parse
from assistant.workspace.source import Source
from assistant.workspace.splice import Change, reread
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
        self._tree: Tree | None = None  # of the last reading, edited to where things are now
        self._outline: tuple[Outline, Source] | None = None  # of the last reading
        self._change: Change | None = None  # since then
        self._edits: list[Edit] = []
        self._known: FileSymbols | None = None
        self._whole: FileSymbols | None = None  # what was known before it broke, and the edits since
        self._since: list[Edit] = []
        self._usual_errors = 0

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
        add_edit(self._edits, Edit(start, end, start + len(text)))
        if self._tree is not None:
            self._tree = self._edited(self._tree, old, start, end, start + len(text))

    def _edited(self, tree: Tree, old: Source, start: int, end: int, new_end: int) -> Tree:
        start_byte, end_byte, new_byte = old.byte(start), old.byte(end), self._source.byte(new_end)
        first = Change(start_byte, start_byte, start_byte) if self._change is None else self._change
        self._change = first.then(start_byte, end_byte, new_byte)
        tree = tree.copy()  # the symbols that were read from this one may still be asked for more
        tree.edit(
            start_byte,
            end_byte,
            new_byte,
            _point(old.data, start_byte),
            _point(old.data, end_byte),
            _point(self._source.data, new_byte),
        )
        return tree

    def replace(self, text: str) -> None:
        """The whole text is new, as from an editor that sends no ranges: only the part that differs is an edit."""
        old = self.text
        if text != old:
            start = first_difference(old, text)
            end = common_suffix(old, text, start)
            self.edit(start, len(old) - end, text[start : len(text) - end])

    def symbols(self) -> FileSymbols:
        """The symbols of the text as it is now; computed at the first call after an edit."""
        if self._known is not None and not self._edits:
            return self._known
        fresh = self._read()
        for edit in self._edits:
            add_edit(self._since, edit)
        broken = len(fresh.errors) > self._usual_errors or (fresh.cut and self._tree is None)
        if self._known is not None and self._whole is not None and broken:
            fresh = self._kept(self._known, self._whole, fresh)
        else:
            self._usual_errors = len(fresh.errors)
            self._whole, self._since = fresh, []
        self._known, self._edits = fresh, []
        return fresh

    def _kept(self, known: FileSymbols, whole: FileSymbols, fresh: FileSymbols) -> FileSymbols:
        merged = keep_known(known, fresh, self._edits, whole, tuple(self._since), self.text)
        if len(self._since) > MAX_EDITS:  # from here on, rather than following every mention through all of them
            merged.mentions.get()
            self._whole, self._since = merged, []
        return merged

    def _read(self) -> FileSymbols:
        before, known, change = self._tree, self._outline, self._change
        self._tree = self._outline = self._change = None
        found = extract.rules_of(self._language)
        _, cut = extract.readable(self.text)
        if self._parser is None or found is None or cut:
            return extract.extract(self.text, self._language)
        source = self._source
        tree = parse(self._parser, source.data, before)
        if tree is None:
            return extract.only_words(self.text, self._language, True, ((0, len(self.text)),))
        made = None
        if before is not None and known is not None and change is not None:
            made = reread(found.rules, found.outline, (known[0], before, known[1]), tree, source, change)
        if made is None:
            made = outline(found.rules, found.outline, tree.root_node, source)
        self._tree, self._outline = tree, (made, source)
        return extract.symbols(made, tree, source, self._language)


def _point(data: bytes, byte: int) -> tuple[int, int]:
    """(row, column in bytes); a row ends with ``\\n`` for tree-sitter, so ``\\r`` is one column of its row."""
    return data.count(b"\n", 0, byte), byte - (data.rfind(b"\n", 0, byte) + 1)
