"""From a file's text to its symbols: one parse, one query, one pass over what it found.

Two thirds of the time is the parse. Never raises on bad input: a text too large is cut (and says so), a language
without a grammar gives words. Resolves nothing across files.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from assistant.workspace import languages
from assistant.workspace.grammar.rules import Rules
from assistant.workspace.outline import Outline, outline
from assistant.workspace.parsing import errors, parse
from assistant.workspace.reading import Reading
from assistant.workspace.source import Source
from assistant.workspace.symbols import ClassField, Definition, FileSymbols, Later, Mentions

if TYPE_CHECKING:
    from tree_sitter import Query, Tree

MAX_CHARS = 1_000_000
MAX_LINE = 20_000
MAX_MINIFIED = 50_000
"""Characters that are read: of any file, before the first overlong line makes a file minified, and then in all."""

MAX_WORD = 100
_WORD = re.compile(r"[^\W\d]\w*")
_RULES = {"python": "python", "javascript": "javascript", "typescript": "javascript", "tsx": "javascript"}


class Reader(NamedTuple):
    """How a language is read: its rules and its two compiled queries."""

    rules: Rules
    outline: Query
    mentions: Query


@cache
def rules_of(language: str) -> Reader | None:
    """``None`` for a language without a grammar."""
    grammar = languages.grammar(language)
    if grammar is None:
        return None
    from tree_sitter import Query

    module = import_module(f"assistant.workspace.grammar.{_RULES.get(language, language)}")
    rules: Rules = module.TYPED_RULES if language in ("typescript", "tsx") else module.RULES
    return Reader(rules, Query(grammar, rules.outline), Query(grammar, rules.mentions))


def readable(text: str) -> tuple[str, bool]:
    """The part of a text that is worth parsing, whole lines where there are any, and whether that is less than all."""
    limit = MAX_CHARS
    start = 0
    while start + MAX_LINE <= min(len(text), MAX_CHARS):
        end = text.rfind("\n", start, start + MAX_LINE)
        if end < 0:  # a line too long
            limit = max(start, MAX_MINIFIED)
            break
        start = end + 1
    if len(text) <= limit:
        return text, False
    end = text.rfind("\n", 0, limit) + 1
    return text[: end or limit], True


def words_of(text: str) -> tuple[str, ...]:
    """The distinct identifier-like words of a text, in order of appearance."""
    return tuple(word for word in dict.fromkeys(_WORD.findall(text)) if len(word) <= MAX_WORD)


def extract(text: str, language: str, path: str = "") -> FileSymbols:
    """Everything ``text`` defines and mentions. ``language`` is an editor's language id or ""; then ``path`` decides."""
    name = languages.resolve(language, path)
    part, cut = readable(text)
    read = rules_of(name)
    parser = languages.parser(name) if read else None
    if read is None or parser is None:
        return only_words(part, name, cut)
    source = Source(part)
    tree = parse(parser, source.data)
    if tree is None:
        return only_words(part, name, True)
    return symbols(outline(read.rules, read.outline, tree.root_node, source), tree, source, name, cut)


def only_words(text: str, language: str, cut: bool, wrong: tuple[tuple[int, int], ...] = ()) -> FileSymbols:
    """What is known of a text without a tree."""
    return FileSymbols(language, errors=wrong, cut=cut, mentions=Later(lambda: Mentions(words=words_of(text))))


def symbols(made: Outline, tree: Tree, source: Source, language: str, cut: bool = False) -> FileSymbols:
    """The symbols of a source from its outline and its tree, which must not be edited any more."""
    fields = made.fields()
    mentions = Later(lambda: _mentions(tree, source, language, made.definitions, fields))
    char, cut = source.char, cut or made.is_cut
    wrong = tuple(sorted((char(start), char(end)) for start, end in errors(tree.root_node)))
    return FileSymbols(language, made.definitions, made.imports, fields, made.last_names(), wrong, cut, mentions)


def _mentions(
    tree: Tree, source: Source, language: str, definitions: tuple[Definition, ...], fields: tuple[ClassField, ...]
) -> Mentions:
    read = rules_of(language)
    words = words_of(source.text)
    if read is None:
        return Mentions(words=words)
    return Mentions(*Reading(read.rules, read.mentions, tree.root_node, source, definitions).mentions(fields), words)
