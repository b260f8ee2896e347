"""A file cut into the pieces that are found and shown: functions, class heads, the code between them; long ones in blocks.

Works on what `extract` says of the file; without definitions (no grammar) the pieces are windows of lines. The pieces do
not overlap and together hold every line that has a word. Knows nothing of storage or search.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from typing import NamedTuple

from assistant.workspace.symbols import MODULE, Definition, FileSymbols

FUNCTIONS = frozenset(("function", "method", "macro"))
CONTAINERS = frozenset(("class", "interface", "struct", "enum", "namespace"))
_WORD = re.compile(r"\w")
BLOCK_LINES = 60
"""A piece of more lines than one and a half times this is cut into blocks of about this many."""


class Chunk(NamedTuple):
    """``text[start:end]`` of the file, whole lines where it can be; ``line`` counts from 0.

    ``kind``: ``function``, ``class`` (a head: up to its first method, and what stands between methods), ``module``.
    ``owner``: index in ``FileSymbols.definitions`` or ``MODULE``. ``block``: 0 for the first block of a long piece.
    """

    start: int
    end: int
    line: int
    lines: int
    kind: str
    owner: int = MODULE
    block: int = 0


def chunks(text: str, symbols: FileSymbols, lines: list[int]) -> list[Chunk]:
    """The pieces of a file in the order of the text; ``lines`` are its `line_starts`."""
    spans = sorted(_spans(0, len(text), MODULE, symbols, _children(symbols)))
    return [chunk for start, end, kind, owner in spans for chunk in _blocks(text, lines, start, end, kind, owner)]


def _children(symbols: FileSymbols) -> dict[int, list[int]]:
    """Definitions that are pieces of their own, by the container they stand in. A function inside a function is part of it."""
    found: dict[int, list[int]] = {}
    for i, definition in enumerate(symbols.definitions):
        if definition.kind not in FUNCTIONS and definition.kind not in CONTAINERS:
            continue
        if all(symbols.definitions[above].kind in CONTAINERS for above in _ancestors(symbols.definitions, i)):
            found.setdefault(definition.parent, []).append(i)
    return found


def _ancestors(definitions: tuple[Definition, ...], i: int) -> Iterator[int]:
    parent = definitions[i].parent
    while parent != MODULE:
        yield parent
        parent = definitions[parent].parent


def _spans(
    start: int, end: int, owner: int, symbols: FileSymbols, children: dict[int, list[int]]
) -> Iterator[tuple[int, int, str, int]]:
    """Gaps and definitions between ``start`` and ``end``, nested containers opened."""
    kind = "module" if owner == MODULE else "class"
    at = start
    for child in sorted(children.get(owner, ()), key=lambda i: symbols.definitions[i].start):
        definition = symbols.definitions[child]
        low, high = max(definition.start, at), min(definition.end, end)
        if low >= high:
            continue  # a Go or Rust method whose type is elsewhere, or a broken tree: its lines belong to the gap
        yield at, low, kind, owner
        if definition.kind in FUNCTIONS:
            yield low, high, "function", child
        else:
            yield from _spans(low, high, child, symbols, children)
        at = high
    yield at, end, kind, owner


def line_starts(text: str) -> list[int]:
    """The offset of each line; lines end at a line feed."""
    starts = list(accumulate([len(line) + 1 for line in text.split("\n")], initial=0))
    starts.pop()
    return starts


def _blocks(text: str, lines: list[int], start: int, end: int, kind: str, owner: int) -> Iterator[Chunk]:
    """One piece without the blank lines around it, in blocks if it is long; nothing for a piece without a word."""
    piece = text[start:end]
    if not _WORD.search(piece):
        return
    start, end = start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip())
    first, last = bisect_right(lines, start) - 1, bisect_right(lines, end - 1) - 1
    if not text[lines[first] : start].strip():
        start = lines[first]  # with its indentation
    block = 0
    while first <= last:
        until = last if last - first < BLOCK_LINES * 3 // 2 else _break(text, lines, first)
        low = max(start, lines[first])
        high = min(end, lines[until + 1]) if until + 1 < len(lines) else end
        if text[low:high].strip():
            yield Chunk(low, high, first, until - first + 1, kind, owner, block)
            block += 1
        first = until + 1


def _break(text: str, lines: list[int], first: int) -> int:
    """The last line of a block that begins with line ``first``: before the least indented line near the wanted length."""
    best, least = first + BLOCK_LINES - 1, 1 << 30
    for line in range(first + BLOCK_LINES * 3 // 4, first + BLOCK_LINES * 5 // 4):
        row = text[lines[line] : lines[line + 1]] if line + 1 < len(lines) else text[lines[line] :]
        indent = len(row) - len(row.lstrip()) if row.strip() else 0
        if indent < least:
            best, least = line - 1, indent
    return best
