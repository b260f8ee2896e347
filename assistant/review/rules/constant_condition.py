"""Conditions that are always true or always false, and operands that are there twice: what was meant is something else.

Reads the shape of one expression: names are not followed, calls count as different each time.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, pairwise
from typing import TYPE_CHECKING

from assistant.review.rules.base import BOTH, Problem, local
from assistant.review.rules.page import Page, bare, field, nth, squeezed, within
from assistant.review.rules.resolve import named

if TYPE_CHECKING:
    from tree_sitter import Node

_LITERALS = frozenset(("string", "integer", "float", "number", "concatenated_string"))
_BOOLEAN = ("boolean_operator", "binary_expression")
_COMPARED = ("comparison_operator", "binary_expression")
_SAME = frozenset(("==", "!=", "<", ">", "<=", ">=", "is", "is not", "===", "!=="))
_IFS = ("if_statement", "elif_clause", "while_statement", "conditional_expression")
_AND, _OR = frozenset(("and", "&&")), frozenset(("or", "||"))
_UNEQUAL, _EQUAL = frozenset(("!=", "!==", "is not")), frozenset(("==", "===", "is"))


def check(page: Page) -> Iterator[Problem]:
    for node in page.of(*_BOOLEAN):
        operator = page.src(field(node, "operator"))
        outer = node.parent
        if operator in _AND | _OR and not (
            outer is not None and outer.type == node.type and _operator(page, outer) == operator
        ):
            yield from _boolean(page, node, operator, _operands(page, node, operator))
    for node in page.of(*_COMPARED):
        yield from _compared(page, node)
    for node in page.of("if_statement"):
        yield from _chain(page, node)
    if page.language == "python":
        for node in page.of("assert_statement"):
            yield from _asserted(node)
        for node in page.of(*_IFS):
            yield from _tested(page, node)


def _operator(page: Page, node: Node) -> str:
    return page.src(field(node, "operator"))


def _operands(page: Page, node: Node, operator: str) -> list[Node]:
    """The operands of a chain ``a or b or c``."""
    found: list[Node] = []
    pending = [node]
    while pending:
        here = bare(pending.pop())
        if here is not None and here.type in _BOOLEAN and _operator(page, here) == operator:
            pending += [side for side in (field(here, "right"), field(here, "left")) if side is not None]
        elif here is not None:
            found.append(here)
    return found


def _boolean(page: Page, node: Node, operator: str, operands: list[Node]) -> Iterator[Problem]:
    seen: dict[str, Node] = {}
    for operand in operands:
        text = squeezed(page.src(operand))
        if text in seen and not _does_something(operand):
            yield Problem(
                operand,
                f"`{_short(page, operand)}` stands twice in this condition: another operand was meant.",
                touched=(operand, seen[text]),
                severity="high",
                confidence=0.85,
            )
        seen[text] = operand
    for one, two in combinations(operands, 2):
        yield from _opposed(page, node, operator, one, two)
    for operand in operands[:-1]:
        if operand.type in _LITERALS and not within(operand, "interpolation") and page.src(operand) not in ('""', "''"):
            yield Problem(
                operand,
                f"{page.src(operand)[:40]} is a literal and always true: it was meant to be part of a comparison.",
                severity="high",
                confidence=0.9,
            )
    for left, right in pairwise(operands):
        if operator in _OR and right.type in _LITERALS and left.type in _COMPARED and _compares_literal(page, left):
            yield Problem(
                right,
                f"{page.src(right)} is true by itself, so the whole condition always is; "
                f"compare it too: `{page.src(_sides(page, left)[0])} in (...)`.",
                severity="high",
                confidence=0.93,
            )


def _sides(page: Page, node: Node) -> tuple[Node | None, str, Node | None]:
    """Left side, operator and right side of a plain comparison."""
    if node.type == "binary_expression":
        return bare(field(node, "left")), _operator(page, node), bare(field(node, "right"))
    if node.type == "comparison_operator" and node.named_child_count == 2:
        children = node.children
        words = " ".join(child.type for child in children if not child.is_named)
        return bare(nth(node, 0)), words, bare(nth(node, 1))
    return None, "", None


def _compares_literal(page: Page, node: Node) -> bool:
    left, operator, right = _sides(page, node)
    return left is not None and right is not None and operator in _EQUAL and right.type in _LITERALS


def _opposed(page: Page, node: Node, operator: str, one: Node, two: Node) -> Iterator[Problem]:
    """``x != 1 or x != 2``, ``x == 1 and x == 2``."""
    left, first, right = _sides(page, one)
    left2, second, right2 = _sides(page, two)
    if None in (left, right, left2, right2) or first != second or squeezed(page.src(left)) != squeezed(page.src(left2)):
        return
    if not (_is_literal(right) and _is_literal(right2)) or page.src(right) == page.src(right2):
        return
    if (operator in _OR and first in _UNEQUAL) or (operator in _AND and first in _EQUAL):
        if left is not None and _does_something(left):
            return
        constant, other = ("true", "and" if page.language == "python" else "&&")
        if operator in _AND:
            constant, other = ("false", "or" if page.language == "python" else "||")
        mark = next((child for child in node.children if child.type == operator), None)
        fixable = mark is not None and node.named_child_count == 2 and node.named_children == [one, two]
        yield Problem(
            node,
            f"This is always {constant}: `{_short(page, left)}` cannot be both {page.src(right)[:30]} "
            f"and {page.src(right2)[:30]}; `{other}` was meant.",
            edits=((mark.start_byte, mark.end_byte, other),) if fixable and mark is not None else (),
            severity="high",
            confidence=0.95,
        )


def _is_literal(node: Node | None) -> bool:
    if node is None or (node.type == "string" and within(node, "interpolation")):
        return False
    return node.type in _LITERALS or node.type in ("none", "true", "false", "null", "undefined")


def _compared(page: Page, node: Node) -> Iterator[Problem]:
    left, operator, right = _sides(page, node)
    if left is None or right is None:
        return
    if operator in _SAME and squeezed(page.src(left)) == squeezed(page.src(right)) and not _does_something(left):
        simple = left.type in ("identifier", "attribute", "member_expression", "subscript")
        if (simple and operator not in ("==", "!=", "===", "!==")) or left.type in ("attribute", "member_expression"):
            yield Problem(
                node,
                f"Both sides are `{_short(page, left)}`: this compares a value with itself.",
                severity="high",
                confidence=0.8,
            )
    length = page.src(left)
    is_length = (left.type == "call" and length.startswith("len(")) or length.endswith(".length")
    if is_length and page.src(right) == "0" and operator in ("<", ">="):
        constant = "false" if operator == "<" else "true"
        yield Problem(node, f"A length is never negative: this is always {constant}.", severity="high", confidence=0.95)


def _chain(page: Page, node: Node) -> Iterator[Problem]:
    """The same condition twice in one ``if``/``elif`` chain."""
    outer = node.parent
    if outer is not None and outer.type == "else_clause":
        return
    seen: dict[str, Node] = {}
    for condition in _conditions(node):
        text = squeezed(page.src(bare(condition)))
        if text in seen and not _does_something(condition):
            yield Problem(
                condition,
                f"`{_short(page, condition)}` is tested above in the same chain, so this branch never runs.",
                touched=(condition, seen[text]),
                evidence=(seen[text],),
                severity="high",
                confidence=0.92,
            )
        seen.setdefault(text, condition)


def _conditions(node: Node) -> Iterator[Node]:
    here: Node | None = node
    while here is not None:
        condition = field(here, "condition")
        if condition is not None:
            yield condition
        following = here.children_by_field_name("alternative")
        here = None
        for part in following:
            inner = field(part, "condition")
            if part.type == "elif_clause" and inner is not None:
                yield inner
            elif part.type == "else_clause" and part.named_child_count and part.named_children[0].type == "if_statement":
                here = part.named_children[0]


def _asserted(node: Node) -> Iterator[Problem]:
    value = nth(node, 0)
    if value is not None and value.type == "tuple" and value.named_child_count and node.named_child_count == 1:
        parts = value.named_children
        edits = (
            ((value.start_byte, parts[0].start_byte, ""), (parts[-1].end_byte, value.end_byte, "")) if len(parts) == 2 else ()
        )
        yield Problem(
            node,
            "This asserts a tuple, and a tuple with something in it is always true: the test never fails.",
            edits=edits,
            severity="high",
            confidence=0.97,
        )


def _tested(page: Page, node: Node) -> Iterator[Problem]:
    """A function that is not called, a tuple, or a literal as a condition."""
    condition = nth(node, 1) if node.type == "conditional_expression" else field(node, "condition")
    for part in _all_operands(condition):
        inner = bare(nth(part, 0) if part.type == "not_operator" else part)
        if inner is None:
            continue
        if inner.type == "tuple" and inner.named_child_count:
            yield Problem(inner, "A tuple with something in it is always true.", severity="high", confidence=0.95)
        elif inner.type == "named_expression":
            yield from _walrus(page, inner)
        elif inner.type == "identifier":
            function = named(page, inner)
            if function is not None and not function.decorators and page.writes[function.name] == 1:
                yield Problem(
                    inner,
                    f"{function.name} is a function and is not called here: the condition is always true.",
                    evidence=(function.node,),
                    edits=((inner.end_byte, inner.end_byte, "()"),) if not function.parameters else (),
                    severity="high",
                    confidence=0.9,
                )


def _walrus(page: Page, node: Node) -> Iterator[Problem]:
    """``if x := f() not in (...)``: the name gets the answer of the comparison."""
    value, name = field(node, "value"), page.src(field(node, "name"))
    is_set_apart = node.parent is not None and node.parent.type == "parenthesized_expression"  # and so meant
    if value is None or value.type != "comparison_operator" or is_set_apart:
        return
    first = nth(value, 0)
    yield Problem(
        node,
        f"`:=` binds weaker than the comparison: {name} gets True or False, not `{_short(page, first)}`.",
        edits=((node.start_byte, node.start_byte, "("), (first.end_byte, first.end_byte, ")")) if first is not None else (),
        severity="high",
        confidence=0.88,
    )


def _all_operands(condition: Node | None) -> list[Node]:
    found: list[Node] = []
    pending = [condition] if condition is not None else []
    while pending:
        here = bare(pending.pop())
        if here is not None and here.type == "boolean_operator":
            pending += [side for side in (field(here, "left"), field(here, "right")) if side is not None]
        elif here is not None:
            found.append(here)
    return found


def _does_something(node: Node) -> bool:
    """Whether evaluating it twice may give two values."""
    types = (
        "call",
        "call_expression",
        "await",
        "await_expression",
        "named_expression",
        "yield",
        "update_expression",
        "new_expression",
    )
    return bool(within(node, *types, "assignment_expression"))


def _short(page: Page, node: Node | None) -> str:
    return " ".join(page.src(node).split())[:60]


RULE = local("constant-condition", "bug", BOTH, check)
