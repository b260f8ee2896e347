"""``is`` with a number, a string or a tuple: it asks for the same object, not for an equal value; JavaScript's ``=== NaN``.

Knows literals only, not the values of names.
"""

from __future__ import annotations

from collections.abc import Iterator

from assistant.review.rules.base import BOTH, Problem, local
from assistant.review.rules.page import SCRIPT, Page, bare, field

_VALUES = frozenset(("integer", "float", "string", "concatenated_string", "tuple", "list", "dictionary", "set"))
_FRESH = frozenset(("object", "array", "regex"))
_EQUALS = frozenset(("===", "==", "!==", "!="))
_KINDS = "undefined object boolean number bigint string symbol function"
_TYPEOF = frozenset(_KINDS.split())


def check(page: Page) -> Iterator[Problem]:
    yield from _script(page) if page.language in SCRIPT else _python(page)


def _python(page: Page) -> Iterator[Problem]:
    for node in page.of("comparison_operator"):
        children = node.children
        for i in range(1, len(children) - 1):
            operator = children[i]
            if operator.type not in ("is", "is not"):
                continue
            literal = next(
                (c for c in (bare(children[i - 1]), bare(children[i + 1])) if c is not None and c.type in _VALUES), None
            )
            if literal is None:
                continue
            equal = "==" if operator.type == "is" else "!="
            yield Problem(
                node,
                f"`{operator.type}` asks whether both are one object, and nobody promises that of {page.src(literal)[:40]}; "
                f"`{equal}` compares the values.",
                edits=((operator.start_byte, operator.end_byte, equal),),
                severity="high",
                confidence=0.95,
            )


def _script(page: Page) -> Iterator[Problem]:
    for node in page.of("binary_expression"):
        operator, left, right = page.src(field(node, "operator")), bare(field(node, "left")), bare(field(node, "right"))
        if operator not in _EQUALS or left is None or right is None:
            continue
        for one, other in ((left, right), (right, left)):
            if page.src(one) in ("NaN", "Number.NaN"):
                yield Problem(
                    node, "Nothing equals NaN, not even NaN; Number.isNaN asks for it.", severity="high", confidence=0.95
                )
            elif one.type in _FRESH and operator in ("===", "!=="):
                constant = "false" if operator == "===" else "true"
                yield Problem(
                    node,
                    f"A new object is never identical to another one: this is always {constant}.",
                    severity="high",
                    confidence=0.95,
                )
            elif one.type == "unary_expression" and page.src(one).startswith("typeof") and other.type == "string":
                kind = page.src(other)[1:-1]
                if kind not in _TYPEOF:
                    yield Problem(node, f"typeof never gives {kind!r}.", severity="high", confidence=0.95)


RULE = local("identity-comparison", "bug", BOTH, check)
