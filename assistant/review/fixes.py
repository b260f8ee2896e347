"""Edits of a fix, applied to texts and shown as a small diff. Knows texts and offsets; nothing of who wrote the fix."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import unified_diff

from assistant.review.types import TextEdit


def apply(text: str, edits: Iterable[TextEdit]) -> str | None:
    """The text after the edits of one file; ``None`` when they overlap or lie outside of it."""
    ordered = sorted(edits, key=lambda one: (one.start, one.end))
    result, at = [], 0
    for one in ordered:
        if not at <= one.start <= one.end <= len(text):
            return None
        result += [text[at : one.start], one.text]
        at = one.end
    return "".join([*result, text[at:]])


def by_path(edits: Iterable[TextEdit]) -> dict[str, list[TextEdit]]:
    """The edits of each file."""
    found: dict[str, list[TextEdit]] = {}
    for one in edits:
        found.setdefault(one.path, []).append(one)
    return found


def region(text: str, edits: Sequence[TextEdit]) -> tuple[int, int, str] | None:
    """The whole lines that the edits of one file touch: their span, and what stands there afterwards."""
    fixed = apply(text, edits)
    if fixed is None or not edits:
        return None
    start = text.rfind("\n", 0, min(one.start for one in edits)) + 1
    end = text.find("\n", max(one.end for one in edits))
    end = len(text) if end < 0 else end
    return start, end, fixed[start : end + len(fixed) - len(text)]


def small_diff(text: str, edits: Sequence[TextEdit]) -> list[str]:
    """The lines that go (``-``) and come (``+``), without context and headers."""
    found = region(text, edits)
    if found is None:
        return []
    start, end, after = found
    made = unified_diff(text[start:end].splitlines(), after.splitlines(), n=0, lineterm="")
    return [line for line in made if line[:1] in "+-" and not line.startswith(("---", "+++"))]


def place(text: str, offset: int) -> tuple[int, int]:
    """(line, column) of an offset, both from 0; lines end with LF."""
    line = text.count("\n", 0, offset)
    return line, offset - (text.rfind("\n", 0, offset) + 1)
