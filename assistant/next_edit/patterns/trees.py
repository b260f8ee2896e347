"""Parsed texts, kept between calls: the next text of a document is parsed where it differs from the last one.

Knows which grammar a language has; resolves names within one file. For one thread at a time.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import cached_property
from typing import TYPE_CHECKING

from assistant.next_edit.patterns.tokens import places
from assistant.next_edit.types import Document
from assistant.text import common_suffix, first_difference
from assistant.workspace import extract, languages, scopes
from assistant.workspace.parsing import errors, parse
from assistant.workspace.scopes import Occurrence
from assistant.workspace.source import Source

if TYPE_CHECKING:
    from tree_sitter import Node, Tree

KEPT = 96  # texts; a document has two: before its changes and now. 24 were too few for 30 open files: 0.3 s an answer
MAX_CHARS = 3_000_000  # of all kept texts together
_TEXT = ("string", "comment", "template_string", "regex", "jsx_text", "string_content", "string_fragment", "char_literal")


class Parsed:
    """One text with its tree, if its language has a grammar and it could be read whole."""

    def __init__(self, text: str, language: str, tree: Tree | None, source: Source) -> None:
        self.text = text
        self.language = language
        self.tree = tree
        self.source = source
        self._same: dict[tuple[str, int], tuple[Occurrence, ...] | None] = {}
        self._tables: dict[str, scopes.Table | None] = {}

    @property
    def root(self) -> Node | None:
        return self.tree.root_node if self.tree is not None else None

    @cached_property
    def errors(self) -> list[tuple[int, int]]:
        """Spans that the grammar could not read, in code points."""
        char = self.source.char
        return [(char(a), char(b)) for a, b in errors(self.tree.root_node)] if self.tree is not None else []

    def is_broken(self, start: int, end: int) -> bool:
        """Whether a syntax error touches the lines of ``[start, end)``."""
        if not self.errors:
            return False
        first, last = self.text.rfind("\n", 0, start) + 1, self.text.find("\n", end)
        last = len(self.text) if last == -1 else last
        return any(a <= last and b >= first for a, b in self.errors)

    def node(self, start: int, end: int) -> Node | None:
        """The smallest node over ``[start, end)``."""
        if self.tree is None:
            return None
        byte = self.source.byte
        return self.tree.root_node.descendant_for_byte_range(byte(start), byte(end))

    def is_code(self, start: int, end: int) -> bool:
        """Whether a place is neither in a string nor in a comment; where there is no grammar, it is."""
        node = self.node(start, end)
        while node is not None:
            if node.type in ("interpolation", "template_substitution"):
                return True
            if node.type in _TEXT:
                return False
            node = node.parent
        return True

    def span(self, node: Node) -> tuple[int, int]:
        return self.source.char(node.start_byte), self.source.char(node.end_byte)

    def of(self, node: Node | None) -> str:
        return self.source.of(node)

    def table(self, name: str) -> scopes.Table | None:
        """Scopes and mentions of one name; ``None`` where nothing is known of scopes."""
        if name not in self._tables:
            tree = self.tree
            self._tables[name] = scopes.mentions(tree, self.source, self.language, name) if tree is not None else None
        return self._tables[name]

    def same_variable(self, name: str, offset: int) -> tuple[Occurrence, ...] | None:
        """Every occurrence of the variable ``name`` whose mention is at ``offset``; ``None`` when that is not sure."""
        key = name, offset
        if key not in self._same:
            table = self.table(name)
            found = table.same_variable(self.source.byte(offset)) if table is not None else None
            char = self.source.char
            self._same[key] = found and tuple(o._replace(start=char(o.start), end=char(o.end)) for o in found)
        return self._same[key]

    def is_bound(self, name: str, offset: int) -> bool | None:
        """Whether the mention of ``name`` at ``offset`` has a declaration in this file; ``None`` when it is no variable."""
        table = self.table(name)
        byte = self.source.byte(offset)
        here = [m for m in table.mentions if m.start <= byte <= m.end and m.name == name] if table is not None else []
        if table is None or not here:
            return None
        return table.resolve(here[-1].scope, name, here[-1].space) is not None

    def words(self, name: str) -> list[int]:
        """Where a word stands, anywhere in the text."""
        return list(places(self.text, name))


class Trees:
    """Parsed texts by document; the oldest are let go."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str], Parsed] = OrderedDict()
        self._latest: dict[str, Parsed] = {}

    def parsed(self, document: Document, text: str | None = None) -> Parsed:
        """The tree of a document's text, or of another ``text`` of it."""
        wanted = document.text if text is None else text
        key = document.uri, wanted
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        made = self._parse(document, wanted)
        self._kept[key] = self._latest[document.uri] = made
        self._trim()
        return made

    def _parse(self, document: Document, text: str) -> Parsed:
        language = languages.resolve(document.language, document.path)
        source = Source(text)
        parser = languages.parser(language)
        if parser is None or extract.readable(text)[1]:
            return Parsed(text, language, None, source)
        old = self._latest.get(document.uri)
        known = old is not None and old.tree is not None and old.language == language
        before = _edited(old, source) if known and old is not None else None
        return Parsed(text, language, parse(parser, source.data, before), source)

    def _trim(self) -> None:
        while len(self._kept) > KEPT or (len(self._kept) > 2 and sum(len(text) for _, text in self._kept) > MAX_CHARS):
            _, gone = self._kept.popitem(last=False)
            self._latest = {uri: kept for uri, kept in self._latest.items() if kept is not gone}


def _edited(old: Parsed, source: Source) -> Tree | None:
    """The tree of an earlier text, told what changed; ``None`` when the two are too different for that to help."""
    if old.tree is None:
        return None
    a, b = old.source.data, source.data
    start = _first_difference(a, b)
    tail = _common_suffix(a, b, start)
    if 2 * (start + tail) < len(b):
        return None
    tree = old.tree.copy()
    end, new_end = len(a) - tail, len(b) - tail
    tree.edit(start, end, new_end, _point(a, start), _point(a, end), _point(b, new_end))
    return tree


def _first_difference(a: bytes, b: bytes) -> int:
    return first_difference(a.decode("latin-1"), b.decode("latin-1"))


def _common_suffix(a: bytes, b: bytes, start: int) -> int:
    return common_suffix(a.decode("latin-1"), b.decode("latin-1"), start)


def _point(data: bytes, byte: int) -> tuple[int, int]:
    return data.count(b"\n", 0, byte), byte - (data.rfind(b"\n", 0, byte) + 1)
