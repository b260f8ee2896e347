"""A check that the change took away while the value it checked still arrives from outside and is still used.

A guard is an ``if`` that only leaves (raise, return, continue), or an assert outside of tests. Silent where anything speaks
for a purpose: the condition or the message is elsewhere in the change, what came in its place names the value, the function
was rewritten.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from assistant.review.rules.base import BOTH, Across, Problem
from assistant.review.rules.page import Function, Page, bare, field, nth, squeezed, statements, within
from assistant.review.rules.purpose import is_planned
from assistant.review.rules.view import Pair, View
from assistant.review.types import Hunk
from assistant.review.words import has_word

if TYPE_CHECKING:
    from tree_sitter import Node

_LEAVES = frozenset(("return_statement", "raise_statement", "throw_statement", "continue_statement", "break_statement"))
_NAMES = ("identifier", "attribute", "member_expression")
MOST_REMOVED = 12
"""Lines; a function that lost more was rewritten, and nobody can say what was a mistake."""

MOST_GUARD = 12  # lines of a guard
_OUTSIDE = ("version_info", "platform", "TYPE_CHECKING", "__debug__", "PY2", "PY3", "DEBUG", "settings", "config")


def check(view: View) -> Iterator[Problem]:
    if view.is_test or view.old is None or view.new is None or is_planned(view):
        return
    for pair in view.pairs:
        view.cancel.check()
        lost = sum(1 for row in _rows(pair.old) if row in view.removed and _is_code(pair.before.lines[row]))
        if lost <= MOST_REMOVED:
            for guard in _guards(view, pair.old):
                yield from _judge(view, pair, guard)


def _is_code(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith(("#", "//"))


def _rows(function: Function) -> range:
    return range(function.node.start_point[0], function.node.end_point[0] + 1)


def _guards(view: View, function: Function) -> Iterator[Node]:
    """Removed statements that only check."""
    for node in within(function.body, "if_statement", "assert_statement"):
        head = field(node, "condition") or node
        if head.start_point[0] not in view.removed or node.end_point[0] - node.start_point[0] >= MOST_GUARD:
            continue
        if node.type == "assert_statement" or (_leaves(node) and all(row in view.removed for row in _span(node))):
            yield node


def _span(node: Node) -> range:
    return range(node.start_point[0], node.end_point[0] + 1)


def _leaves(node: Node) -> bool:
    if node.children_by_field_name("alternative"):
        return False
    body = field(node, "consequence")
    inside = statements(body) if body is not None and body.type in ("block", "statement_block") else [body] if body else []
    return bool(inside) and len(inside) <= 2 and inside[-1].type in _LEAVES


def _judge(view: View, pair: Pair, guard: Node) -> Iterator[Problem]:
    old, new = pair.before, pair.after
    condition = bare(field(guard, "condition") or nth(guard, 0))
    hunk = next((hunk for hunk in view.change.hunks if hunk.old_start <= guard.start_point[0] < hunk.old_end), None)
    if condition is None or hunk is None or any(word in old.src(condition) for word in _OUTSIDE):
        return
    subject = _subject(old, condition, pair)
    if not subject or _is_dismantled(old, condition, new) or _is_replaced(new, hunk, subject):
        return
    if _is_elsewhere(view, old, condition, guard):
        return
    row = min(hunk.new_start, len(new.lines) - 1)
    use = _use_after(new, pair.new, subject, row)
    next_one = use or (_statement_at(pair.new, row) if subject.startswith(("self.", "cls.", "this.")) else None)
    if next_one is None:
        return
    what = " ".join(old.src(guard).split())[:90]
    then = (
        f"{subject} is still used in line {use.start_point[0] + 1}"
        if use is not None
        else f"line {row + 1} runs in every case now"
    )
    yield Problem(
        next_one,
        f"The check `{what}` is gone, and {then}: what the check kept out gets there.",
        key=squeezed(old.src(guard)),
        evidence=(next_one,),
        severity="medium",
        confidence=0.55 if guard.type == "assert_statement" else 0.75,  # asserts come and go with type checkers
        row=row,
    )


def _subject(page: Page, condition: Node, pair: Pair) -> str:
    """The value that is checked: a parameter of both versions, a variable of both, or an attribute of one."""
    shared = set(pair.old.names) & set(pair.new.names)
    bound = _bound(pair.before, pair.old) & _bound(pair.after, pair.new)
    texts = [page.src(node) for node in within(condition, *_NAMES) if not _is_callee(node)]
    for text in texts:
        root = text.partition(".")[0]
        if root in shared or root in bound:
            return root if root not in ("self", "cls") else text if text.count(".") >= 1 else ""
    return ""


def _bound(page: Page, function: Function) -> set[str]:
    start, end = function.node.start_byte, function.node.end_byte
    return {m.name for m in page.mentions_in(start, end) if m.kind == "write"}


def _is_callee(node: Node) -> bool:
    return (
        node.parent is not None and node.parent.type in ("call", "call_expression") and field(node.parent, "function") == node
    )


def _is_dismantled(old: Page, condition: Node, new: Page) -> bool:
    """Whether an attribute that the check asked is gone from the whole file: the mechanism went, not the check alone."""
    asked = [old.src(node) for node in within(condition, "attribute", "member_expression")]
    own = (text.split(".")[1] for text in asked if text.startswith(("self.", "cls.", "this.")))
    return any(name.isidentifier() and not has_word(new.text, name) for name in own)


def _is_elsewhere(view: View, old: Page, condition: Node, guard: Node) -> bool:
    """Whether the condition, or what the guard said, stands anywhere in what the change wrote."""
    asked = [squeezed(old.src(condition))]
    asked += [squeezed(old.src(text))[:40] for text in within(guard, "string", "template_string") if len(old.src(text)) > 8]
    names = [
        old.src(field(call, "function") or field(call, "constructor"))
        for call in within(guard, "call", "call_expression", "new_expression")
    ]
    for other in view.changes.files:
        lines = other.new.split("\n") if other.new is not None else []
        for hunk in other.hunks:
            written = "\n".join(lines[hunk.new_start : hunk.new_end])
            if any(one in squeezed(written) for one in asked) or any(name and f"{name}(" in written for name in names):
                return True
    return False


def _is_replaced(new: Page, hunk: Hunk, subject: str) -> bool:
    last = subject.rpartition(".")[2]
    return any(last in line for line in new.lines[hunk.new_start : hunk.new_end])


def _statement_at(function: Function, row: int) -> Node | None:
    """The statement of a function that begins at a line or is the next one."""
    for node in within(function.body, "block", "statement_block"):
        for statement in statements(node):
            if statement.start_point[0] == row and statement.type not in _LEAVES:
                return statement
    return None


def _use_after(page: Page, function: Function, subject: str, row: int) -> Node | None:
    """The first use of the value behind the place that needs it: an attribute, item, call or operation of it."""
    for node in within(function.body, *_NAMES):
        parent = node.parent
        if page.src(node) != subject or node.start_point[0] < row or parent is None:
            continue
        if parent.type in ("assignment", "assignment_expression") and field(parent, "left") == node:
            return None
        return node
    return None


RULE = Across("removed-guard", "bug", BOTH, check)
