"""A statement copied from its neighbour with one place left as it was: ``self.width = width`` and then ``self.height = width``.

Two statements side by side, of one shape, that differ by one word for another; the word stays once where it should have
changed, and the name that would stand there exists and is not used otherwise. Also the two branches of an ``if`` that are the
same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from assistant.review.rules.base import BOTH, Problem, local
from assistant.review.rules.page import Page, field, is_variable, squeezed, statements

if TYPE_CHECKING:
    from tree_sitter import Node

_BLOCKS = ("module", "block", "statement_block", "program")
_PARTS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
MOST_TOKENS = 60
LEAST_BRANCH = 12  # characters without white space: shorter branches are equal by chance


def check(page: Page) -> Iterator[Problem]:
    for block in page.of(*_BLOCKS):
        for first, second in pairwise(statements(block)):
            if first.type == second.type and first.end_byte - first.start_byte < 400:
                yield from _twin(page, first, second)
    for node in page.of("if_statement"):
        yield from _branches(page, node)


def _leaves(node: Node) -> list[Node]:
    found: list[Node] = []
    pending = [node]
    while pending and len(found) <= MOST_TOKENS:
        here = pending.pop()
        if here.child_count == 0 or here.type in ("string", "template_string"):
            found.append(here)
        else:
            pending.extend(reversed(here.children))
    return found


def _twin(page: Page, first: Node, second: Node) -> Iterator[Problem]:
    one, two = _leaves(first), _leaves(second)
    if len(one) != len(two) or not 4 <= len(one) <= MOST_TOKENS or [n.type for n in one] != [n.type for n in two]:
        return
    changed = [(page.src(a), page.src(b)) for a, b in zip(one, two, strict=True) if page.src(a) != page.src(b)]
    words = {_word(a, b) for a, b in changed}
    if len(words) != 1 or (word := words.pop()) is None:
        return
    was, now = word
    left = [node for node in two if was in _parts(page.src(node)) and is_variable(node)]
    if len(left) != 1:
        return
    node = left[0]
    wanted = _replaced(page.src(node), was, now)
    if (
        wanted == page.src(node)
        or any(page.src(other) == wanted and is_variable(other) for other in two)
        or not _is_free(page, second, wanted)
    ):
        return
    yield Problem(
        node,
        f"This line is the one above with {was} made {now}, but for `{page.src(node)}`: `{wanted}` exists and is not used.",
        key=squeezed(page.src(second)),
        touched=(first, second),
        evidence=(first,),
        edits=((node.start_byte, node.end_byte, wanted),),
        severity="high",
        confidence=0.85,
    )


def _parts(name: str) -> list[str]:
    return [part.lower() for part in _PARTS.findall(name)]


def _word(a: str, b: str) -> tuple[str, str] | None:
    """The one word by which two names differ."""
    if a[:1] in "\"'`":
        a, b = a[1:-1], b[1:-1]
    one, two = _parts(a), _parts(b)
    differing = {(x, y) for x, y in zip(one, two, strict=False) if x != y}
    return differing.pop() if len(one) == len(two) and len(differing) == 1 else None


def _replaced(name: str, was: str, now: str) -> str:
    def change(match: re.Match[str]) -> str:
        part = match.group()
        if part.lower() != was:
            return part
        return now.upper() if part.isupper() and len(part) > 1 else now.capitalize() if part[0].isupper() else now

    return _PARTS.sub(change, name)


def _is_free(page: Page, statement: Node, name: str) -> bool:
    """Whether the name is a variable of the function around that nothing else there reads."""
    function = page.function_at(statement)
    if function is None:
        return False
    start, end = function.node.start_byte, function.node.end_byte
    mine = [m for m in page.mentions_in(start, end) if m.name == name]
    return any(m.kind == "write" for m in mine) and not any(m.kind in ("read", "shorthand") for m in mine)


def _branches(page: Page, node: Node) -> Iterator[Problem]:
    """``if a: x else: x``."""
    alternatives = node.children_by_field_name("alternative")
    if len(alternatives) != 1 or alternatives[0].type != "else_clause":
        return
    yes = field(node, "consequence")
    no = field(alternatives[0], "body") or (alternatives[0].named_children[-1] if alternatives[0].named_child_count else None)
    if yes is None or no is None or no.type == "if_statement":
        return
    text = squeezed(page.src(yes)).strip("{}")
    if len(text) >= LEAST_BRANCH and text == squeezed(page.src(no)).strip("{}"):
        yield Problem(
            node,
            "Both branches of this if do the same: one of them was to be changed, or the test is not needed.",
            key=text[:200],
            touched=(yes, no),
            evidence=(no,),
            severity="medium",
            confidence=0.85,
        )


RULE = local("copy-paste", "bug", BOTH, check)
