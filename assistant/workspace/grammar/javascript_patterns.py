"""The leaves of the JavaScript and TypeScript walk: single names, destructuring patterns, dotted types, JSX tags."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assistant.workspace.grammar.scope_table import Scope, Walk

if TYPE_CHECKING:
    from tree_sitter import Node

_PATTERNS = ("object_pattern", "array_pattern", "rest_pattern")
_DEFAULTS = ("assignment_pattern", "object_assignment_pattern")


class Patterns(Walk):
    """Mentions and bindings."""

    def mention(self, node: Node, scope: Scope, kind: str, space: str = "v") -> None:
        self.table.mention(self.text(node), node.start_byte, node.end_byte, kind, scope, space)

    def bind(self, node: Node | None, scope: Scope, kind: str = "write", space: str = "v") -> None:
        """Declare a name in ``scope``, in the namespaces of ``space``."""
        if node is None or not node.type.endswith("identifier"):
            return
        if "v" in space:
            scope.bound.add(self.text(node))
        if "t" in space:
            scope.types.add(self.text(node))
        self.mention(node, scope, kind, space)

    def targets(self, node: Node, scope: Scope, home: Scope | None, kind: str = "write") -> None:
        """The names of a pattern: declared in ``home``, or assigned when that is ``None``; the rest is visited in ``scope``."""
        pending = [node]
        while pending:
            target = pending.pop()
            if target.type in ("identifier", "shorthand_property_identifier_pattern"):
                self._target(target, scope, home, kind)
            elif target.type in _PATTERNS:
                pending.extend(target.named_children)
            elif target.type in _DEFAULTS:
                children = target.named_children
                pending.extend(children[:1])
                for child in children[1:]:
                    self.push(child, scope)
            elif target.type == "pair_pattern":
                self.push(target.child_by_field_name("key"), scope)
                value = target.child_by_field_name("value")
                pending.extend([value] if value is not None else [])
            elif target.type in ("parenthesized_expression", "non_null_expression") and home is None:
                pending.extend(target.named_children)
            else:
                self.push(target, scope)

    def _target(self, node: Node, scope: Scope, home: Scope | None, kind: str) -> None:
        if node.type == "shorthand_property_identifier_pattern" and kind == "write":
            kind = "shorthand"
        if home is None:
            self.mention(node, scope, kind)
            return
        home.bound.add(self.text(node))
        self.mention(node, home, kind)

    # -- handlers of single nodes

    def _read(self, node: Node, scope: Scope) -> None:
        self.mention(node, scope, "read")

    def _read_type(self, node: Node, scope: Scope) -> None:
        self.mention(node, scope, "read", "t")

    def _shorthand(self, node: Node, scope: Scope) -> None:
        self.mention(node, scope, "shorthand")

    def _ignore(self, node: Node, scope: Scope) -> None:
        return

    def _nested_type(self, node: Node, scope: Scope) -> None:
        """``N.Z`` in a type: ``N`` is a namespace or an import."""
        self._first(node.child_by_field_name("module"), scope)

    def _nested(self, node: Node, scope: Scope) -> None:
        self._first(node, scope)

    def _first(self, node: Node | None, scope: Scope) -> None:
        while node is not None and node.type in ("nested_identifier", "member_expression"):
            node = node.child_by_field_name("object")
        if node is not None and node.type == "identifier":
            self.mention(node, scope, "read", "vt")

    def _tag(self, node: Node, scope: Scope) -> None:
        name = node.child_by_field_name("name")
        for child in node.named_children:
            if child != name:
                self.push(child, scope)
        if name is None or (name.type == "identifier" and self.text(name)[:1].islower()):
            return  # <div>: an element of the page, not a variable
        self.push(name, scope)
