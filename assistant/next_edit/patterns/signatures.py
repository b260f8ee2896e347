"""Functions whose parameters the user changed: what they were, what they are, where the body is.

Read from the trees before and after; silent while the header does not parse. Python and JavaScript/TypeScript.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from assistant.next_edit.patterns.context import Context
from assistant.next_edit.patterns.trees import Parsed
from assistant.next_edit.types import Document

if TYPE_CHECKING:
    from tree_sitter import Node

_PLAIN = ("identifier", "typed_parameter", "required_parameter")
_DEFAULT = ("default_parameter", "typed_default_parameter", "optional_parameter", "assignment_pattern")
_SELF = ("self", "cls")
FUNCTIONS = (
    "function_definition",
    "function_declaration",
    "method_definition",
    "generator_function_declaration",
    "function_expression",
    "arrow_function",
    "function_signature",
)


class Parameter(NamedTuple):
    """``kind``: ``plain``, ``keyword`` (behind a star) or ``many`` (takes any number, or cannot be named)."""

    name: str
    kind: str
    optional: bool
    type: str


@dataclass(frozen=True)
class Changed:
    """One function, its parameters before and now, without ``self``."""

    document: Document
    name: str
    old: tuple[Parameter, ...]
    new: tuple[Parameter, ...]
    start: int
    end: int
    body_start: int
    body_end: int
    in_class: bool
    order: int

    @property
    def added(self) -> frozenset[str]:
        return frozenset(p.name for p in self.new) - {p.name for p in self.old}

    @property
    def removed(self) -> frozenset[str]:
        return frozenset(p.name for p in self.old) - {p.name for p in self.new}


def changed_functions(context: Context) -> Iterator[Changed]:
    """The functions in whose headers the user was, the latest first."""
    for document in context.documents:
        seen: set[int] = set()
        for edit in context.edits_of(document.uri):
            context.cancel.check()
            now, before = context.now(document), context.before(document)
            here, there = _function_at(now, edit.start, edit.end), _function_at(before, edit.old_start, edit.old_end)
            if here is None or there is None or here.start_byte in seen:
                continue
            seen.add(here.start_byte)
            found = _changed(document, now, before, here, there, edit.order)
            if found is not None:
                yield found


def _function_at(parsed: Parsed, start: int, end: int) -> Node | None:
    """The function in whose parameters a place is."""
    node = parsed.node(start, end)
    while node is not None:
        parent = node.parent
        if node.type in ("parameters", "formal_parameters") and parent is not None and parent.type in FUNCTIONS:
            return None if parent.has_error and node.has_error else parent
        node = parent
    return None


def _changed(document: Document, now: Parsed, before: Parsed, here: Node, there: Node, order: int) -> Changed | None:
    name = name_of(now, here)
    if not name or name != name_of(before, there):
        return None
    new, old = parameters(now, here), parameters(before, there)
    body = here.child_by_field_name("body")
    span = now.span(body) if body is not None else (now.span(here)[1],) * 2
    if new == old:
        return None
    return Changed(document, name, old, new, *now.span(here), *span, _in_class(here), order)


def name_of(parsed: Parsed, function: Node) -> str:
    name = function.child_by_field_name("name")
    if name is None and function.parent is not None and function.parent.type == "variable_declarator":
        name = function.parent.child_by_field_name("name")
    return parsed.of(name)


def _in_class(function: Node) -> bool:
    parent = function.parent
    if parent is not None and parent.type == "decorated_definition":
        parent = parent.parent
    return parent is not None and parent.parent is not None and parent.parent.type.startswith("class")


def parameters(parsed: Parsed, function: Node) -> tuple[Parameter, ...]:
    """Without ``self`` and ``cls``."""
    node = function.child_by_field_name("parameters")
    found: list[Parameter] = []
    keyword = False
    for child in node.named_children if node is not None else ():
        if child.type == "comment":
            continue
        parameter = _parameter(parsed, child, keyword)
        if child.type in ("keyword_separator", "list_splat_pattern"):
            keyword = True
        if child.type in ("keyword_separator", "positional_separator") or (parameter.name in _SELF and not found):
            continue
        found.append(parameter)
    return tuple(found)


def _parameter(parsed: Parsed, node: Node, keyword: bool) -> Parameter:
    name = node.child_by_field_name("name") or node.child_by_field_name("pattern") or node.child_by_field_name("left")
    if name is None:
        name = node if node.type == "identifier" else (node.named_children[0] if node.named_children else node)
    optional = node.type in _DEFAULT or node.child_by_field_name("value") is not None
    kind = "keyword" if keyword else "plain"
    if name.type != "identifier" or node.type not in (*_PLAIN, *_DEFAULT):
        kind = "many"
    return Parameter(parsed.of(name), kind, optional, parsed.of(node.child_by_field_name("type")))
