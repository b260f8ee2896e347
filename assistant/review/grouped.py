"""Findings that say the same of several places become one: five calls that a new parameter broke are one matter.

Knows findings, no texts beyond a line each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from assistant.review.types import Evidence, Finding, TextEdit

MOST_PLACES = 12
"""So many other places are named as evidence; the message counts all."""


def grouped(findings: Iterable[Finding], line_of: Callable[[str, int], str]) -> list[Finding]:
    """One finding for each rule and message, at the first of its places, surest first; fixed all together or not at all."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for one in findings:
        same = groups.setdefault((one.rule, one.message), [])
        if all((one.path, one.line) != (other.path, other.line) for other in same):
            same.append(one)
    return [some[0] if len(some) == 1 else _joined(some, line_of) for some in groups.values()]


def _joined(some: list[Finding], line_of: Callable[[str, int], str]) -> Finding:
    first = max(some, key=lambda one: one.confidence)
    rest = [one for one in some if one is not first]
    seen = dict.fromkeys(evidence for one in some for evidence in one.evidence)
    places = [Evidence(one.path, one.line, line_of(one.path, one.line).strip()[:200]) for one in rest[:MOST_PLACES]]
    message = f"{first.message} The same at {len(rest)} other place{'s' if len(rest) > 1 else ''}."
    fix: dict[TextEdit, None] = dict.fromkeys(edit for one in some for edit in one.fix) if all(one.fix for one in some) else {}
    return replace(first, message=message, evidence=(*seen, *places), fix=tuple(fix))
