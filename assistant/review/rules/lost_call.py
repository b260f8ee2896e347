"""A call that the change made without: an ``await`` or a ``super()`` call that is gone, a close or release whose open stayed.

Compares the two versions of one function; a function that was rewritten is left alone.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from assistant.review.rules.base import BOTH, Across, Problem
from assistant.review.rules.page import FUNCTIONS, Page, field, nth, squeezed, within
from assistant.review.rules.view import Pair, View

if TYPE_CHECKING:
    from tree_sitter import Node

_ENDS = {
    "close": "open",
    "release": "acquire",
    "unlock": "lock",
    "rollback": "begin",
    "disconnect": "connect",
    "cleanup": "",
    "stop": "start",
}

MOST_FILES = 20

_TAKERS = frozenset(
    (
        *("await", "await_expression", "argument_list", "arguments", "return_statement", "yield", "list"),
        *("array", "member_expression", "attribute", "pair", "arrow_function", "with_item", "as_pattern"),
    )
)
"""Nodes around a call that may await its value."""


def check(view: View) -> Iterator[Problem]:
    if view.old is None or view.new is None:
        return
    for pair in view.pairs:
        view.cancel.check()
        yield from _awaits(view, pair)
        yield from _super(view, pair)
        yield from _ends(view, pair)


def _awaits(view: View, pair: Pair) -> Iterator[Problem]:
    """``await f(x)`` that became ``f(x)``: the same call, in a function that still is async."""
    old, new = pair.before, pair.after
    if not pair.new.is_async:
        return
    awaited = {squeezed(old.src(nth(node, 0))) for node in within(pair.old.body, "await", "await_expression")}
    for call in within(pair.new.body, "call", "call_expression"):
        parent = _outside(call).parent
        text = squeezed(new.src(call))
        if text not in awaited or parent is None or not view.is_changed(call):
            continue
        if parent.type in _TAKERS:
            continue
        kept = new.src(field(parent, "left") or field(parent, "name"))
        if kept and re.search(rf"\b(?:await|return)\s+{re.escape(kept)}(?![\w.(\[])", new.src(pair.new.node)):
            continue
        name = new.src(field(call, "function"))
        if not all(_definitions(view, new, name.rpartition(".")[2])):
            continue  # it is no coroutine any more
        yield Problem(
            call,
            f"`await` is gone in front of {name[:60]}(), which was awaited before: the coroutine is made and does not run.",
            edits=((call.start_byte, call.start_byte, "await "),)
            if parent.type in ("expression_statement", "assignment")
            else (),
            severity="high",
            confidence=0.8 if _is_awaited_elsewhere(new, name) else 0.6,
        )


def _outside(node: Node) -> Node:
    """A node with the brackets and marks for the type checker around it."""
    while node.parent is not None and node.parent.type in ("parenthesized_expression", "non_null_expression", "as_expression"):
        node = node.parent
    return node


def _definitions(view: View, page: Page, name: str) -> Iterator[bool]:
    """Whether each function of this name in the project is async, as far as it can be seen."""
    yield from (one.is_async for one in page.functions if one.name == name)
    if page.language != "python" or not name:
        return
    head = re.compile(rf"^[ \t]*(async[ \t]+)?def[ \t]+{re.escape(name)}\b", re.MULTILINE)
    for path in view.project.naming(name, MOST_FILES):
        yield from (found[1] is not None for found in head.finditer(view.project.read(path) or ""))


def _is_awaited_elsewhere(page: Page, name: str) -> bool:
    last = name.rpartition(".")[2]
    return re.search(rf"\bawait\s+[\w.]*\b{re.escape(last)}\s*\(", page.text) is not None


def _super(view: View, pair: Pair) -> Iterator[Problem]:
    """A method that called its own version above, and does not any more."""
    old, new = pair.before, pair.after
    if pair.new.cls is None or pair.old.cls is None:
        return
    called = re.compile(rf"\bsuper\s*\([^)]*\)\s*\.\s*{re.escape(pair.new.name)}\s*\(")
    before, after = old.src(pair.old.body), new.src(pair.new.body)
    if called.search(before) is None or re.search(r"\bsuper\b", after) or "NotImplemented" in after:
        return
    if old.src(field(pair.old.cls, "superclasses")) != new.src(field(pair.new.cls, "superclasses")):
        return
    if re.search(rf"\.\s*{re.escape(pair.new.name)}\s*\(\s*(?:self|cls)\b", after):
        return
    name = field(pair.new.node, "name") or pair.new.node
    row = next(
        (view.landing(n.start_point[0]) for n in within(pair.old.body, "call") if "super" in old.src(n) and view.is_removed(n)),
        -1,
    )
    if row >= 0:
        yield Problem(
            name,
            f"{pair.new.qualified} no longer calls super().{pair.new.name}(): what the base class does there is skipped.",
            evidence=(name,),
            severity="medium",
            confidence=0.6,
            row=min(row, pair.new.node.end_point[0]),
        )


def _ends(view: View, pair: Pair) -> Iterator[Problem]:
    """``x.close()`` that is gone while what opens x stayed."""
    old, new = pair.before, pair.after
    left = Counter(_ended(new, pair.new.body))
    gone = Counter(_ended(old, pair.old.body)) - left
    for owner, method in gone:
        begin = _ENDS[method]
        text = new.src(pair.new.body)
        if any(other == owner for other, _ in left) or owner in ("self", "cls") or not begin:
            continue
        made = re.search(
            rf"(?<![\w.]){re.escape(owner)}\s*=\s*[^\n]*\b{begin}\w*\s*\(|(?<![\w.]){re.escape(owner)}\.{begin}\s*\(", text
        )
        kept = re.search(rf"=\s*{re.escape(owner)}\s*$|[(,]\s*{re.escape(owner)}\s*[,)]", text)
        if (
            made is None
            or kept is not None
            or re.search(rf"\bwith\b[^\n]*\b{re.escape(owner)}\b|\b(?:return|yield)\b[^\n]*\b{re.escape(owner)}\b", text)
        ):
            continue
        call = next(n for n in within(pair.old.body, "call", "call_expression") if _is_end(old, n) == (owner, method))
        body = pair.new.body
        if body is None or not view.is_removed(call):
            continue
        start = body.start_byte + len(text[: made.start()].encode())
        opened = new.root.descendant_for_byte_range(start, start) or body
        yield Problem(
            opened,
            f"{owner}.{method}() is gone, and {owner} is still opened here: nothing ends it now.",
            evidence=(opened,),
            severity="medium",
            confidence=0.6,
            row=min(view.landing(call.start_point[0]), pair.new.node.end_point[0]),
        )


def _ended(page: Page, body: Node | None) -> Iterator[tuple[str, str]]:
    for call in within(body, "call", "call_expression", stop=FUNCTIONS):
        found = _is_end(page, call)
        if found is not None:
            yield found


def _is_end(page: Page, call: Node) -> tuple[str, str] | None:
    function = field(call, "function")
    method = page.src(field(function, "attribute") or field(function, "property"))
    owner = page.src(field(function, "object"))
    return (owner, method) if method in _ENDS and owner and len(owner) < 60 else None


RULE = Across("lost-call", "bug", BOTH, check)
