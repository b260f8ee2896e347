"""The suggestion's indentation in the buffer's own unit: tabs or spaces, and how wide.

Knows lines and columns, nothing of grammar. Lines inside a string of the suggestion are left alone.
"""

from __future__ import annotations

import re
from itertools import pairwise

from assistant.completion.context import Site
from assistant.workspace.brackets import in_text, scan

_CODE_END = re.compile(r"\s*(#.*)?$")
_MODEL_TAB = 4  # columns the model means by a tab where the buffer has spaces of another width


def _lead(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" \t"))]


def in_unit(lead: str, unit: str, step: int) -> str:
    """White space at a line's start, written in ``unit``; ``step`` is how many columns the writer meant by one level."""
    width = len(unit.expandtabs(_MODEL_TAB)) if unit == "\t" else len(unit)
    columns = len(lead.replace("\t", " " * (step if unit == "\t" else width)))
    if unit != "\t":
        return lead if "\t" not in lead else " " * columns
    return "\t" * (columns // step) + " " * (columns % step)


def reindent(text: str, site: Site) -> str:
    """``text`` with the white space of its lines in the buffer's unit, and its first line no deeper than the place allows."""
    lines = _rescaled(text.split("\n"), site)
    step = _step(lines, site)
    stack, out = site.stack, [lines[0]]
    if not site.line_before.strip():
        lead = _lead(lines[0])
        out[0] = in_unit(lead, site.unit, step) + lines[0][len(lead) :]
    for above, line in pairwise(lines):
        stack = scan(above + "\n", site.language, stack).stack
        lead = _lead(line)
        out.append(line if in_text(stack) else in_unit(lead, site.unit, step) + line[len(lead) :])
    return "\n".join(_shifted(out, _surplus(out[0], site)))


def _surplus(line: str, site: Site) -> int:
    """On a line of white space: how many characters too deep ``line`` begins. The cursor's column is right if it is a level of
    indentation, unless the line above opens a block; the model does not always see that the editor has indented already.
    """
    if site.line_before.strip() or not line.strip() or site.stack:
        return 0
    last, column = site.above[-1] if site.above else "", len(site.line_before)
    opens = last.endswith((":", "{", "(", "[", ",", "\\"))
    level = column > 0 and column % len(site.unit) == 0
    most = column if level and not opens else len(_lead(last)) + (len(site.unit) if opens else 0)
    return min(max(0, column + len(_lead(line)) - most), len(_lead(line)))


def _shifted(lines: list[str], surplus: int) -> list[str]:
    """All lines that much less deep; what is less deep already goes to the margin."""
    return [line[min(surplus, len(_lead(line))) :] for line in lines] if surplus else lines


def _step(lines: list[str], site: Site) -> int:
    """How many spaces the model means by one level, for a buffer of tabs."""
    base = len(_lead(site.line_before).expandtabs(_MODEL_TAB)) if site.unit != "\t" else 0
    widths = [len(lead) - base for line in lines[1:] if (lead := _lead(line)) and "\t" not in lead and line.strip()]
    deltas = [w for w in widths if w > 0]
    return 2 if deltas and min(deltas) % 4 == 2 else _MODEL_TAB


def _rescaled(lines: list[str], site: Site) -> list[str]:
    """Where the model indents a new block by another number of spaces than the buffer does, scale all deeper lines."""
    if site.unit == "\t" or any("\t" in _lead(line) for line in lines):
        return lines
    header = _header(lines, site)
    if header is None:
        return lines
    base, first = header
    wanted, got = len(site.unit), first - base
    if got == wanted or got not in (2, 3, 4, 8) or wanted not in (2, 3, 4, 8):
        return lines
    deltas = [len(_lead(line)) - base for line in lines[1:] if line.strip()]
    if any(delta > 0 and delta % got for delta in deltas):
        return lines
    return [lines[0], *(_shift(line, base, got, wanted) for line in lines[1:])]


def _shift(line: str, base: int, got: int, wanted: int) -> str:
    delta = len(_lead(line)) - base
    return line if delta <= 0 or not line.strip() else " " * (base + delta // got * wanted) + line.lstrip(" ")


def _header(lines: list[str], site: Site) -> tuple[int, int] | None:
    """(indentation of a line that opens a block, indentation of the line after it): the first such pair of the suggestion."""
    whole = [site.line_before + lines[0], *lines[1:]]
    for line, follow in pairwise(whole):
        if re.search(r"[:{]\s*$", line) and follow.strip():
            return len(_lead(line)), len(_lead(follow))
    return None


def cut_stray_indent(text: str, site: Site) -> str:
    """End the text before a line that is deeper than the one above it though nothing above opens a block (Python)."""
    if site.language != "python" or "\n" not in text:
        return text
    above, stack, at = site.line_before + text.partition("\n")[0], site.stack, 0
    for line in text.split("\n")[1:]:
        start = at
        at = text.index("\n", at) + 1
        stack = scan(text[start:at], site.language, stack).stack
        if line.strip() and not stack:
            bare = _CODE_END.sub("", above)
            if above.strip() and len(_lead(line)) > len(_lead(above)) and not bare.endswith((":", "\\")):
                return text[: at - 1].rstrip()
            above = line
    return text
