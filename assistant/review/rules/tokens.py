"""The tokens of some lines, and those by which two versions differ. White space and comments are no tokens; a string is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assistant.review.rules.page import Page

if TYPE_CHECKING:
    from tree_sitter import Node


def tokens(page: Page, start: int, end: int) -> list[Node]:
    """Those that begin on lines ``[start, end)``, in order."""
    found: list[Node] = []
    pending = [page.root]
    while pending:
        node = pending.pop()
        if node.end_point[0] < start or node.start_point[0] >= end or node.type == "comment":
            continue
        if node.child_count == 0 or node.type in ("string", "template_string"):
            if start <= node.start_point[0] < end and page.src(node).strip():
                found.append(node)
        else:
            pending.extend(reversed(node.children))
    return found


def differing(old: Page, new: Page, before: list[Node], after: list[Node]) -> tuple[list[Node], list[Node]]:
    """The tokens between the common beginning and the common end."""
    a, b = [old.src(node) for node in before], [new.src(node) for node in after]
    start = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    rest = min(len(a), len(b)) - start
    end = next((i for i in range(rest) if a[-1 - i] != b[-1 - i]), rest)
    return before[start : len(a) - end], after[start : len(b) - end]
