"""A parse that ends: within its time, and with a tree that a query can walk in linear time.

tree-sitter's error recovery and its query cursor are quadratic on inputs nobody writes (100,000 open brackets); such a
file gets no tree. Knows nothing of languages or symbols.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node, Parser, Tree

Clock = Callable[[], float]
PARSE_SECONDS = 0.5
"""Processor time of one parse; ordinary code takes 0.1 s for the largest text that is read."""

ASKED = 16  # the clock is looked at once in so many times that tree-sitter asks, about once a millisecond
CHUNK = 1 << 16  # bytes handed over at once
MAX_RUN = 400  # tokens without a name side by side: to find the end of the run, the cursor reads it for each of them
_HOLES = "," * MAX_RUN  # the one such run that is not a syntax error


def parse(parser: Parser, data: bytes, old: Tree | None = None, clock: Clock = time.thread_time) -> Tree | None:
    """The tree of UTF-8 ``data``; ``None`` if it takes too long, or could not be searched.

    ``old`` is the tree of the text before, edited to the new positions.
    """
    deadline = clock() + PARSE_SECONDS
    asked = 0

    def late(offset: int, has_error: bool) -> bool:
        nonlocal asked
        asked += 1
        return asked % ASKED == 0 and clock() > deadline

    def rest(offset: int, point: object) -> bytes:
        return data[offset : offset + CHUNK]

    try:
        tree = parser.parse(rest, progress_callback=late) if old is None else parser.parse(rest, old, progress_callback=late)
    except ValueError:  # what this binding raises when it is told to stop
        parser.reset()
        return None
    return tree if is_searchable(tree.root_node, data) else None


def is_searchable(root: Node, data: bytes) -> bool:
    """Whether no node has a long run of nameless children."""
    if _HOLES.encode() in data:
        return False
    pending = [root] if root.has_error else []
    while pending:
        node = pending.pop()
        children = node.children
        if len(children) > MAX_RUN and _longest_run(children) > MAX_RUN:
            return False
        pending.extend(child for child in children if child.has_error)
    return True


def errors(root: Node) -> list[tuple[int, int]]:
    """The byte spans that the grammar could not read, and the places where it missed something."""
    found, pending = [], [root] if root.has_error else []
    while pending:
        node = pending.pop()
        if node.is_error or node.is_missing:
            found.append((node.start_byte, node.end_byte))
        pending.extend(child for child in node.children if child.has_error)
    return found


def _longest_run(children: list[Node]) -> int:
    longest = run = 0
    for child in children:
        run = 0 if child.is_named else run + 1
        longest = max(longest, run)
    return longest
