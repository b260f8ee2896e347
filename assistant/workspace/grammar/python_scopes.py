"""Python's scopes, from its reference: functions, lambdas, classes, comprehensions, type parameters, ``global``, ``nonlocal``.

One iterative walk; a binding anywhere in a scope makes the name local to all of it. Code in strings (quoted annotations,
``eval``) is not seen. Names that begin with two underscores are never sure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from assistant.workspace.grammar.scope_table import Scope, Table, Walk
from assistant.workspace.source import Source

if TYPE_CHECKING:
    from tree_sitter import Node, Tree

_COMPREHENSIONS = ("list_comprehension", "set_comprehension", "dictionary_comprehension", "generator_expression")
_PATTERNS = (
    "pattern_list",
    "tuple_pattern",
    "list_pattern",
    "list_splat_pattern",
    "dictionary_splat_pattern",
    "parenthesized_expression",
    "expression_list",
    "tuple",
    "list",
    "list_splat",
    "as_pattern_target",
)
_FLAT = ("function", "lambda", "module")  # where a walrus in a comprehension binds


def build(tree: Tree, source: Source, only: Sequence[int] | None = None) -> Table:
    """The scopes of a parsed Python file. ``only`` as in `Walk`."""
    walk = _Walk(tree.root_node, source, only)
    walk.run()
    return walk.table


def _resolve(scope: Scope, name: str, space: str) -> tuple[Scope, str] | None:
    here: Scope | None = scope
    seen_class = True  # the class a name stands in directly is searched, the classes around a function are not
    while here is not None:
        if name in here.global_names:
            return _module_of(here), name
        if here.kind == "class":
            if seen_class and name in here.bound and name not in here.nonlocal_names:
                return here, name
        elif name in here.bound and name not in here.nonlocal_names:
            return here, name
        seen_class = seen_class and here.kind == "type"
        here = here.parent
    return None


def _module_of(scope: Scope) -> Scope:
    while scope.parent is not None:
        scope = scope.parent
    return scope


class _Walk(Walk):
    def __init__(self, root: Node, source: Source, only: Sequence[int] | None) -> None:
        super().__init__(root, source, _resolve, only)
        self._enter = {
            "identifier": self._read,
            "function_definition": self._function,
            "class_definition": self._class,
            "lambda": self._lambda,
            "assignment": self._assignment,
            "augmented_assignment": self._assignment,
            "for_statement": self._assignment,
            "named_expression": self._walrus,
            "as_pattern": self._as_pattern,
            "attribute": self._attribute,
            "keyword_argument": self._keyword,
            "global_statement": self._declared,
            "nonlocal_statement": self._declared,
            "delete_statement": self._delete,
            "import_statement": self._import,
            "import_from_statement": self._import,
            "future_import_statement": self._import,
            "case_pattern": self._case,
            "union_pattern": self._case,
            "class_pattern": self._class_pattern,
            "keyword_pattern": self._keyword_pattern,
            "splat_pattern": self._targets,
            "dotted_name": self._dotted,
            "type_alias_statement": self._type_alias,
            "member_type": self._member_type,
            **dict.fromkeys(_COMPREHENSIONS, self._comprehension),
        }

    # -- helpers

    def _mention(self, node: Node, scope: Scope, kind: str) -> None:
        name = self.text(node)
        special = name.startswith("__")  # mangled in a class, or with a meaning to Python itself
        self.table.mention(name, node.start_byte, node.end_byte, "unsure" if special else kind, scope)

    def _bind(self, node: Node | None, scope: Scope, kind: str = "write") -> None:
        if node is not None:
            scope.bound.add(self.text(node))
            self._mention(node, scope, kind)

    def _read(self, node: Node, scope: Scope) -> None:
        self._mention(node, scope, "read")

    def _targets(self, node: Node, scope: Scope) -> None:
        """Bind the names of an assignment's left side; what is inside of ``a.b`` and ``a[i]`` is only read."""
        pending = [node]
        while pending:
            target = pending.pop()
            if target.type == "identifier":
                self._bind(target, scope)
            elif target.type in _PATTERNS or target.type == "splat_pattern":
                pending.extend(target.named_children)
            else:
                self.push(target, scope)

    # -- scopes

    def _function(self, node: Node, scope: Scope) -> None:
        self._bind(node.child_by_field_name("name"), scope)
        around = self._type_scope(node, scope)
        inner = self.scope("function", node, around)
        self.push(node.child_by_field_name("return_type"), around)
        self._parameters(node.child_by_field_name("parameters"), inner, around, scope)
        self.push(node.child_by_field_name("body"), inner)

    def _lambda(self, node: Node, scope: Scope) -> None:
        inner = self.scope("lambda", node, scope)
        self._parameters(node.child_by_field_name("parameters"), inner, scope, scope)
        self.push(node.child_by_field_name("body"), inner)

    def _parameters(self, node: Node | None, inner: Scope, annotations: Scope, defaults: Scope) -> None:
        for child in node.named_children if node is not None else ():
            self.push(child.child_by_field_name("type"), annotations)
            self.push(child.child_by_field_name("value"), defaults)
            if child.type == "typed_parameter":
                self._targets(child.named_child(0), inner)
            elif child.type in ("default_parameter", "typed_default_parameter"):
                named = child.child_by_field_name("name")
                if named is not None:
                    self._targets(named, inner)
            elif child.type in ("identifier", *_PATTERNS):
                self._targets(child, inner)
            else:
                self.push(child, inner)

    def _class(self, node: Node, scope: Scope) -> None:
        self._bind(node.child_by_field_name("name"), scope)
        around = self._type_scope(node, scope)
        self.push(node.child_by_field_name("superclasses"), around)
        self.push(node.child_by_field_name("body"), self.scope("class", node, around))

    def _type_scope(self, node: Node, scope: Scope) -> Scope:
        """The scope of ``[T: bound]`` behind a name, around everything but decorators and defaults; else ``scope``."""
        parameters = node.child_by_field_name("type_parameters")
        return scope if parameters is None else self._type_parameters(node, parameters, scope)

    def _type_parameters(self, node: Node, parameters: Node, scope: Scope) -> Scope:
        around = self.scope("type", node, scope)
        for child in parameters.named_children:
            name, rest = child, []
            while name.type != "identifier" and name.named_child_count:
                rest.extend(name.named_children[1:])
                name = name.named_child(0)
            if name.type == "identifier":
                self._bind(name, around)
            self._pending.extend((part, around) for part in rest)
        return around

    def _type_alias(self, node: Node, scope: Scope) -> None:
        left = node.child_by_field_name("left") or node.named_child(0)
        right = node.child_by_field_name("right") or node.named_child(1)
        inner = left.named_child(0) if left.type == "type" else left
        if inner.type == "generic_type":
            self._bind(inner.named_child(0), scope)
            self.push(right, self._type_parameters(node, inner.named_child(1), scope))
        else:
            self._targets(inner, scope)
            self.push(right, scope)

    def _comprehension(self, node: Node, scope: Scope) -> None:
        inner = self.scope("comprehension", node, scope)
        first = True
        for child in node.named_children:
            if child.type != "for_in_clause":
                self.push(child, inner)
                continue
            left = child.child_by_field_name("left")
            if left is not None:
                self._targets(left, inner)
            for i, part in enumerate(child.children):
                if child.field_name_for_child(i) == "right" and part.is_named:
                    self.push(part, scope if first else inner)  # the first iterable is evaluated outside
            first = False

    # -- bindings

    def _assignment(self, node: Node, scope: Scope) -> None:
        left = node.child_by_field_name("left")
        for child in node.named_children:
            if child == left:
                self._targets(child, scope)
            else:
                self.push(child, scope)

    def _walrus(self, node: Node, scope: Scope) -> None:
        outer = scope
        while outer.kind == "comprehension" and outer.parent is not None:
            outer = outer.parent
        self._bind(node.child_by_field_name("name"), outer)
        self.push(node.child_by_field_name("value"), scope)

    def _as_pattern(self, node: Node, scope: Scope) -> None:
        children = node.named_children
        for child in children[:-1]:
            self.push(child, scope)
        if children:
            self._targets(children[-1], scope)

    def _delete(self, node: Node, scope: Scope) -> None:
        for child in node.named_children:
            self._targets(child, scope)

    def _declared(self, node: Node, scope: Scope) -> None:
        is_global = node.type == "global_statement"
        for child in node.named_children:
            name = self.text(child)
            (scope.global_names if is_global else scope.nonlocal_names).add(name)
            if is_global:
                self.module.bound.add(name)
            self._mention(child, scope, "write")

    def _import(self, node: Node, scope: Scope) -> None:
        if any(child.type == "wildcard_import" for child in node.named_children):
            self.module.unsure = True
        for name in node.children_by_field_name("name"):
            if name.type == "aliased_import":
                self._bind(name.child_by_field_name("alias"), scope)
            elif name.named_child_count:
                self._bind(name.named_child(0), scope, "import")

    # -- places where an identifier is no variable

    def _attribute(self, node: Node, scope: Scope) -> None:
        self.push(node.child_by_field_name("object"), scope)

    def _member_type(self, node: Node, scope: Scope) -> None:
        self.push(node.named_child(0), scope)

    def _keyword(self, node: Node, scope: Scope) -> None:
        self.push(node.child_by_field_name("value"), scope)

    def _dotted(self, node: Node, scope: Scope) -> None:
        self.push(node.named_child(0), scope)

    # -- match

    def _case(self, node: Node, scope: Scope) -> None:
        for child in node.named_children:
            self._capture(child, scope)

    def _capture(self, node: Node, scope: Scope) -> None:
        """A bare name in a pattern is bound, a dotted one is read."""
        if node.type == "dotted_name" and node.named_child_count == 1:
            self._bind(node.named_child(0), scope)
        else:
            self.push(node, scope)

    def _class_pattern(self, node: Node, scope: Scope) -> None:
        children = node.named_children
        self.push(children[0] if children else None, scope)
        for child in children[1:]:
            self._capture(child, scope)

    def _keyword_pattern(self, node: Node, scope: Scope) -> None:
        for child in node.named_children[1:]:
            self._capture(child, scope)
