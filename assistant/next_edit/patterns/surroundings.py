"""What can be said of a candidate whatever rule it is of: who else says it, and whether the user was there already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from assistant.next_edit.patterns.context import Context
from assistant.next_edit.types import Candidate

NEAR = 3  # lines: whoever edited there has seen the place


def with_surroundings(context: Context, candidate: Candidate, found: Sequence[Candidate]) -> Candidate:
    """The candidate with the features that need no rule.

    ``agree``: other rules with the same edit. ``rivals_here``: other edits proposed for the place. ``passed``: later changes of
    the user within three lines of it that left it as it is.
    """
    same = [c for c in found if c.uri == candidate.uri and c.start < candidate.end + 1 and c.end + 1 > candidate.start]
    alike = {c.rule for c in same if (c.start, c.end, c.text) == (candidate.start, candidate.end, candidate.text)}
    others = {(c.start, c.end, c.text) for c in same} - {(candidate.start, candidate.end, candidate.text)}
    extra = {
        "agree": float(len(alike) - 1),
        "rivals_here": float(len(others)),
        "passed": float(_passed(context, candidate)),
    }
    return replace(candidate, features={**candidate.features, **extra})


def _passed(context: Context, candidate: Candidate) -> int:
    count = 0
    for edit in context.edits_of(candidate.uri):
        first, last = sorted(((edit.start, edit.end), (candidate.start, candidate.end)))
        count += edit.text.count("\n", first[1], max(first[1], last[0])) <= NEAR
    return count
