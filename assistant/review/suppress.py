"""``sotto: ignore`` in a comment of the line, or on the line above: the author has decided. Knows text, no rules."""

from __future__ import annotations

import re
from collections.abc import Sequence

_MARK = re.compile(r"(?:#|//|/\*|--|<!--)[^\n]*?\bsotto:\s*ignore(?:\[(?P<rules>[\w ,-]*)\])?", re.IGNORECASE)


def is_suppressed(rule: str, line: int, text: Sequence[str]) -> bool:
    """Whether a comment of the rule at this line is not wanted. A line of its own speaks for the next one."""
    if 0 <= line < len(text) and _names(rule, text[line]):
        return True
    above = text[line - 1].strip() if 0 < line <= len(text) else ""
    return bool(above) and _MARK.match(above) is not None and _names(rule, above)


def _names(rule: str, line: str) -> bool:
    found = _MARK.search(line)
    if found is None:
        return False
    named = found["rules"]
    return named is None or rule in [name.strip() for name in named.split(",")]
