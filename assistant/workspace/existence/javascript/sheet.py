"""A JavaScript or TypeScript text with a suggestion in it: its tree, its words, and what a node stands in.

Knows the grammar's node types; resolves nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from assistant.workspace.grammar import javascript_scopes
from assistant.workspace.grammar.scope_table import Table
from assistant.workspace.source import Source

if TYPE_CHECKING:
    from tree_sitter import Node, Tree

WORD = re.compile(rb"[A-Za-z_$][\w$]*")
_TARGETS = ("assignment_expression", "for_in_statement")
_GUARDS = ("if_statement", "binary_expression", "ternary_expression", "unary_expression", "while_statement")


@dataclass(frozen=True)
class Sheet:
    """A text as it would be, see `assistant.workspace.existence.buffer.Page`. ``path``: its file, "" without one."""

    source: Source
    tree: Tree
    hole: tuple[int, int]
    path: str
    typed: bool

    def covers(self, node: Node) -> bool:
        """Whether the suggestion wrote any of the node."""
        return node.start_byte < self.hole[1] and node.end_byte > self.hole[0]

    @cached_property
    def rest(self) -> bytes:
        """The text without the suggestion."""
        data = self.source.data
        return data[: self.hole[0]] + b" " + data[self.hole[1] :]

    @cached_property
    def words(self) -> frozenset[bytes]:
        """The words of the text without the suggestion."""
        return frozenset(WORD.findall(self.rest))

    @cached_property
    def _tables(self) -> list[tuple[set[str], Table]]:
        return []

    def table(self, wanted: set[str]) -> Table:
        """Scopes and mentions of these names, and of others: what was read for more names answers for fewer."""
        for names, made in self._tables:
            if wanted <= names:
                return made
        made = self._read_table(wanted)
        self._tables.append((wanted, made))
        return made

    def _read_table(self, wanted: set[str]) -> Table:
        pattern = rb"(?<![\w$])(?:" + b"|".join(re.escape(name.encode()) for name in sorted(wanted)) + rb")(?![\w$])"
        only = [m.start() for m in re.finditer(pattern, self.source.data)]
        return javascript_scopes.build(self.tree, self.source, only, strict=self.typed)


def source_of(node: Node) -> Node | None:
    """The string that names the module of an import statement around ``node``."""
    here: Node | None = node
    while here is not None and here.type not in ("import_statement", "export_statement"):
        here = here.parent
    return here.child_by_field_name("source") if here is not None else None


def is_binding_of(node: Node | None, kinds: tuple[str, ...]) -> Node | None:
    """The import or declaration, one of ``kinds``, that a name stands in to be bound, in a pattern or by itself."""
    here = node
    while here is not None and here.type not in kinds:
        outer = here.parent
        if outer is not None and outer.type == "variable_declarator" and outer.child_by_field_name("name") != here:
            return None
        if outer is not None and outer.type.endswith(("_statement", "_body", "_block", "function", "_parameters", "program")):
            return None
        here = outer
    return here


def first_argument(call: Node) -> Node | None:
    arguments = call.child_by_field_name("arguments")
    return arguments.named_children[0] if arguments is not None and arguments.named_children else None


def is_target(node: Node) -> bool:
    """Whether a member is written or deleted."""
    outer = node.parent
    if outer is None:
        return False
    if outer.type in _TARGETS:
        return outer.child_by_field_name("left") == node
    return outer.type in ("array_pattern", "pair_pattern") or (
        outer.type == "unary_expression" and outer.children[0].type in ("delete", "typeof")
    )


def is_callee(node: Node) -> bool:
    """Whether a node is called where it stands."""
    outer = node.parent
    return outer is not None and outer.type == "call_expression" and outer.child_by_field_name("function") == node


def is_asked_for(node: Node) -> bool:
    """Whether somebody asks if a bare name is there: ``typeof x``."""
    outer = node.parent
    return outer is not None and outer.type == "unary_expression" and outer.children[0].type == "typeof"


def is_guarded(node: Node) -> bool:
    """Whether somebody asks if a member is there: ``typeof x.y``, ``x.y?.()``, ``if (x.y)``, ``x.y && ...``."""
    outer, here = node.parent, node
    if outer is None or any(child.type == "optional_chain" for child in (*node.children, *outer.children)):
        return True
    while outer is not None and outer.type in ("parenthesized_expression", "member_expression"):
        here, outer = outer, outer.parent
    if outer is None or outer.type not in _GUARDS:
        return False
    if outer.type == "unary_expression":
        return outer.children[0].type in ("typeof", "!")
    if outer.type == "binary_expression":
        return outer.children[1].type in ("&&", "||", "??") and outer.children[0] == here
    return outer.child_by_field_name("condition") == here


def is_unfinished(node: Node) -> bool:
    """Whether the statement of a node does not parse: then nobody knows what it binds."""
    here: Node | None = node
    while here is not None and not here.type.endswith(("_statement", "_declaration", "_body", "_block", "program")):
        if here.has_error or here.type == "ERROR":
            return True
        here = here.parent
    return here is not None and here.type not in ("program",) and not here.type.endswith(("_body", "_block")) and here.has_error
