"""A suggested edit in a text that goes on changing: it shrinks, moves, or is gone.

Pure. Compares whole texts, so that it does not matter how the editor cut the change up.
"""

from __future__ import annotations

from assistant.ghost import Ghost
from assistant.next_edit.place import Edit, difference, lines_of


def rebase(edit: Edit, before: str, after: str) -> Edit | None:
    """The edit of ``before`` as one of ``after``; ``None`` when it does not fit any more, or nothing of it is left.

    It shrinks while its own text is typed, or what it replaces is deleted from the left: then it still leads to the same text.
    It moves, unchanged, with edits on other lines. Anything else on its lines ends it.
    """
    if before == after:
        return edit
    ghost = Ghost(before[: edit.start], before[edit.start : edit.end], edit.text, before[edit.end :], 0)
    if after == ghost.target:
        return None
    if ghost.progress(after) is not None:
        return difference(after, ghost.target)
    return moved(edit, before, after)


def moved(edit: Edit, before: str, after: str) -> Edit | None:
    """The edit where its lines are now; ``None`` if a change touched them."""
    change = difference(before, after)
    first, last = lines_of(edit, before)
    grown = len(after) - len(before)
    if change.start > last:
        return edit
    if change.end < first or (change.end == first and _ends_line(before, after, change)):
        return Edit(edit.start + grown, edit.end + grown, edit.text)
    return None


def _ends_line(before: str, after: str, change: Edit) -> bool:
    """Whether what was put in still ends its line, so that the next line is whole."""
    end = change.start + len(change.text)
    return end == 0 or after[end - 1] == "\n"
