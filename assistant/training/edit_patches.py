"""What made-up edits are made of: a parsed file, patches inside its lines, new names in the style of old ones.

Knows Python's syntax tree and columns. Does not know which changes belong together.
"""

from __future__ import annotations

import ast
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from assistant.edit_format import Change, split_lines
from assistant.training.edits import Segment

MOST_SITES = 12
FEWEST_LINES, MOST_LINES = 10, 2500
WORDS = tuple(
    [
        "data",
        "value",
        "item",
        "items",
        "result",
        "name",
        "path",
        "key",
        "size",
        "count",
        "index",
        "node",
        "state",
        "options",
        "context",
        "config",
        "buffer",
        "source",
        "target",
        "request",
        "response",
        "client",
        "session",
        "parent",
        "child",
        "token",
        "length",
        "offset",
        "limit",
        "start",
        "stop",
        "current",
        "previous",
        "default",
        "base",
    ]
)


@dataclass(frozen=True)
class Source:
    """A file's lines without newlines, and its tree."""

    path: str
    lines: tuple[str, ...]
    tree: ast.Module

    def text(self, node: ast.AST) -> str | None:
        """The source of a node that lies on one line."""
        first, last = getattr(node, "lineno", 0), getattr(node, "end_lineno", 0)
        if not first or first != last:
            return None
        return self.lines[first - 1][node.col_offset : node.end_col_offset]  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Patch:
    """Columns ``start`` .. ``end`` of line ``line`` (from 0) become ``text``."""

    line: int
    start: int
    end: int
    text: str


Made = list[Patch] | list[Change] | None


def read(path: str, text: str) -> Source | None:
    """The file, where its tree's columns can be trusted: plain ASCII that parses."""
    lines = tuple(line.removesuffix("\n") for line in split_lines(text))
    if not FEWEST_LINES <= len(lines) <= MOST_LINES or not text.isascii():
        return None
    try:
        return Source(path, lines, ast.parse(text))
    except (SyntaxError, ValueError, RecursionError):
        return None


def turned(segment: Segment) -> Segment:
    """The segment after its changes, and the changes that lead back."""
    lines: list[str] = []
    back: list[Change] = []
    at = 0
    for change in segment.changes:
        lines += segment.lines[at : change.start]
        new = split_lines(change.text)
        back.append(Change(len(lines), len(lines) + len(new), "".join(segment.lines[change.start : change.end])))
        lines += new
        at = change.end
    return Segment(segment.path, (*lines, *segment.lines[at:]), tuple(back))


def line_changes(source: Source, made: Sequence[Patch] | Sequence[Change]) -> list[Change] | None:
    """Patches gathered line by line, in order of place; None where two of them overlap."""
    whole = [change for change in made if isinstance(change, Change)]
    by_line = defaultdict(list)
    for patch in made:
        if isinstance(patch, Patch):
            by_line[patch.line].append(patch)
    for number, patches in by_line.items():
        line, limit = source.lines[number], len(source.lines[number])
        for patch in sorted(patches, key=lambda p: -p.start):
            if patch.end > limit:
                return None
            line, limit = line[: patch.start] + patch.text + line[patch.end :], patch.start
        whole.append(Change(number, number + 1, line + "\n"))
    whole.sort(key=lambda change: change.start)
    apart = all(one.end <= other.start for one, other in pairwise(whole))
    return whole if apart else None


def new_name(source: Source, old: str, rng: random.Random) -> str:
    """Another name in the old one's style: a word more, a word less, or a word of its own."""
    draw = rng.random()
    parts = old.split("_")
    if draw < 0.3:
        parts.insert(rng.randrange(len(parts) + 1), rng.choice(WORDS))
    elif draw < 0.5 and len(parts) > 1:
        parts.pop(rng.randrange(len(parts)))
    elif draw < 0.75:
        parts[rng.randrange(len(parts))] = rng.choice(WORDS)
    else:
        return rng.choice(identifiers(source))
    name = "_".join(parts)
    return name if name.isidentifier() else old + "_" + rng.choice(WORDS)


def end_of(node: ast.AST) -> int:
    """The column after a node's last character."""
    return int(getattr(node, "end_col_offset", 0) or 0)


def identifiers(source: Source) -> list[str]:
    found = {node.id for node in ast.walk(source.tree) if isinstance(node, ast.Name) and len(node.id) > 1}
    return sorted(found) or list(WORDS)
