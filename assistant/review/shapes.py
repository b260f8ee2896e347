"""What a small bug looks like, from the right and the wrong text alone: which of its kinds a rule without knowledge could see.

Read from the tokens that differ. No rule is asked, so that the share of bugs that rules find has an honest denominator.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from assistant.review.diff import hunks
from assistant.review.rules.page import Page, page_of, within
from assistant.review.rules.tokens import differing, tokens

if TYPE_CHECKING:
    from tree_sitter import Node

SEEN = frozenset(
    (
        *("guard", "await", "return", "name", "swap", "operator", "off-by-one", "call", "argument", "condition", "exception"),
        *("resource", "import", "keyword", "order"),
    )
)
"""Shapes of which some rule speaks. The rest (``literal``, ``statement``, ``rewrite``) takes knowledge of what was meant."""

_OPERATORS = frozenset("+ - * / // % ** == != < > <= >= and or not in is && || ! === !== & | ^ << >> += -= *=".split())  # noqa: SIM905
_KEYWORDS = ("continue", "break", "pass", "yield", "global", "nonlocal", "from")
MOST_TOKENS = 60


def shape_of(right: str, wrong: str, language: str) -> str:
    """The shape of the bug that turns ``right`` into ``wrong``; "" where there is no grammar."""
    old, new = page_of(right, language), page_of(wrong, language)
    if old is None or new is None:
        return ""
    pieces = hunks(right, wrong)
    before = [token for one in pieces for token in tokens(old, one.old_start, one.old_end)]
    after = [token for one in pieces for token in tokens(new, one.new_start, one.new_end)]
    lost, come = differing(old, new, before, after)
    if not lost and not come:
        return ""
    if max(len(lost), len(come)) > MOST_TOKENS:
        return "rewrite"
    return _named(old, new, lost, come, before, after)


def _named(old: Page, new: Page, lost: list[Node], come: list[Node], before: list[Node], after: list[Node]) -> str:
    gone, here = [old.src(node) for node in lost], [new.src(node) for node in come]
    if sorted(gone) == sorted(here):
        return "swap" if len(gone) <= 7 else "order"
    if len(gone) == len(here) == 1:
        return _single(lost[0], come[0], gone[0], here[0])
    only_lost, only_come = not here, not gone
    if "await" in gone and "await" not in here and len(gone) - len(here) <= 3:
        return "await"
    if ("return" in gone) != ("return" in here) and min(len(gone), len(here)) <= 12:
        return "return" if not ("if" in gone or "if" in here) else "guard"
    if any(word in gone for word in ("if", "raise", "assert", "elif")) and len(here) <= 2:
        return "guard"
    if any(word in (*gone, *here) for word in ("try", "except", "catch", "finally", "raise", "throw")):
        return "exception"
    if any(word in gone for word in ("with", "close", "super", "release")):
        return "resource" if "super" not in gone else "call"
    if "import" in gone and only_lost:
        return "import"
    if _is_in_condition(lost) and _is_in_condition(come or lost):
        return "condition"
    if (only_lost or only_come) and all(_is_argument(node) for node in (lost or come)):
        return "argument"
    if set(gone) ^ set(here) <= _OPERATORS | {"(", ")"}:
        return "operator"
    if len(gone) <= 3 and len(here) <= 3 and {"1", "-", "+"} & set(gone + here):
        return "off-by-one"
    if only_lost and len(within(old.root, "call")) != len(within(new.root, "call")):
        return "statement"
    return "literal" if all(node.type in ("string", "integer", "float", "number") for node in (*lost, *come)) else "rewrite"


def _single(was: Node, now: Node, gone: str, here: str) -> str:
    if gone in _OPERATORS or here in _OPERATORS:
        return "operator"
    if {was.type, now.type} & {"integer", "number"}:
        return "off-by-one" if gone.isdigit() and here.isdigit() and abs(int(gone) - int(here)) == 1 else "literal"
    if was.type in ("identifier", "property_identifier") and now.type in ("identifier", "property_identifier"):
        return "name"
    return "keyword" if gone in _KEYWORDS or here in _KEYWORDS else "literal"


def _is_in_condition(nodes: list[Node]) -> bool:
    """Whether all tokens stand in the test of an if, a while, an assert or a comprehension."""
    return bool(nodes) and all(_condition_of(node) for node in nodes)


def _condition_of(node: Node) -> bool:
    here: Node | None = node
    while here is not None and here.parent is not None:
        if here.parent.type in (
            "if_statement",
            "elif_clause",
            "while_statement",
            "conditional_expression",
            "if_clause",
            "assert_statement",
        ):
            return here.parent.child_by_field_name("consequence") != here and here.type not in ("block", "statement_block")
        here = here.parent
    return False


def _is_argument(node: Node) -> bool:
    here: Node | None = node
    while here is not None and here.type not in ("block", "statement_block", "module", "program"):
        if here.type in ("argument_list", "arguments"):
            return True
        here = here.parent
    return False
