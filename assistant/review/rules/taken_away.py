"""A small change that takes something away and puts nothing in its place: an operand of a condition, a check, an argument, a
branch, an ``await``, a ``not``.

Compares the tokens of each hunk, so formatting and comments do not matter. Only in a change that is nothing else (``purpose``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from assistant.review.rules.base import BOTH, Across, Problem
from assistant.review.rules.page import Page, around, field, squeezed, statements
from assistant.review.rules.purpose import is_planned
from assistant.review.rules.tokens import differing, tokens
from assistant.review.rules.view import View
from assistant.review.types import Hunk

if TYPE_CHECKING:
    from tree_sitter import Node

MOST_TOKENS = 40
TELLING = 4
"""Letters from which on a text that stands elsewhere is the same one and no chance."""

SHOWN, LISTED = 0.8, 0.5
"""How sure it is of what was never meant on accepted commits, and of what sometimes was."""

_BARE = frozenset(("else", ":", "{", "}"))
_PARTS = re.compile(r"\n|\b(?:and|or|else|elif)\b|&&|\|\|")
_LOGICAL = frozenset(("and", "or", "&&", "||"))
_LEAVES = frozenset(("return_statement", "raise_statement", "throw_statement", "continue_statement", "break_statement"))
_HOLDERS = frozenset(("argument_list", "arguments", "list", "tuple", "set", "array", "dictionary", "object", "parameters"))
_OUTSIDE = re.compile(
    r"version_info|platform|TYPE_CHECKING|PY[23]\b|DEBUG|__DEV__|settings|config|import\b|deprecat|warn", re.IGNORECASE
)
_NOTHING = "and nothing came in its place."


def check(view: View) -> Iterator[Problem]:
    old, new = view.old, view.new
    if old is None or new is None or is_planned(view) or new.root.has_error or old.root.has_error:
        return
    for hunk in view.change.hunks:
        view.cancel.check()
        if "import " not in "\n".join(old.lines[hunk.old_start : hunk.old_end]):
            yield from _hunk(view, old, new, hunk)


def _hunk(view: View, old: Page, new: Page, hunk: Hunk) -> Iterator[Problem]:
    before, after = tokens(old, hunk.old_start, hunk.old_end), tokens(new, hunk.new_start, hunk.new_end)
    lost, come = differing(old, new, before, after)
    if not lost or come or len(lost) > MOST_TOKENS or not _is_in_function(old, lost):
        return
    text = old.source.slice(lost[0].start_byte, lost[-1].end_byte)
    said = _said(old, lost, text) if not _OUTSIDE.search(text) and not _is_other_call(view, lost, hunk) else None
    if said is None or _is_elsewhere(view, new, hunk, text):
        return
    place = next(i for i, node in enumerate(before) if node.start_byte == lost[0].start_byte)
    row = after[min(place, len(after) - 1)].start_point[0] if after else hunk.new_start
    message, confidence = said
    yield Problem(
        new.root,
        message,
        key=squeezed(text)[:200],
        severity="medium",
        confidence=confidence,
        row=min(row, len(new.lines) - 1),
    )


def _is_other_call(view: View, lost: list[Node], hunk: Hunk) -> bool:
    """Whether another hunk changed the head of the call or statement that the tokens are in."""
    outer = around(lost[0], frozenset(("call", "call_expression", "new_expression")))
    row = outer.start_point[0] if outer is not None else hunk.old_start
    return row in view.removed and not hunk.old_start <= row < hunk.old_end


def _is_elsewhere(view: View, new: Page, hunk: Hunk, text: str) -> bool:
    """Whether a part of what went came back in another hunk: the branch turned round, the test asked at another place."""
    written = "\n".join(line for one in view.change.hunks if one != hunk for line in new.lines[one.new_start : one.new_end])
    parts = [re.findall(r"\w+|[^\w\s]", part.strip(" \t:,;{}()")) for part in _PARTS.split(text)] if written else []
    telling = [words for words in parts if sum(map(len, filter(str.isidentifier, words))) >= TELLING]
    return any(re.search(r"(?<!\w)" + r"\s*".join(map(re.escape, words)) + r"(?!\w)", written) for words in telling)


def _is_in_function(page: Page, lost: list[Node]) -> bool:
    start, end = lost[0].start_byte, lost[-1].end_byte
    return any(one.node.start_byte <= start and end <= one.node.end_byte for one in page.functions)


def _said(page: Page, lost: list[Node], text: str) -> tuple[str, float] | None:
    """What the lost tokens were, in words, and how sure it is; ``None`` for a part of something that says nothing."""
    words = [page.src(node) for node in lost]
    shown = " ".join(text.split())
    if len(shown) > 80:
        shown = f"{shown[:76]} ..."
    if words in (["not"], ["!"]):
        if lost[0].parent is not None and lost[0].parent.type == "non_null_expression":
            return None
        return f"The `{words[0]}` is gone, and this test is turned round.", SHOWN
    if words[0] in _LOGICAL or words[-1] in _LOGICAL:
        operand = re.sub(r"^(?:and|or|&&|\|\|)\s+|\s+(?:and|or|&&|\|\|)$", "", shown)
        if operand.startswith("len("):
            return None  # the value itself is asked beside it
        return f"The test `{operand}` is gone from this condition, {_NOTHING}", SHOWN
    if words == ["await"]:
        return "The `await` is gone: what follows no longer waits.", SHOWN
    if words == ["(", ")"]:
        return "The brackets are gone: this is the function itself now, and nothing calls it.", SHOWN
    if words[0] in ("else", "elif"):
        if set(words) <= _BARE and _leaves_before(lost[0]):
            return None  # what stood below it still runs in no other case
        return f"The branch `{shown}` is gone, {_NOTHING}", SHOWN
    if words[0] == "," or words[-1] == ",":
        return _listed(lost, shown.strip(", "))
    return _statement(_covering(page, lost), shown)


def _leaves_before(word: Node) -> bool:
    """Whether the branch in front of an ``else`` ends the function or the turn of the loop."""
    clause = around(word, frozenset(("if_statement",)))
    body = field(clause, "consequence")
    inside = statements(body) if body is not None and body.type in ("block", "statement_block") else [body]
    return bool(inside) and inside[-1] is not None and inside[-1].type in _LEAVES


def _listed(lost: list[Node], shown: str) -> tuple[str, float] | None:
    holder = around(lost[len(lost) // 2], _HOLDERS)
    if holder is None or holder.type == "parameters" or not shown:
        return None
    what = (
        f"The argument `{shown}` is gone from this call"
        if holder.type.startswith("argument")
        else f"`{shown}` is gone from these"
    )
    return f"{what}, {_NOTHING}", LISTED


def _statement(node: Node | None, shown: str) -> tuple[str, float] | None:
    if node is None:
        return None
    if node.type == "if_statement" and not node.children_by_field_name("alternative"):
        body = field(node, "consequence")
        inside = statements(body) if body is not None and body.type in ("block", "statement_block") else [body]
        is_guard = bool(inside) and inside[-1] is not None and inside[-1].type in _LEAVES
        return f"The check `{shown}` is gone, {_NOTHING}", SHOWN if is_guard else LISTED
    if node.type in _LEAVES:
        return f"`{shown}` is gone: the code goes on here.", LISTED
    return (f"`{shown}` is gone, {_NOTHING}", LISTED) if node.type == "expression_statement" else None


def _covering(page: Page, lost: list[Node]) -> Node | None:
    """The largest node that is these tokens and no more."""
    start, end = lost[0].start_byte, lost[-1].end_byte
    node = page.root.descendant_for_byte_range(start, end)
    while node is not None and node.parent is not None and node.parent.start_byte >= start and node.parent.end_byte <= end:
        node = node.parent
    return node if node is not None and (node.start_byte, node.end_byte) == (start, end) else None


RULE = Across("taken-away", "bug", BOTH, check)
