"""A default value that all calls share and that the function changes or gives away; a mutable default of a dataclass field.

A mutable default that is only read does no harm and is not commented.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from assistant.review.rules.base import PYTHON, Edit, Problem, local
from assistant.review.rules.page import Function, Page, field, nth, statements, within
from assistant.workspace.grammar.python import docstring

if TYPE_CHECKING:
    from tree_sitter import Node

_LITERALS = frozenset(("list", "dictionary", "set", "list_comprehension", "dictionary_comprehension", "set_comprehension"))
_MAKERS = re.compile(
    r"(?:list|dict|set|bytearray|(?:collections\.)?(?:defaultdict|OrderedDict|deque|Counter))\s*\(.*\)", re.DOTALL
)
_METHODS = "append extend insert remove pop popitem clear update add discard setdefault sort reverse appendleft"
_CHANGING = frozenset(_METHODS.split())


def check(page: Page) -> Iterator[Problem]:
    for function in page.functions:
        parameters = field(function.node, "parameters")
        for parameter in parameters.named_children if parameters is not None else ():
            value, name = field(parameter, "value"), page.src(field(parameter, "name"))
            if value is not None and _is_mutable(page, value):
                yield from _parameter(page, function, parameter, name, value)
    for cls in page.of("class_definition"):
        yield from _dataclass(page, cls)


def _is_mutable(page: Page, value: Node) -> bool:
    return value.type in _LITERALS or (value.type == "call" and _MAKERS.fullmatch(page.src(value)) is not None)


def _parameter(page: Page, function: Function, parameter: Node, name: str, value: Node) -> Iterator[Problem]:
    use = _change(page, function, name)
    if use is None:
        return
    node, what = use
    yield Problem(
        parameter,
        f"All calls of {function.name} share this one default value, and {what}: what one call puts in is there in the next.",
        key=f"{name}={page.src(value)}",
        touched=(parameter, node),
        evidence=(node,),
        edits=_edits(page, function, name, value),
        severity="high",
        confidence=0.9,
    )


def _change(page: Page, function: Function, name: str) -> tuple[Node, str] | None:
    """Where the function changes its parameter or lets it escape, and in words; nothing where it is bound anew first."""
    uses = [node for node in within(function.body, "identifier") if page.src(node) == name]
    for use in uses:
        parent = use.parent
        if parent is None:
            continue
        if parent.type in ("assignment", "for_statement") and field(parent, "left") == use:
            return None  # `x = x or []` and the like
        if parent.type in ("augmented_assignment", "subscript", "attribute") and (
            found := _changed_by(page, use, parent, name)
        ):
            return parent, found
        if parent.type == "return_statement":
            return parent, f"{name} is returned"
        if (
            parent.type == "assignment"
            and field(parent, "right") == use
            and page.src(field(parent, "left")).startswith("self.")
        ):
            return parent, f"it is kept in {page.src(field(parent, 'left'))}"
    return None


def _changed_by(page: Page, use: Node, parent: Node, name: str) -> str:
    outer = parent.parent
    if parent.type == "augmented_assignment" and field(parent, "left") == use:
        return f"{name} is added to in place"
    if parent.type == "subscript" and field(parent, "value") == use and outer is not None:
        if outer.type in ("assignment", "augmented_assignment") and field(outer, "left") == parent:
            return f"an item of {name} is assigned"
        return f"an item of {name} is deleted" if outer.type == "delete_statement" else ""
    method = page.src(field(parent, "attribute"))
    if parent.type == "attribute" and method in _CHANGING and outer is not None and outer.type == "call":
        return f"{name}.{method}() changes it"
    return ""


def _edits(page: Page, function: Function, name: str, value: Node) -> tuple[Edit, ...]:
    body = statements(function.body)
    if not body or function.body is None or function.body.start_point[0] == function.node.start_point[0]:
        return ()
    text = docstring(function.body)
    rest = body[1:] if text is not None else body
    if not rest:
        return ()
    first = rest[0]
    indent = " " * first.start_point[1]
    made = page.src(value)
    test = f"if {name} is None:\n{indent}    {name} = {made}\n{indent}"
    edits: tuple[Edit, ...] = ((value.start_byte, value.end_byte, "None"), (first.start_byte, first.start_byte, test))
    annotation = next((p.annotation for p in function.parameters if p.name == name), "")
    return edits if not annotation else ()  # the annotation would have to say None too


def _dataclass(page: Page, cls: Node) -> Iterator[Problem]:
    outer = cls.parent
    marks = [page.src(child) for child in outer.named_children if child.type == "decorator"] if outer is not None else []
    if not any(re.match(r"@\s*(?:dataclasses\.)?dataclass\b", mark) for mark in marks):
        return
    for statement in statements(field(cls, "body")):
        node = nth(statement, 0) if statement.type == "expression_statement" else None
        value = field(node, "right") if node is not None and node.type == "assignment" else None
        annotation = page.src(field(node, "type"))
        if node is None or value is None or not annotation or "ClassVar" in annotation or not _is_mutable(page, value):
            continue
        made = {"list": "list", "dictionary": "dict", "set": "set"}.get(value.type, "")
        empty = made and value.named_child_count == 0
        yield Problem(
            node,
            f"A dataclass refuses a mutable default: {page.src(field(node, 'left'))} needs field(default_factory=...), "
            "or the class raises ValueError when it is defined.",
            edits=((value.start_byte, value.end_byte, f"field(default_factory={made})"),)
            if empty and "import field" in page.text
            else (),
            severity="high",
            confidence=0.95,
        )


RULE = local("mutable-default", "bug", PYTHON, check)
