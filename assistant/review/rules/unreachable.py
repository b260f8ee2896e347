"""Code behind a return, raise, continue or break of the same block: it never runs.

Leaves out a ``yield`` that makes a generator of the function, and JavaScript's hoisted declarations.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from assistant.review.rules.base import BOTH, Problem, local
from assistant.review.rules.page import FUNCTIONS, Page, within

if TYPE_CHECKING:
    from tree_sitter import Node

_BLOCKS = ("block", "module", "statement_block", "program")
_ENDS = {
    "return_statement": "return",
    "raise_statement": "raise",
    "throw_statement": "throw",
    "continue_statement": "continue",
    "break_statement": "break",
}
_HARMLESS = frozenset(
    ("comment", "function_declaration", "generator_function_declaration", "empty_statement", ";", "pass_statement")
)
_TYPES = frozenset(("type_alias_declaration", "interface_declaration", "variable_declaration"))


def check(page: Page) -> Iterator[Problem]:
    for block in page.of(*_BLOCKS):
        children = [child for child in block.named_children if child.type not in _HARMLESS]
        for end, after in pairwise(children):
            if end.type in _ENDS:
                if not _is_meant(after):
                    yield _problem(end, after)
                break


def _is_meant(after: Node) -> bool:
    if after.type in _TYPES or after.has_error:
        return True
    return bool(within(after, "yield", "yield_expression", stop=FUNCTIONS))


def _problem(end: Node, after: Node) -> Problem:
    word = _ENDS[end.type]
    return Problem(
        after,
        f"This never runs: the {word} above always leaves the block first.",
        touched=(end, after),
        evidence=(end,),
        severity="high",
        confidence=0.9,
    )


RULE = local("unreachable-code", "bug", BOTH, check, lambda view: not view.is_test)
