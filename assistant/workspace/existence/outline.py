"""What a Python module or class offers by name, read from its top statements; function bodies are only skimmed.

A tenth of the cost of reading every mention. Resolves nothing: bases, annotations and values stay source text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from assistant.workspace.grammar import python
from assistant.workspace.source import Source
from assistant.workspace.symbols import Parameter

if TYPE_CHECKING:
    from tree_sitter import Node

MAX_VALUE = 120  # characters of a value that are kept
_SELF = re.compile(rb"(?<![\w.])(?:self|cls)\s*\.\s*(\w+)")
_FIRST = re.compile(rb"\bdef\s+\w+\s*\(\s*(\w+)\s*[,)]")
_GLOBAL = re.compile(rb"\bglobal[ \t]+(\w+(?:[ \t]*,[ \t]*\w+)*)")
_WALRUS = re.compile(rb"(\w+)\s*:=")
_DYNAMIC_CLASS = re.compile(
    rb"(?<!\w)setattr\s*\(\s*(?:self|cls|klass|type)\b|\b(?:self|cls)\s*\.\s*__dict__|\bvars\s*\(|\blocals\s*\(|\bexec\s*\("
    rb"|__setattr__\s*\(\s*(?:self|cls)\s*,\s*[^\"']|__getattr__\b|__getattribute__\b"
)
_DYNAMIC_MODULE = re.compile(
    rb"(?<!in )\bglobals\s*\(\s*\)(?!\s*\.\s*(?:get|keys)\b|\s*\[[^\]]*\](?!\s*=[^=]))"
    rb"|\bsys\s*\.\s*modules\s*\[(?:\s*__name__|[^\]]*\]\s*=[^=])|^(?:exec|locals|vars)\s*\(|(?<![\w.])vars\s*\(\s*\)\s*\["
    rb"|\bglobal_enum\b|\b_convert_\s*\(|\b[lL]azy_?(?:[mM]odule|import|loader)|\b_?LazyModule\b|\bmodule_property\b|^\s*__path__\s*=",
    re.MULTILINE,
)


_CLASS_WORDS = (b"setattr", b"__dict__", b"vars", b"locals", b"exec", b"__getattr")
_MODULE_WORDS = (
    b"globals",
    b"modules",
    b"exec",
    b"locals",
    b"vars",
    b"global_enum",
    b"_convert_",
    b"azy",
    b"module_property",
    b"__path__",
)
"""Plain words without which the patterns cannot match: a tenth of their time."""


class Function(NamedTuple):
    """A function as its header says. ``returns`` is the annotation's text."""

    name: str
    parameters: tuple[Parameter, ...]
    decorators: tuple[str, ...] = ()
    returns: str = ""
    is_async: bool = False


class Variable(NamedTuple):
    """A name bound to a value. ``value`` is its text, "" for none, "?" for a long one or what is no plain assignment."""

    name: str
    annotation: str = ""
    value: str = ""


class Imported(NamedTuple):
    """A name bound by an import: of ``name`` from ``module``, or of the module itself where ``name`` is ""."""

    module: str
    name: str = ""
    level: int = 0


@dataclass(frozen=True, eq=False)
class Class:
    """A class. ``bases`` as written, keywords included. ``selves``: every name that is mentioned behind ``self.`` or ``cls.``
    in it. ``dynamic``: it makes attributes that nobody can list.
    """

    name: str
    bases: tuple[str, ...] = ()
    decorators: tuple[str, ...] = ()
    members: dict[str, list[Member]] = field(default_factory=dict)
    selves: frozenset[str] = frozenset()
    dynamic: bool = False


Member = Function | Variable | Imported | Class


@dataclass
class Outline:
    """``members``: everything a module binds, each name with all its bindings. ``stars``: (module, level) of star imports."""

    members: dict[str, list[Member]] = field(default_factory=dict)
    stars: list[tuple[str, int]] = field(default_factory=list)
    dynamic: bool = False

    def add(self, name: str, member: Member) -> None:
        self.members.setdefault(name, []).append(member)

    def take(self, other: Outline) -> None:
        """All of another outline, behind what is here."""
        for name, found in other.members.items():
            self.members.setdefault(name, []).extend(found)
        self.stars.extend(other.stars)
        self.dynamic = self.dynamic or other.dynamic


def is_dynamic(data: bytes) -> bool:
    """Whether a module's text makes names that nobody can list."""
    return any(word in data for word in _MODULE_WORDS) and _DYNAMIC_MODULE.search(data) is not None


def read_module(root: Node, source: Source) -> Outline:
    """The outline of a whole file."""
    outline = Outline(dynamic=is_dynamic(source.data))
    read_block(root.named_children, source, outline)
    outline.dynamic = outline.dynamic or "__getattr__" in outline.members
    return outline


def read_block(nodes: Iterable[Node], source: Source, outline: Outline) -> None:
    """Add what the statements bind, blocks of ``if``, ``try``, ``with``, ``for``, ``while`` and ``match`` included."""
    pending = list(nodes)[::-1]
    while pending:
        node = pending.pop()
        kind = node.type
        if kind in _READERS:
            _READERS[kind](node, source, outline)
        elif kind in _COMPOUND or kind == "ERROR":
            _header(node, source, outline)
            pending.extend(reversed(node.named_children))
        elif kind == "expression_statement":
            pending.extend(reversed(node.named_children))
            data = source.data[node.start_byte : node.end_byte]
            if b":=" in data:
                _add_words(_WALRUS.findall(data), outline)


_BLOCKS = (
    "if_statement elif_clause else_clause try_statement except_clause except_group_clause finally_clause "
    "for_statement while_statement with_statement with_clause with_item match_statement case_clause block"
)
_COMPOUND = frozenset(_BLOCKS.split())


def _header(node: Node, source: Source, outline: Outline) -> None:
    """What the first line of a compound statement binds; too much rather than too little."""
    if node.type in ("block", "ERROR", "try_statement", "else_clause", "finally_clause"):
        return
    for child in node.named_children:
        if child.type in ("block", *_COMPOUND):
            continue
        data = source.data[child.start_byte : child.end_byte]
        if b":=" in data:
            _add_words(_WALRUS.findall(data), outline)
        if node.type in ("except_clause", "except_group_clause", "with_item", "case_clause", "for_statement"):
            for name in _identifiers(child):
                outline.add(source.of(name), Variable(source.of(name)))


def _identifiers(node: Node) -> Iterator[Node]:
    pending = [node]
    while pending:
        here = pending.pop()
        if here.type == "identifier":
            yield here
        elif here.type not in ("call", "attribute", "lambda", "string"):
            pending.extend(here.named_children)


def _add_words(words: Iterable[bytes], outline: Outline) -> None:
    for word in words:
        name = word.decode("utf-8", "replace")
        outline.add(name, Variable(name))


def _targets(node: Node) -> Iterator[Node]:
    pending = [node]
    while pending:
        here = pending.pop()
        if here.type == "identifier":
            yield here
        elif here.type not in ("attribute", "subscript", "call"):
            pending.extend(here.named_children)


def _assignment(node: Node, source: Source, outline: Outline) -> None:
    left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
    annotation = source.of(node.child_by_field_name("type"))
    short = right is not None and right.end_byte - right.start_byte <= MAX_VALUE
    value = source.of(right) if short and node.type == "assignment" else "?" if right is not None else ""
    if left is not None and left.type == "identifier":
        name = source.of(left)
        outline.add(name, Variable(name, annotation, value if right is None or right.type != "assignment" else "?"))
    elif left is not None:
        for target in _targets(left):
            outline.add(source.of(target), Variable(source.of(target)))
    if right is not None and right.type == "assignment":
        _assignment(right, source, outline)


def _function(node: Node, source: Source, outline: Outline) -> None:
    found = function_of(node, source)
    outline.add(found.name, found)
    data = source.data[node.start_byte : node.end_byte]
    if b"global" in data:
        for names in _GLOBAL.findall(data):
            _add_words(re.findall(rb"\w+", names), outline)


def function_of(node: Node, source: Source, decorators: tuple[str, ...] = ()) -> Function:
    """The header of a ``function_definition``."""
    return Function(
        source.of(node.child_by_field_name("name")),
        python.parameters(node.child_by_field_name("parameters"), source),
        decorators,
        source.of(node.child_by_field_name("return_type")),
        node.child_count > 0 and node.child(0).type == "async",
    )


def class_of(node: Node, source: Source, decorators: tuple[str, ...] = (), hole: tuple[int, int] = (0, 0)) -> Class:
    """A ``class_definition``. What stands in the bytes of ``hole`` is no evidence that an attribute exists."""
    bases, body = node.child_by_field_name("superclasses"), node.child_by_field_name("body")
    inside = Outline()
    read_block(body.named_children if body is not None else (), source, inside)
    start, end = node.start_byte, node.end_byte
    low, high = max(start, min(hole[0], end)), max(start, min(hole[1], end))
    data = source.data[start:low] + b" " * (high - low) + source.data[high:end]
    return Class(
        source.of(node.child_by_field_name("name")),
        tuple(source.of(base) for base in bases.named_children if base.type != "comment") if bases is not None else (),
        decorators,
        inside.members,
        frozenset(name.decode("utf-8", "replace") for name in _mentions(data)),
        bool(inside.stars) or (any(word in data for word in _CLASS_WORDS) and _DYNAMIC_CLASS.search(data) is not None),
    )


def _mentions(data: bytes) -> Iterator[bytes]:
    yield from _SELF.findall(data)
    strange = {name for name in _FIRST.findall(data) if name not in (b"self", b"cls")}
    for name in strange:
        yield from re.findall(rb"(?<![\w.])" + re.escape(name) + rb"\s*\.\s*(\w+)", data)


def _class(node: Node, source: Source, outline: Outline) -> None:
    found = class_of(node, source)
    outline.add(found.name, found)
    data = source.data[node.start_byte : node.end_byte]
    if b"global" in data:
        for names in _GLOBAL.findall(data):
            _add_words(re.findall(rb"\w+", names), outline)


def decorators_of(node: Node, source: Source) -> tuple[str, ...]:
    """The decorators of a ``decorated_definition``, without ``@``."""
    return tuple(source.of(child)[1:].strip() for child in node.named_children if child.type == "decorator")


def _decorated(node: Node, source: Source, outline: Outline) -> None:
    inner = node.child_by_field_name("definition")
    if inner is None:
        return
    found = class_of if inner.type == "class_definition" else function_of
    made = found(inner, source, decorators_of(node, source))
    outline.add(made.name, made)
    if b"global" in source.data[node.start_byte : node.end_byte]:
        _function(inner, source, outline) if inner.type == "function_definition" else _class(inner, source, outline)


def _import(node: Node, source: Source, outline: Outline) -> None:
    for found in python.RULES.imports(node, source):
        if found.name == "*":
            outline.stars.append((found.module, found.level))
        elif found.bound:
            module = found.module if found.name or found.alias else found.module.split(".")[0]
            outline.add(found.bound, Imported(module, found.name, found.level))


def _type_alias(node: Node, source: Source, outline: Outline) -> None:
    name = next(_identifiers(node), None)
    for target in _identifiers(node) if name is not None else ():
        outline.add(source.of(target), Variable(source.of(target)))


_READERS = {
    "assignment": _assignment,
    "augmented_assignment": _assignment,
    "function_definition": _function,
    "class_definition": _class,
    "decorated_definition": _decorated,
    "import_statement": _import,
    "import_from_statement": _import,
    "future_import_statement": _import,
    "type_alias_statement": _type_alias,
}
