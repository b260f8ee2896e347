"""An index one beyond the end, by what stands beside it: ``x[len(x)]``, a loop up to ``len(x) + 1`` or ``<= x.length`` over
``x[i]``, ``x[i + 1]`` in a loop over all of ``x``.

Reads one loop or one expression; a test, a ``try`` or a break in between silences it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from assistant.review.rules.base import BOTH, Problem, local
from assistant.review.rules.page import SCRIPT, Page, around, bare, field, nth, squeezed, within

if TYPE_CHECKING:
    from tree_sitter import Node

_GUARDS = frozenset(
    ("if_statement", "try_statement", "conditional_expression", "ternary_expression", "if_clause", "boolean_operator")
)
_RANGE = re.compile(r"range\((?:0,)?len\(([\w.]+)\)(\+1)?\)")


def check(page: Page) -> Iterator[Problem]:
    if page.language in SCRIPT:
        yield from _script(page)
        return
    for node in page.of("subscript"):
        yield from _beyond(page, node)
    for loop in page.of("for_statement"):
        found = _RANGE.fullmatch(squeezed(page.src(field(loop, "right"))))
        name = page.src(field(loop, "left"))
        if found is not None and name.isidentifier():
            yield from _loop(page, loop, found.group(1), name, bool(found.group(2)))


def _beyond(page: Page, node: Node) -> Iterator[Problem]:
    owner, index = squeezed(page.src(field(node, "value"))), squeezed(page.src(field(node, "subscript")))
    outer = node.parent
    if index == f"len({owner})" and not (outer is not None and outer.type == "assignment" and field(outer, "left") == node):
        yield Problem(
            node,
            f"The last item of {owner} is at len({owner}) - 1: this raises IndexError.",
            severity="high",
            confidence=0.9,
        )


def _loop(page: Page, loop: Node, owner: str, name: str, is_long: bool) -> Iterator[Problem]:
    for node in within(field(loop, "body"), "subscript"):
        if page.src(field(node, "value")) != owner or around(node, _GUARDS, frozenset(("for_statement",))) is not None:
            continue
        index = squeezed(page.src(field(node, "subscript")))
        outer = node.parent
        written = outer is not None and outer.type == "assignment" and field(outer, "left") == node
        if (is_long and index == name) or (not is_long and index == f"{name}+1" and not _leaves_early(page, loop, name)):
            right = field(loop, "right")
            said = (
                "one more than it has items"
                if is_long
                else f"all of {owner}, and {owner}[{name} + 1] is beyond its end in the last turn"
            )
            yield Problem(
                node,
                f"The loop runs over {said}: this raises IndexError.",
                touched=tuple(part for part in (node, right) if part is not None),
                evidence=(loop,),
                severity="high",
                confidence=0.85 if not written else 0.6,
            )
            return


def _leaves_early(page: Page, loop: Node, name: str) -> bool:
    """Whether the body tests the index, or leaves the loop."""
    body = field(loop, "body")
    return any(name in page.src(field(node, "condition")) for node in within(body, "if_statement")) or bool(
        within(body, "break_statement", "return_statement")
    )


def _script(page: Page) -> Iterator[Problem]:
    for loop in page.of("for_statement"):
        condition = bare(field(loop, "condition"))
        if condition is not None and condition.type == "expression_statement":
            condition = bare(nth(condition, 0))
        name, limit = page.src(field(condition, "left")), page.src(field(condition, "right"))
        if page.src(field(condition, "operator")) != "<=" or not limit.endswith(".length") or condition is None:
            continue
        owner = limit.removesuffix(".length")
        for node in within(field(loop, "body"), "subscript_expression"):
            if page.src(field(node, "object")) == owner and page.src(field(node, "index")) == name:
                operator = next(child for child in condition.children if child.type == "<=")
                yield Problem(
                    condition,
                    f"The last turn reads {owner}[{owner}.length], which is undefined.",
                    evidence=(node,),
                    edits=((operator.start_byte, operator.end_byte, "<"),),
                    severity="high",
                    confidence=0.93,
                )
                break


RULE = local("off-by-one", "bug", BOTH, check)
