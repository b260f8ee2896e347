"""From a file's text to its symbols: one parse, one query, one pass over what it found.

About a third of the time is the parse. Never raises on bad input: a text too large is cut (and says so), a language
without a grammar gives words. Resolves nothing across files.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from assistant.workspace import languages
from assistant.workspace.grammar.rules import Rules
from assistant.workspace.parsing import parse
from assistant.workspace.reading import Reading
from assistant.workspace.source import Source
from assistant.workspace.symbols import FileSymbols

if TYPE_CHECKING:
    from tree_sitter import Query, Tree

MAX_CHARS = 1_000_000
MAX_LINE = 20_000
MAX_MINIFIED = 50_000
"""Characters that are read: of any file, before the first overlong line makes a file minified, and then in all."""

MAX_WORD = 100
_WORD = re.compile(r"[^\W\d]\w*")
_LONG_LINE = re.compile(rf"[^\n]{{{MAX_LINE}}}")
_RULES = {"python": "python", "javascript": "javascript", "typescript": "javascript", "tsx": "javascript"}


@cache
def rules_of(language: str) -> tuple[Rules, Query] | None:
    """The rules and the compiled query of a language; ``None`` without a grammar."""
    grammar = languages.grammar(language)
    if grammar is None:
        return None
    from tree_sitter import Query

    module = import_module(f"assistant.workspace.grammar.{_RULES.get(language, language)}")
    rules: Rules = module.TYPED_RULES if language in ("typescript", "tsx") else module.RULES
    return rules, Query(grammar, rules.query)


def readable(text: str) -> tuple[str, bool]:
    """The part of a text that is worth parsing, whole lines where there are any, and whether that is less than all."""
    long_line = _LONG_LINE.search(text, 0, MAX_CHARS)
    limit = MAX_CHARS if long_line is None else max(long_line.start(), MAX_MINIFIED)
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
    found = rules_of(name)
    parser = languages.parser(name) if found else None
    if found is None or parser is None:
        return FileSymbols(name, words=words_of(part), cut=cut)
    source = Source(part)
    tree = parse(parser, source.data)
    if tree is None:
        return FileSymbols(name, words=words_of(part), cut=True)
    return read(tree, source, name, cut)


def read(tree: Tree, source: Source, language: str, cut: bool = False) -> FileSymbols:
    """The symbols of a parsed source. ``language`` is one of ``languages.LANGUAGES`` that has a grammar."""
    found = rules_of(language)
    if found is None:
        return FileSymbols(language, words=words_of(source.text), cut=cut)
    rules, query = found
    return Reading(rules, query, tree, source).symbols(language, words_of(source.text), cut)
