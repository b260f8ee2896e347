"""Scopes of one file and the names mentioned in them; what a walk over a tree fills and a question reads.

Offsets are bytes. Knows the chain of scopes, not the languages: what a scope lets through is each language's ``resolve``.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from assistant.workspace.parsing import errors
from assistant.workspace.source import Source

if TYPE_CHECKING:
    from tree_sitter import Node


class Occurrence(NamedTuple):
    """One mention of a variable.

    ``kind``: ``write`` (declared, assigned, deleted), ``read``, ``import`` (bound by an import without an alias: a rename
    has to add ``as``), ``shorthand`` (JavaScript's ``{x}`` as a value or a pattern, ``export {x}``: it is a property's name
    too, so a rename has to write both). ``scope``: what kind of scope the variable lives in: ``function``, ``class``,
    ``comprehension``, ``lambda``, ``block``, ``static``, ``namespace``, ``type`` (parameters), or ``module``.
    """

    start: int
    end: int
    kind: str
    scope: str


@dataclass(eq=False)
class Scope:
    """One scope: ``bound`` holds the names it declares; the rest is for the languages that have it."""

    kind: str
    parent: Scope | None
    start: int
    end: int
    bound: set[str] = field(default_factory=set)
    types: set[str] = field(default_factory=set)
    global_names: set[str] = field(default_factory=set)
    nonlocal_names: set[str] = field(default_factory=set)
    unsure: bool = False


class Mention(NamedTuple):
    """A name at a place. ``kind`` as in `Occurrence`, or ``unsure``: no answer then. ``space``: the namespaces it may be looked
    up in, ``v`` (values), ``t`` (types) or ``vt``.
    """

    name: str
    start: int
    end: int
    kind: str
    scope: Scope
    space: str = "v"


Resolve = Callable[[Scope, str, str], "tuple[Scope, str] | None"]
"""(scope of the mention, name, spaces) -> (the scope that declares it, a key that tells its variables of one name apart)."""


@dataclass
class Table:
    """Everything the walk over one file found. ``errors`` are spans the grammar could not read, or nobody can answer for."""

    resolve: Resolve
    source: Source
    mentions: list[Mention] = field(default_factory=list)
    errors: list[tuple[int, int]] = field(default_factory=list)

    def mention(self, name: str, start: int, end: int, kind: str, scope: Scope, space: str = "v") -> None:
        self.mentions.append(Mention(name, start, end, kind, scope, space))

    def same_variable(self, byte: int) -> tuple[Occurrence, ...] | None:
        """All occurrences of the variable mentioned at ``byte``; ``None`` when there is none, or it is not sure."""
        here = [m for m in self.mentions if m.start <= byte <= m.end]
        if not here:
            return None
        asked = max(here, key=lambda m: m.start)
        target = self.resolve(asked.scope, asked.name, asked.space)
        if target is None or self._is_unsure(target[0]):
            return None
        if self._is_in_error(asked.name):
            return None
        same = [m for m in self.mentions if m.name == asked.name and self.resolve(m.scope, m.name, m.space) == target]
        if any(m.kind == "unsure" for m in same):
            return None
        spans = {(m.start, m.end): Occurrence(m.start, m.end, m.kind, target[0].kind) for m in same}
        return tuple(spans[key] for key in sorted(spans))

    def _is_in_error(self, name: str) -> bool:
        """Whether a broken statement has the name: it may have fallen out of its scope."""
        data = name.encode("utf-8", "replace")
        return any(data in self.source.data[start:end] for start, end in self.errors)

    def _is_unsure(self, scope: Scope) -> bool:
        return scope.unsure or any(start <= scope.end and scope.start <= end for start, end in self.errors)


class Walk:
    """Fills a table: every node is visited with its scope, by the handler of its type or else child by child.

    ``only``: bytes in rising order; nodes that hold none of them are passed over (nothing there is of interest).
    """

    def __init__(self, root: Node, source: Source, resolve: Resolve, only: Sequence[int] | None = None) -> None:
        self.table = Table(resolve, source, errors=errors(root))
        self._only = only
        self.module = Scope("module", None, root.start_byte, root.end_byte)
        self._pending: list[tuple[Node, Scope]] = [(root, self.module)]
        self._enter: dict[str, Callable[[Node, Scope], None]] = {}

    def run(self) -> None:
        pending, enter = self._pending, self._enter
        while pending:
            node, scope = pending.pop()
            if self._only is not None and not self._holds(node, self._only):
                continue
            handler = enter.get(node.type)
            if handler is not None:
                handler(node, scope)
            else:
                self.children(node, scope)

    def _holds(self, node: Node, only: Sequence[int]) -> bool:
        i = bisect_left(only, node.start_byte)
        return i < len(only) and only[i] < node.end_byte

    def text(self, node: Node | None) -> str:
        return self.table.source.of(node)

    def scope(self, kind: str, node: Node, parent: Scope) -> Scope:
        return Scope(kind, parent, node.start_byte, node.end_byte)

    def push(self, node: Node | None, scope: Scope) -> None:
        """Visit a node later."""
        if node is not None:
            self._pending.append((node, scope))

    def children(self, node: Node, scope: Scope) -> None:
        """Visit its children later."""
        self._pending.extend((child, scope) for child in node.named_children)
