"""A way out of an expression that is gone: the default of ``getattr``, ``pop`` or ``next``, ``.get``, ``x if y else z``.

Old and new statements are compared as texts, like those of weakened checks; whether the way out was ever taken is not known.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from assistant.review.rules.base import PYTHON, Across, Problem
from assistant.review.rules.page import Page, field, nth, squeezed, within
from assistant.review.rules.purpose import is_planned
from assistant.review.rules.view import View
from assistant.review.rules.weakened_check import (
    changed_statements,
    header_of,
    holder_of,
    is_kept,
    is_rewritten,
    plain_text,
    short_text,
)

if TYPE_CHECKING:
    from tree_sitter import Node

_RAISES = {"getattr": (3, "AttributeError"), "next": (2, "StopIteration"), "pop": (2, "KeyError")}


def check(view: View) -> Iterator[Problem]:
    if view.is_test or is_planned(view):
        return
    for pair in view.pairs:
        view.cancel.check()
        if is_rewritten(view, pair):
            continue
        page, new = pair.before, {header_of(pair.after, node): node for node in changed_statements(view, pair)}
        for node in within(pair.old.body, "conditional_expression", "call"):
            holder = holder_of(node) if view.is_removed(node) else None
            if holder is None:
                continue
            header, whole = header_of(page, holder), plain_text(page.src(node))
            for text, said in _without(page, node):
                found = new.get(header.replace(whole, plain_text(text), 1))
                if found is not None and is_kept(pair, holder, found):
                    yield _problem(page, node, found, said)


def _problem(page: Page, node: Node, found: Node, said: str) -> Problem:
    return Problem(found, said, key=squeezed(page.src(node)), severity="medium", confidence=0.6, row=found.start_point[0])


def _without(page: Page, node: Node) -> Iterator[tuple[str, str]]:
    """What an expression is without its way out, and what that means."""
    if node.type == "conditional_expression":
        value, condition = nth(node, 0), nth(node, 1)
        if value is not None and condition is not None:
            yield page.src(value), f"The test `{short_text(page, condition)}` is gone, and its first branch is always taken."
        return
    function, arguments = field(node, "function"), field(node, "arguments")
    places = [child for child in arguments.named_children if child.type != "comment"] if arguments is not None else []
    name = page.src(field(function, "attribute") or function)
    most, raised = _RAISES.get(name, (0, ""))
    if places and most == len(places):
        kept = ", ".join(page.src(place) for place in places[:-1])
        default = short_text(page, places[-1])
        yield f"{page.src(function)}({kept})", f"The default `{default}` is gone: this raises {raised} where it gave that."
    if name == "get" and 1 <= len(places) <= 2:
        owner = page.src(field(function, "object"))
        yield f"{owner}[{page.src(places[0])}]", f"`.get` became an item: KeyError where {owner[:40]} has no such key."


RULE = Across("lost-default", "bug", PYTHON, check)
