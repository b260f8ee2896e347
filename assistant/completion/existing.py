"""A suggestion after the filter: as it was, repaired where it stands, cut off, or gone.

What a suggestion repeats of the line is the user's own: a repair that would touch it drops the suggestion, a cut leaves it.
"""

from __future__ import annotations

from collections.abc import Sequence

from assistant.completion.postprocess import Placed
from assistant.types import Snapshot
from assistant.workspace.existence.verdict import Checker, Edit, Kind


def checked(checker: Checker | None, snapshot: Snapshot, placed: Placed | None) -> tuple[Placed | None, bool]:
    """What is left of a suggestion, and whether the filter objected."""
    if checker is None or placed is None:
        return placed, False
    verdict = checker.check(snapshot, placed.start, placed.end, placed.text)
    if verdict.kind is Kind.OK:
        return placed, False
    if verdict.kind is Kind.CUT:
        return cut(placed, len(verdict.text)), True
    return (repaired(placed, verdict.edits) if verdict.kind is Kind.REPAIRED else None), True


def cut(placed: Placed, length: int) -> Placed | None:
    """The first ``length`` characters of a suggestion; what of the line stood in the others stays untouched."""
    kept = tuple(at for at in placed.over if at < length)
    end = placed.end - (len(placed.over) - len(kept))
    left = Placed(placed.text[:length], placed.start, end, kept)
    return left if left.inserted.strip() else None


def repaired(placed: Placed, edits: Sequence[Edit]) -> Placed | None:
    """The suggestion after the edits, which are in order and apart; ``None`` if one touches what the line has already."""
    text, over = placed.text, list(placed.over)
    for edit in reversed(edits):
        if any(edit.start <= at < edit.end for at in over):
            return None
        shift = len(edit.text) - (edit.end - edit.start)
        text = text[: edit.start] + edit.text + text[edit.end :]
        over = [at + shift if at >= edit.end else at for at in over]
    return Placed(text, placed.start, placed.end, tuple(over)) if text.strip() else None
