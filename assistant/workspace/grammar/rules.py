"""The shape of what is known of a language, and the reading of trees that languages share.

Two queries find everything in C, the first what every file is asked for. Captures of the outline: ``def`` (a construct that
defines), ``call`` or ``callee`` (what is called), ``import_statement``, ``field`` (a node of a class's data member) and
``comment``. Of the mentions: ``name`` (every identifier in code), the reference kinds ``write attribute import keyword type
definition`` (an identifier that is also a ``name``), ``member`` (an expression that ends with the name after its dot) and
``call``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from assistant.workspace.source import Source
from assistant.workspace.symbols import Import, Parameter

if TYPE_CHECKING:
    from tree_sitter import Node


class Header(NamedTuple):
    """What a definition's node says: its parts, before any offset is converted.

    ``outer`` is the whole construct with decorators or ``export``, ``first`` an attribute that stands before it as its sibling;
    ``inner`` is what the signature is cut from; ``prefix`` the type a method belongs to when it is written
    outside of it; ``docstring`` the node of a docstring inside the body.
    """

    name: Node
    kind: str
    outer: Node
    inner: Node
    body: Node | None = None
    parameters: tuple[Parameter, ...] = ()
    returns: str = ""
    bases: tuple[str, ...] = ()
    decorators: tuple[str, ...] = ()
    prefix: str = ""
    docstring: Node | None = None
    is_async: bool = False
    first: Node | None = None

    @property
    def start(self) -> int:
        """The byte where the whole construct begins."""
        return self.outer.start_byte if self.first is None else self.first.start_byte

    @property
    def end(self) -> int:
        return self.outer.end_byte


class Callee(NamedTuple):
    """The dotted thing that is called, as a byte span that ends with its last name, and its argument list."""

    start: int
    end: int
    arguments: Node | None


def _callee(node: Node) -> Callee | None:
    function = node.child_by_field_name("function")
    if function is None:
        return None
    return Callee(function.start_byte, function.end_byte, node.child_by_field_name("arguments"))


def _nothing(node: Node, source: Source) -> tuple[()]:
    return ()


@dataclass(frozen=True)
class Rules:
    """One language. ``arguments`` maps the type of an argument's node to ``keyword``, ``star``, ``star_star`` or ``skip``.

    ``fields`` gives (name, annotation) of the members one ``field`` node declares. ``bodies`` are the types of nodes whose
    children can be read one by one.
    """

    outline: str
    mentions: str
    definitions: Callable[[Node, Source], Iterable[Header]]
    imports: Callable[[Node, Source], Iterable[Import]]
    fields: Callable[[Node, Source], Iterable[tuple[Node, str]]] = _nothing
    callee: Callable[[Node], Callee | None] = _callee
    arguments: Mapping[str, str] = field(default_factory=dict)
    bodies: frozenset[str] = frozenset()


def first(node: Node, kind: str) -> Node | None:
    """The first named child of a type."""
    return next((child for child in node.named_children if child.type == kind), None)


def wrapped(node: Node, *kinds: str) -> Node:
    """The node, or the parent around it when that is of one of ``kinds``, again and again."""
    while (parent := node.parent) is not None and parent.type in kinds:
        node = parent
    return node


def innermost(node: Node | None, *fields: str) -> Node | None:
    """Down through ``fields`` (``declarator`` of ``declarator``) to the node that has none of them."""
    while node is not None:
        child = next((found for name in fields if (found := node.child_by_field_name(name)) is not None), None)
        if child is None:
            return node
        node = child
    return None
