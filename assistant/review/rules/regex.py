"""Regular expressions that do not compile, are asked for a group they do not have, or get their flags as a count.

Reads literal patterns given to ``re``'s functions; nothing is matched, patterns are only compiled.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

from assistant.review.rules.base import PYTHON, Problem, local
from assistant.review.rules.format_arity import arguments_of, literal
from assistant.review.rules.page import Page, field, nth, within

if TYPE_CHECKING:
    from tree_sitter import Node

_REGEX = frozenset(("compile", "match", "search", "fullmatch", "sub", "subn", "split", "findall", "finditer"))


def check(page: Page) -> Iterator[Problem]:
    for call in page.of("call"):
        function = field(call, "function")
        method = page.src(field(function, "attribute"))
        if method in _REGEX and page.src(field(function, "object")) in ("re", "regex"):
            yield from _regex(page, call, method)


def _regex(page: Page, call: Node, method: str) -> Iterator[Problem]:
    given = arguments_of(page, call)
    node = given[0][0] if given is not None and given[0] else None
    raw = node is not None and node.type == "string" and "r" in page.src(node.children[0]).lower()
    text = literal(page, node)
    if (
        text is None
        or node is None
        or (not raw and "\\" in text)
        or len(text) > 2_000
        or "VERBOSE" in page.src(call)
        or "re.X" in page.src(call)
    ):
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            groups = re.compile(text).groups
    except (re.error, OverflowError, RecursionError) as error:
        yield Problem(node, f"This is no regular expression: {error}.", severity="high", confidence=0.9)
        return
    if method in ("sub", "subn") and given is not None and len(given[0]) > 1:
        replacement = literal(page, given[0][1])
        asked = max((int(number) for number in re.findall(r"\\g?<?([1-9]\d?)", replacement or "")), default=0)
        if asked > groups:
            yield Problem(
                given[0][1],
                f"The replacement asks for group {asked}, and the pattern has {groups}.",
                severity="high",
                confidence=0.93,
            )
    yield from _flags(page, method, given[0] if given is not None else [])
    yield from _groups(page, call, groups)


def _flags(page: Page, method: str, places: list[Node]) -> Iterator[Problem]:
    """``re.sub(pattern, new, text, re.ASCII)``: the fourth argument is a count."""
    at = {"sub": 3, "subn": 3, "split": 2}.get(method)
    if at is not None and len(places) > at and re.fullmatch(r"(?:re\.[A-Z]+\s*\|?\s*)+", page.src(places[at])):
        node = places[at]
        yield Problem(
            node,
            f"This argument of re.{method} is the count, not the flags: {page.src(node)} limits how often it replaces.",
            edits=((node.start_byte, node.start_byte, "flags="),),
            severity="high",
            confidence=0.97,
        )


def _groups(page: Page, call: Node, groups: int) -> Iterator[Problem]:
    """``re.match(...).group(n)`` and ``a, b = re.match(...).groups()`` directly behind."""
    parent = call.parent
    outer = parent.parent if parent is not None else None
    if (
        parent is None
        or parent.type != "attribute"
        or outer is None
        or outer.type != "call"
        or field(outer, "function") != parent
    ):
        return
    method, argument = page.src(field(parent, "attribute")), nth(field(outer, "arguments") or outer, 0)
    if method == "group" and argument is not None and argument.type == "integer" and int(page.src(argument), 0) > groups:
        yield Problem(
            outer,
            f"The pattern has {groups} group{'s' * (groups != 1)}: group({page.src(argument)}) raises IndexError.",
            severity="high",
            confidence=0.95,
        )
    left = field(outer.parent, "left")
    if method == "groups" and left is not None and left.type == "pattern_list" and not within(left, "list_splat_pattern"):
        if left.named_child_count == groups:
            return
        yield Problem(
            outer,
            f"The pattern has {groups} groups, and {left.named_child_count} names take them.",
            severity="high",
            confidence=0.95,
        )


RULE = local("regex-arity", "bug", PYTHON, check)
