"""A check that never runs: an assertion behind the call that raises, in the block that expects it; a promise's check that
nobody awaits.

Knows pytest and unittest, ``expect(...).rejects`` and ``.resolves`` of Jest and Vitest, ``assert.rejects`` of Node.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from assistant.review.rules.base import BOTH, Looking, Problem
from assistant.review.rules.page import SCRIPT, Page, field, nth, statements, within
from assistant.review.rules.view import View

_RAISES = re.compile(r"(?:pytest\.raises|raises|self\.assertRaises(?:Regex)?)\(\s*(?!AssertionError|Exception\b|BaseException)")
_NODE = re.compile(r"assert\.(?:rejects|doesNotReject)")
_PROMISE = re.compile(r"\)\s*\.(?:rejects|resolves)\b")


def check(page: Page, view: View) -> Iterator[Problem]:
    yield from _promises(page) if page.language in SCRIPT else _behind(page)


def _behind(page: Page) -> Iterator[Problem]:
    for node in page.of("with_statement"):
        clause = next((child for child in node.named_children if child.type == "with_clause"), None)
        items = [child for child in clause.named_children if child.type == "with_item"] if clause is not None else []
        item = page.src(items[-1]) if items else ""
        if not _RAISES.match(item):
            continue
        alias = re.search(r"\bas\s+(\w+)$", item)
        for one, two in pairwise(statements(field(node, "body"))):
            if two.type != "assert_statement" or not within(one, "call", "await"):
                continue
            names = {page.src(name) for name in within(two, "identifier")}
            if (alias and alias.group(1) in names) or not within(two, "call", "subscript", "attribute", "await"):
                yield Problem(
                    two,
                    "This assertion never runs: the line above raises, as the block around it expects.",
                    evidence=(one,),
                    severity="high",
                    confidence=0.9,
                )


def _promises(page: Page) -> Iterator[Problem]:
    for statement in page.of("expression_statement"):
        call = nth(statement, 0)
        name = page.src(field(call, "function")) if call is not None and call.type == "call_expression" else ""
        if (name.startswith("expect(") and _PROMISE.search(name)) or _NODE.fullmatch(name):
            yield Problem(
                statement,
                "Nobody awaits this check of a promise: the test is over before it can fail.",
                severity="high",
                confidence=0.9,
            )


RULE = Looking("dead-check", "test", BOTH, check, lambda view: view.is_test)
