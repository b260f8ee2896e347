"""A keyword that a call passed on and does not any more, while its sibling calls still do.

Compares the calls of one function before and after; the value has to be a name of the function that is still there, and the
callee's other calls in the file are the witnesses.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from assistant.review.rules.base import PYTHON, Across, Problem
from assistant.review.rules.fit import call_of
from assistant.review.rules.page import Page, field, within
from assistant.review.rules.view import Pair, View

if TYPE_CHECKING:
    from tree_sitter import Node


def check(view: View) -> Iterator[Problem]:
    if view.is_test:
        return
    for pair in view.pairs:
        view.cancel.check()
        yield from _dropped(view, pair)


def _calls(page: Page, body: Node | None) -> dict[str, list[tuple[Node, dict[str, str]]]]:
    """By callee: each call with its keywords and their values."""
    found: dict[str, list[tuple[Node, dict[str, str]]]] = {}
    for call in within(body, "call"):
        given = call_of(page, call)
        if given is not None and not given.star_star:
            keywords = {name: page.src(field(node.parent, "value")) for name, node in given.keywords}
            found.setdefault(page.src(field(call, "function")), []).append((call, keywords))
    return found


def _dropped(view: View, pair: Pair) -> Iterator[Problem]:
    before, after = _calls(pair.before, pair.old.body), _calls(pair.after, pair.new.body)
    for name, calls in after.items():
        was = before.get(name, [])
        if len(was) != len(calls):
            continue
        for (_, old), (call, new) in zip(was, calls, strict=True):
            gone = [key for key in old if key not in new]
            if len(gone) != 1 or set(new) - set(old) or not view.is_changed(call):
                continue
            key = gone[0]
            value = old[key]
            witnesses = [other for other, keywords in calls if keywords.get(key) == value]
            if value.isidentifier() and witnesses and value in _bound(pair):
                yield Problem(
                    call,
                    f"`{key}={value}` is gone from this call of {name[-60:]}, and line {witnesses[0].start_point[0] + 1} "
                    "still passes it on.",
                    key=f"{name}:{key}",
                    evidence=(witnesses[0],),
                    severity="medium",
                    confidence=0.78,
                )


def _bound(pair: Pair) -> Counter[str]:
    start, end = pair.new.node.start_byte, pair.new.node.end_byte
    return Counter(m.name for m in pair.after.mentions_in(start, end) if m.kind == "write")


RULE = Across("dropped-argument", "bug", PYTHON, check)
