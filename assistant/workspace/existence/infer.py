"""From expressions of the file to values: names through their scopes, ``self``, locals with one assignment, literals.

Answers ``None`` wherever a value may be more than one thing: several assignments, ``isinstance``, parameters without types.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from assistant.workspace.existence.buffer import Page
from assistant.workspace.existence.outline import Class, class_of, decorators_of
from assistant.workspace.existence.resolve import Resolver
from assistant.workspace.existence.values import Answer, ClassValue, InstanceValue, Missing
from assistant.workspace.grammar import python_scopes
from assistant.workspace.grammar.scope_table import Mention, Scope, Table

if TYPE_CHECKING:
    from tree_sitter import Node, Tree

MAX_DEPTH = 8
MAX_PART = 60_000  # bytes of one statement that is looked into
_LITERALS = {
    "list": "list",
    "list_comprehension": "list",
    "dictionary": "dict",
    "dictionary_comprehension": "dict",
    "set": "set",
    "set_comprehension": "set",
    "tuple": "tuple",
    "integer": "int",
    "float": "float",
    "concatenated_string": "str",
}
_CLASS_METHODS = frozenset(("__new__", "__init_subclass__", "__class_getitem__"))


@dataclass(frozen=True)
class _Rooted:
    """What `python_scopes.build` reads of a tree: one statement stands for the whole."""

    root_node: Node


@dataclass(frozen=True, eq=False)
class Part:
    """A statement the suggestion wrote in, at the top or in the body of ``cls``, and the names in it."""

    node: Node
    table: Table
    cls: Class | None
    mentions: dict[int, Mention]


class Infer:
    """Values of the expressions of one page. ``written``: attributes that the suggestion itself assigns to ``self``."""

    def __init__(self, page: Page, resolver: Resolver) -> None:
        self.page, self.resolver = page, resolver
        self.written: frozenset[str] = frozenset()
        self._classes: dict[int, Class] = {}

    def parts(self) -> list[Part]:
        """The statements that the suggestion wrote in, each in the innermost class body that holds it."""
        found: list[Part] = []
        pending: list[tuple[Node, Class | None]] = [(child, None) for child in self.page.root.named_children]
        while pending:
            node, cls = pending.pop()
            if not self._near(node):
                continue
            inner = node.child_by_field_name("definition") if node.type == "decorated_definition" else node
            body = inner.child_by_field_name("body") if inner is not None and inner.type == "class_definition" else None
            if body is not None and inner is not None and body.start_byte <= self.page.hole[0]:
                around = self.class_at(inner)
                pending.extend((child, around) for child in body.named_children)
            elif node.end_byte - node.start_byte <= MAX_PART:
                found.append(self._part(node, cls))
        return found

    def _near(self, node: Node) -> bool:
        return self.page.covers(node) and node.type != "comment"

    def _part(self, node: Node, cls: Class | None) -> Part:
        tree: Tree = _Rooted(node)  # type: ignore[assignment]
        table = python_scopes.build(tree, self.page.source)
        return Part(node, table, cls, {mention.start: mention for mention in table.mentions})

    def class_at(self, node: Node) -> Class:
        """The class of a ``class_definition``."""
        known = self._classes.get(node.start_byte)
        if known is None:
            outer = node.parent
            decorated = outer is not None and outer.type == "decorated_definition"
            marks = decorators_of(outer, self.page.source) if outer is not None and decorated else ()
            known = class_of(node, self.page.source, marks, self.page.hole)
            self._classes[node.start_byte] = known
        return replace(known, selves=known.selves | self.written) if self.written else known

    # -- expressions

    def value(self, node: Node | None, part: Part, depth: int = 0) -> Answer:
        """What an expression is."""
        if node is None or depth > MAX_DEPTH or node.has_error:
            return None
        kind = node.type
        if kind == "identifier":
            return self._name(node, part, depth)
        if kind == "attribute":
            name = node.child_by_field_name("attribute")
            outer = self.value(node.child_by_field_name("object"), part, depth + 1)
            return self._sure(self.resolver.member(outer, self.page.source.of(name))) if name is not None else None
        if kind == "call":
            return self._call(node, part, depth)
        if kind == "parenthesized_expression":
            return self.value(node.named_child(0), part, depth + 1) if node.named_child_count == 1 else None
        if kind == "string":
            return self.resolver.literal(
                "bytes" if b"b" in _prefix(self.page.source.data[node.start_byte : node.end_byte]) else "str"
            )
        return self.resolver.literal(_LITERALS[kind]) if kind in _LITERALS else None

    def _sure(self, answer: Answer) -> Answer:
        return None if isinstance(answer, Missing) else answer

    def _call(self, node: Node, part: Part, depth: int) -> Answer:
        callee = node.child_by_field_name("function")
        if callee is not None and callee.type == "identifier" and self.page.source.of(callee) == "super":
            return self._super(node)
        return self._sure(self.resolver.called(self.value(callee, part, depth + 1)))

    def _super(self, node: Node) -> Answer:
        method = _around(node, "function_definition")
        cls = class_around(method) if method is not None else None
        arguments = node.child_by_field_name("arguments")
        if cls is None or arguments is None or arguments.named_child_count:
            return None
        return InstanceValue(self.class_at(cls), self.resolver.here, above=True)

    def _name(self, node: Node, part: Part, depth: int) -> Answer:
        name = self.page.source.of(node)
        mention = part.mentions.get(node.start_byte)
        if mention is None:
            return None
        target = part.table.resolve(mention.scope, name, "v")
        if target is None or target[0].parent is None:
            in_body = part.cls is not None and (target is not None or name in part.cls.members)
            return None if in_body else self._sure(self._global(name))
        if target[0].kind != "function":
            return None
        return self._local(name, target[0], part, depth)

    def _global(self, name: str) -> Answer:
        answer = self.resolver.in_module(self.resolver.here, name)
        return self.resolver.builtin(name) if isinstance(answer, Missing) else answer

    def _local(self, name: str, scope: Scope, part: Part, depth: int) -> Answer:
        table = part.table
        writes = [m for m in table.mentions if m.name == name and m.kind != "read" and _same(table, m, name, scope)]
        if len(writes) != 1:
            return None
        node = self.page.root.descendant_for_byte_range(writes[0].start, writes[0].end)
        function = self.page.root.descendant_for_byte_range(scope.start, scope.end)
        if node is None or node.parent is None or function is None:
            return None
        if function.type == "function_definition" and _is_first(node, function):
            return self.receiver(function)
        if self._is_narrowed(name, scope):
            return None
        return self._bound(node, part, depth)

    def _is_narrowed(self, name: str, scope: Scope) -> bool:
        """Whether the code asks what the value is: then it is not what it was said to be."""
        word = re.escape(name)
        calls = "isinstance|issubclass|hasattr|getattr|setattr|type|callable|cast"
        asks = rf"\b(?:{calls})\s*\(\s*{word}\b|\bmatch\s+{word}\b"
        return re.search(asks.encode(), self.page.source.data[scope.start : scope.end]) is not None

    def _bound(self, node: Node, part: Part, depth: int) -> Answer:
        """The value of the one binding of a local, at the name's node."""
        outer = node.parent
        if outer is None:
            return None
        if outer.type in ("typed_parameter", "typed_default_parameter"):
            annotation = outer.child_by_field_name("type")
            return self._sure(self.resolver.annotated(self.page.source.of(annotation), self.resolver.here))
        if outer.type == "assignment" and outer.child_by_field_name("left") == node:
            annotation = outer.child_by_field_name("type")
            if annotation is not None:
                return self._sure(self.resolver.annotated(self.page.source.of(annotation), self.resolver.here))
            right = outer.child_by_field_name("right")
            return self.value(right, part, depth + 1) if right is not None and right.type != "assignment" else None
        return None

    def receiver(self, method: Node) -> Answer:
        """What the first parameter of a method is."""
        cls = class_around(method)
        if cls is None:
            return None
        outer, name = method.parent, self.page.source.of(method.child_by_field_name("name"))
        decorated = outer is not None and outer.type == "decorated_definition"
        marks = decorators_of(outer, self.page.source) if outer is not None and decorated else ()
        if any("static" in mark for mark in marks):
            return None
        made = self.class_at(cls)
        if "mixin" in made.name.lower():
            return None  # uses what the classes beside it have: half of all false alarms about ``self``
        if any(base.rpartition(".")[2] in ("type", "EnumMeta", "ABCMeta", "EnumType") for base in made.bases):
            return None
        if any("class" in mark for mark in marks) or name in _CLASS_METHODS:
            return ClassValue(made, self.resolver.here)
        return InstanceValue(made, self.resolver.here)


def _same(table: Table, mention: Mention, name: str, scope: Scope) -> bool:
    found = table.resolve(mention.scope, name, "v")
    return found is not None and found[0] is scope


def _prefix(data: bytes) -> bytes:
    return data[:3].split(b'"')[0].split(b"'")[0].lower()


def _around(node: Node, kind: str) -> Node | None:
    here = node.parent
    while here is not None and here.type != kind:
        here = here.parent
    return here


def class_around(function: Node) -> Node | None:
    """The class whose method a ``function_definition`` is."""
    here = function.parent
    while here is not None and here.type in ("decorated_definition", "block", "if_statement", "else_clause", "try_statement"):
        here = here.parent
    return here if here is not None and here.type == "class_definition" else None


def _is_first(name: Node, function: Node) -> bool:
    """Whether a name is the first parameter, without a default or a type."""
    parameters = function.child_by_field_name("parameters")
    return parameters is not None and parameters.named_child_count > 0 and parameters.named_child(0) == name
