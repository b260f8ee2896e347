"""One name in place of another, with the proof that the other is now good for nothing: it is bound and never read again.

Looks at statements that the change replaced by the same ones but for one name. Without that proof it says nothing: a changed
name alone is what most edits are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from assistant.review.rules.base import BOTH, Across, Problem
from assistant.review.rules.page import Function, Page, is_variable, within
from assistant.review.rules.view import Pair, View

if TYPE_CHECKING:
    from tree_sitter import Node

_IDENTIFIERS = ("identifier", "shorthand_property_identifier")
MAX_TOKENS = 400


def check(view: View) -> Iterator[Problem]:
    if view.old is None or view.new is None:
        return
    for pair in view.pairs:
        view.cancel.check()
        orphans = _orphans(pair)
        if orphans:
            yield from _replaced(view, pair, orphans)


def _orphans(pair: Pair) -> set[str]:
    """Names that the function binds before and after, read before and not after."""
    old, new = pair.before, pair.after
    before, after = _uses(old, pair.old), _uses(new, pair.new)
    bound = _bound(old, pair.old) & _bound(new, pair.new)
    return {name for name in bound if before[name] > 0 and after[name] == 0 and not name.startswith("_")}


def _uses(page: Page, function: Function) -> Counter[str]:
    """How often each name is read in a function, nested ones included."""
    start, end = function.node.start_byte, function.node.end_byte
    reads = (m.name for m in page.mentions_in(start, end) if m.kind in ("read", "shorthand"))
    return Counter(reads)


def _bound(page: Page, function: Function) -> set[str]:
    start, end = function.node.start_byte, function.node.end_byte
    return {m.name for m in page.mentions_in(start, end) if m.kind == "write"} - {
        "self",
        "cls",
        function.name,
    }


def _replaced(view: View, pair: Pair, orphans: set[str]) -> Iterator[Problem]:
    old, new = pair.before, pair.after
    for hunk in view.change.hunks:
        before = _tokens(pair.old.body, hunk.old_start, hunk.old_end)
        after = _tokens(pair.new.body, hunk.new_start, hunk.new_end)
        if not before or len(before) != len(after):
            continue
        changed = [(a, b) for a, b in zip(before, after, strict=True) if old.src(a) != new.src(b)]
        pairs = {(old.src(a), new.src(b)) for a, b in changed}
        if len(pairs) != 1 or changed[0][0].type not in _IDENTIFIERS or changed[0][1].type not in _IDENTIFIERS:
            continue
        was, now = pairs.pop()
        node = changed[0][1]
        if was in orphans and is_variable(node) and _uses(old, pair.old)[now]:
            bound = next((m for m in _bindings(new, pair.new, was)), node)
            what = "parameter" if was in pair.new.names else "variable"
            yield Problem(
                node,
                f"`{now}` took the place of `{was}` here, and the {what} `{was}` is not read anywhere in {pair.new.name} now.",
                evidence=(bound,),
                edits=((node.start_byte, node.end_byte, was),) if len(changed) == 1 else (),
                severity="medium",
                confidence=0.6,
            )


def _bindings(page: Page, function: Function, name: str) -> Iterator[Node]:
    for node in within(function.node, "identifier"):
        if page.src(node) == name:
            yield node


def _tokens(body: Node | None, start: int, end: int) -> list[Node]:
    """The leaves of a function's body in some lines."""
    found: list[Node] = []
    pending = [body] if body is not None else []
    while pending and len(found) <= MAX_TOKENS:
        node = pending.pop()
        if node.end_point[0] < start or node.start_point[0] >= end:
            continue
        if node.child_count == 0:
            if start <= node.start_point[0] < end and node.type != "comment":
                found.append(node)
        else:
            pending.extend(reversed(node.children))
    return found


RULE = Across("variable-misuse", "bug", BOTH, check)
