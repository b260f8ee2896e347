"""A test that cannot fail: no assertion in it, a matcher that is not called, a mock's method that does not exist.

A test that calls something whose name promises a check is believed, and one that only has to not raise says so by its name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from assistant.review.rules.base import BOTH, Looking, Problem
from assistant.review.rules.page import SCRIPT, Function, Page, field, nth, statements, within
from assistant.review.rules.view import View, is_test

if TYPE_CHECKING:
    from tree_sitter import Node

_CHECKS = re.compile(
    r"\bassert|raises|warns|\bfail|check|verify|expect|should|must|ensure|compare|validate|match|testdir|pytester|benchmark|run_|doctest"
    r"|\bhas_|approve|snapshot|regression|capsys|caplog|xfail|skip|mypy|reveal_type|_test\(|test_\w+\(|typing",
    re.IGNORECASE,
)
_SMOKE = re.compile(
    r"smoke|not?_(?:raise|crash|error|fail|exception|op)|doesnt|does_not|without|import|runs|works|noop|ok$|valid|pickle|repr|close|init",
    re.IGNORECASE,
)
_MOCKED = re.compile(r"\.(?:called_once_with|called_with|called_once|has_calls|not_called|assert_called_once_with_)\s*\(")


def check(page: Page, view: View) -> Iterator[Problem]:
    if not is_test(view.path):
        return
    if page.language in SCRIPT:
        yield from _script(page)
        return
    for function in page.functions:
        if function.name.startswith("test_") and function.body is not None:
            yield from _python(page, function)


def _python(page: Page, function: Function) -> Iterator[Problem]:
    text = page.src(function.body)
    mocked = _MOCKED.search(text)
    if mocked is not None and re.search(r"\b[Mm]ock|\bpatch", page.text):
        at = (function.body or function.node).start_byte + len(text[: mocked.start()].encode())
        yield Problem(
            page.root.descendant_for_byte_range(at + 1, at + 2) or function.node,
            f"A mock answers `{mocked.group().strip('(').strip()}` with another mock: `assert_...` was meant.",
            severity="high",
            confidence=0.9,
        )
    last = next(iter(statements(function.body)[-1:]), None)
    computed = last is not None and last.type == "expression_statement" and _is_value(last)
    if _CHECKS.search(text) or _SMOKE.search(function.name) or not computed or _has_helpers(function):
        return
    if any("xfail" in mark or "skip" in mark or "raises" in mark or "benchmark" in mark for mark in function.decorators):
        return
    yield Problem(
        field(function.node, "name") or function.node,
        f"{function.name} computes a value at its end and asserts nothing: it passes whatever the code does.",
        key=function.qualified,
        touched=tuple(node for node in (field(function.node, "name"), last) if node is not None),
        evidence=(last,) if last is not None else (),
        severity="medium",
        confidence=0.8,
    )


def _is_value(statement: Node) -> bool:
    """Whether a statement binds a plain name, which nobody reads behind it."""
    inner = nth(statement, 0)
    left = field(inner, "left") if inner is not None and inner.type == "assignment" else None
    return left is not None and left.type == "identifier"


def _has_helpers(function: Function) -> bool:
    """Whether the test defines functions, or enters contexts, that may check."""
    return bool(within(function.body, "function_definition", "class_definition", "with_statement"))


def _script(page: Page) -> Iterator[Problem]:
    for statement in page.of("expression_statement"):
        value = nth(statement, 0)
        if value is None:
            continue
        text = page.src(value)
        arguments = field(value, "arguments")
        is_alone = arguments is not None and arguments.named_child_count == 1  # a second one may name the matcher
        if value.type == "call_expression" and page.src(field(value, "function")) == "expect" and is_alone:
            yield Problem(
                statement, "`expect(...)` alone checks nothing: a matcher is missing.", severity="high", confidence=0.95
            )
        elif (
            value.type == "member_expression"
            and re.match(r"expect\(", text)
            and re.search(r"\.to(?:Be|Equal|Have|Match|Throw)\w*$", text)
        ):
            yield Problem(
                statement,
                "The matcher is not called, so nothing is checked.",
                edits=((value.end_byte, value.end_byte, "()"),),
                severity="high",
                confidence=0.95,
            )


RULE = Looking("test-without-assertion", "test", BOTH, check)
