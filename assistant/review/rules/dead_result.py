"""A statement that computes something and does nothing with it: an exception that is not raised, a comparison, a new string.

Also the value of a method that changes in place and gives None. Only calls whose meaning is fixed by the language count.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from assistant.review.rules.base import BOTH, Problem, local
from assistant.review.rules.page import SCRIPT, Page, around, field, nth, within

if TYPE_CHECKING:
    from tree_sitter import Node

_ERRORS = re.compile(r"(?:\w+\.)*(?:[A-Z]\w*)?(?:Error|Exception)")
_PURE = frozenset(("sorted", "reversed", "len", "str", "repr", "isinstance", "abs", "min", "max", "sum", "enumerate", "zip"))
_TEXT = frozenset(("strip", "lstrip", "rstrip", "lower", "upper", "title", "capitalize", "splitlines", "casefold"))
_SCRIPT_TEXT = frozenset(("trim", "toLowerCase", "toUpperCase", "concat", "toString", "trimEnd", "trimStart"))
_IN_PLACE = frozenset(("sort", "reverse", "append", "extend", "insert"))
_COMPARES = frozenset(("==", "!=", "<", ">", "<=", ">=", "===", "!=="))


def check(page: Page) -> Iterator[Problem]:
    for statement in page.of("expression_statement"):
        value = nth(statement, 0)
        if value is None or statement.named_child_count != 1 or _is_meant(page, statement):
            continue
        if value.type in ("call", "new_expression", "call_expression"):
            yield from _called(page, statement, value)
        elif value.type in ("comparison_operator", "binary_expression"):
            yield from _compared(page, statement, value)
    if page.language not in SCRIPT:
        for node in page.of("assignment", "return_statement"):
            yield from _in_place(page, node)
        for node in page.of("raise_statement"):
            yield from _raised(page, node)


def _is_meant(page: Page, statement: Node) -> bool:
    """Whether the value is thrown away on purpose: an expected exception, the last line of a notebook."""
    outer = around(statement, frozenset(("with_statement", "try_statement")))
    while outer is not None:
        head = page.src(outer)[:200]
        if "raises" in head or "warns" in head or "assertRaises" in head or "suppress" in head or outer.type == "try_statement":
            return True
        outer = around(outer, frozenset(("with_statement", "try_statement")))
    return False


def _called(page: Page, statement: Node, call: Node) -> Iterator[Problem]:
    function = field(call, "function") or field(call, "constructor")
    name = page.src(function)
    script = page.language in SCRIPT
    if _ERRORS.fullmatch(name) and script == (call.type == "new_expression"):
        word = "throw" if script else "raise"
        yield Problem(
            statement,
            f"{name} is made here and not {'thrown' if script else 'raised'}: the code goes on as if nothing were wrong.",
            edits=((statement.start_byte, statement.start_byte, f"{word} "),),
            severity="high",
            confidence=0.95,
        )
        return
    method = page.src(field(function, "attribute") or field(function, "property"))
    inside = page.function_at(statement)
    pure = name in _PURE and not script and page.writes[name] == 0 and not (inside and inside.name.startswith("test"))
    if pure or (method in (_SCRIPT_TEXT if script else _TEXT) and function is not None and _is_text(function)):
        yield Problem(
            statement,
            f"{name[-60:]}() gives a new value and changes nothing, and the value is thrown away.",
            severity="high",
            confidence=0.85,
        )


def _is_text(function: Node) -> bool:
    """Whether the receiver is a plain path, which a builder's or a widget's is as well: then without arguments only."""
    receiver = field(function, "object")
    arguments = field(function.parent, "arguments")
    return (
        receiver is not None
        and receiver.type in ("identifier", "attribute", "string", "member_expression")
        and (arguments is not None and arguments.named_child_count == 0)
    )


def _compared(page: Page, statement: Node, value: Node) -> Iterator[Problem]:
    operators = {child.type for child in value.children if not child.is_named}
    left = nth(value, 0)
    is_generic = left is not None and left.type == value.type == "binary_expression"  # f<T>(x), misread
    if not operators & _COMPARES or is_generic or within(value, "await", "yield"):
        return
    operator = next(child for child in value.children if child.type in _COMPARES)
    fixable = operator.type in ("==", "===") and value.named_child_count == 2 and page.language in SCRIPT | {"python"}
    function = page.function_at(statement)
    test = function is not None and function.name.startswith("test")
    said = "compares and does nothing with the answer"
    meant = "an `assert` is missing" if test else "an assignment was meant" if fixable else "an `if` or `assert` is missing"
    edits: tuple[tuple[int, int, str], ...] = ()
    if test and page.language == "python":
        edits = ((statement.start_byte, statement.start_byte, "assert "),)
    yield Problem(statement, f"This {said}: {meant}.", edits=edits, severity="high", confidence=0.93)


def _in_place(page: Page, node: Node) -> Iterator[Problem]:
    value = field(node, "right") if node.type == "assignment" else nth(node, 0)
    if value is None or value.type != "call":
        return
    function = field(value, "function")
    method, receiver = page.src(field(function, "attribute")), field(function, "object")
    arguments = field(value, "arguments")
    if method not in _IN_PLACE or receiver is None or not _is_list(page, node, receiver) or arguments is None:
        return
    yield Problem(
        node,
        f"{page.src(function)[:60]}() changes the list and gives None, and that is what is "
        f"{'kept' if node.type == 'assignment' else 'returned'} here.",
        severity="high",
        confidence=0.9,
    )


def _is_list(page: Page, node: Node, receiver: Node) -> bool:
    """Whether the receiver is a list by its binding in the same function."""
    if receiver.type in ("list", "list_comprehension"):
        return True
    function = page.function_at(node)
    name = page.src(receiver)
    scope = function.node if function is not None else page.root
    values = [field(a, "right") for a in within(scope, "assignment") if page.src(field(a, "left")) == name and a != node]
    return bool(values) and all(
        v is not None and (v.type in ("list", "list_comprehension") or page.src(v).startswith(("list(", "sorted(")))
        for v in values
    )


def _raised(page: Page, node: Node) -> Iterator[Problem]:
    value = nth(node, 0)
    name = page.src(value.named_children[0] if value is not None and value.type == "call" else value)
    if name == "NotImplemented" and value is not None:
        end = value.named_children[0].end_byte if value.type == "call" else value.end_byte
        yield Problem(
            node,
            "NotImplemented is no exception: raising it is a TypeError; NotImplementedError was meant.",
            edits=((end, end, "Error"),),
            severity="high",
            confidence=0.97,
        )


RULE = local("dead-result", "bug", BOTH, check)
