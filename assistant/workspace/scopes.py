"""Which mentions of a name in one file are the same variable: exact for Python and JavaScript/TypeScript, or no answer.

For renames and for finding where a local is used. Sees one file: a module-level name may have more mentions elsewhere,
a class-level one as an attribute (``Occurrence.scope`` says which it is). Attributes, keyword arguments and property names
are no variables. Strings are not looked into.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from assistant.workspace import languages
from assistant.workspace.extract import readable
from assistant.workspace.grammar import javascript_scopes, python_scopes
from assistant.workspace.grammar.scope_table import Occurrence, Table
from assistant.workspace.parsing import parse
from assistant.workspace.source import Source

if TYPE_CHECKING:
    from tree_sitter import Tree

__all__ = ["Occurrence", "Table", "bindings", "mentions"]

_REACHES = {"python": re.compile(r"import\s*\*"), "": re.compile(r"eval|with")}
"""What makes every name around it unsure."""

_BUILDERS: dict[str, Callable[..., Table]] = {
    "python": python_scopes.build,
    "javascript": javascript_scopes.build,
    "typescript": partial(javascript_scopes.build, strict=True),
    "tsx": partial(javascript_scopes.build, strict=True),
}


def bindings(text: str, language: str, offset: int) -> tuple[Occurrence, ...] | None:
    """Every occurrence of the variable whose name is at ``offset`` (in it, or directly behind it), in order.

    ``None`` when it is not sure: no name there or not a variable's; a builtin or undeclared one; a syntax error inside the
    variable's scope; a module-level name beside a star import; a name that Python mangles; one that JavaScript's ``eval`` or
    ``with`` may reach, an enum's member, a parameter that is a property too; a language without scopes here; a text too large
    to be read whole.
    """
    table = _table(text, languages.resolve(language))
    found = table.same_variable(table.source.byte(offset)) if table is not None else None
    if table is None or found is None:
        return None
    source = table.source
    return tuple(o._replace(start=source.char(o.start), end=source.char(o.end)) for o in found)


def mentions(tree: Tree, source: Source, language: str, name: str) -> Table | None:
    """The scopes and mentions of one name in a parsed file: all that `Table.same_variable` needs, without reading the rest.

    ``language`` is our name of it; ``None`` for one without scopes here.
    """
    build = _BUILDERS.get(language)
    if build is None:
        return None
    text = source.text
    places = {found.end() - 1 for found in _REACHES.get(language, _REACHES[""]).finditer(text)}
    at = text.find(name)
    while at != -1 and name:
        places.add(at)
        at = text.find(name, at + len(name))
    return build(tree, source, only=sorted(source.byte(place) for place in places))


def _table(text: str, language: str) -> Table | None:
    build = _BUILDERS.get(language)
    parser = languages.parser(language) if build is not None else None
    part, cut = readable(text)
    if build is None or parser is None or cut:
        return None
    source = Source(part)
    tree = parse(parser, source.data)
    return build(tree, source) if tree is not None else None
