"""Suggestions that say nothing: loops, copies of the lines around, one pattern over and over.

Every function answers whether to drop the text; none changes it.
"""

from __future__ import annotations

import re

from assistant.completion.context import Site, for_model

_TOKEN = re.compile(r"\w+|\s+|[^\w\s]")
_ROUNDS = ((3, 5), (10, 4), (30, 3))  # a pattern of up to so many tokens may not come so often in a row at the end
_UNDERLINE = re.compile(r"(?:[#*]+ ?)?([-=~#*_])\1{2,79}")
_MIN_LINE = 4


def _says_something(line: str) -> bool:
    return len(line.strip()) >= _MIN_LINE and any(c.isalnum() for c in line)


def is_degenerate(text: str) -> bool:
    """Whether the text ends in one short pattern repeated."""
    if _UNDERLINE.fullmatch(text.strip()):
        return False
    tokens = _TOKEN.findall(text)[::-1]
    for length, border in enumerate(_borders(tokens), start=1):
        period = length - border
        rounds = next((rounds for most, rounds in _ROUNDS if period <= most), 0)
        if rounds and length >= rounds * period and length > rounds:
            return True
    return False


def _borders(tokens: list[str]) -> list[int]:
    """For each start of ``tokens``, the length of its longest proper border (Knuth, Morris and Pratt)."""
    borders = [0] * len(tokens)
    for i in range(1, len(tokens)):
        length = borders[i - 1]
        while length and tokens[i] != tokens[length]:
            length = borders[length - 1]
        borders[i] = length + (tokens[i] == tokens[length])
    return borders


def repeats_above(text: str, site: Site) -> bool:
    """Whether the text's lines, the cursor's line with them, copy as many lines just above, or end in a loop."""
    own = own_lines(text, site)
    if not any(_says_something(line) for line in own):
        return False
    copied = len(own) > 1 and own == list(site.above[-len(own) :])
    return copied or loop([*site.above, *own]) > 0


def own_lines(text: str, site: Site) -> list[str]:
    """The lines that are not blank of ``text`` at the cursor, the first with what stands before it."""
    return [line.rstrip() for line in (for_model(site.line_before) + text).split("\n") if line.strip()]


def loop(lines: list[str]) -> int:
    """How many lines at the end, up to three, repeat as many before them; 0 if none do."""
    return next((period for period in (1, 2, 3) if _loops(lines, period)), 0)


def _loops(lines: list[str], period: int) -> bool:
    last, before = ([_key(line) for line in part] for part in (lines[-period:], lines[-2 * period : -period]))
    return len(last) == period and last == before and _says_something("".join(last))


def _key(line: str) -> str:
    """A line as it is compared: ``if x:`` inside ``if x:`` is a loop, ``return x`` after a deeper one is not."""
    return line.strip() if line.endswith((":", "{")) else line


def assigns_itself(text: str, site: Site) -> bool:
    """Whether the line would give a name its own value."""
    line = for_model(site.line_before) + text + for_model(site.rest)
    return re.fullmatch(r"\s*([\w.]+) = \1\s*", line) is not None


def repeats_next(text: str, site: Site) -> bool:
    """Whether accepting the text would only write the next line a second time."""
    line = (for_model(site.line_before) + text + for_model(site.rest)).strip()
    return bool(site.below) and line == site.below[0].strip() and _says_something(line)
