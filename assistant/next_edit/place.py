"""One edit of one text as a value: made smallest, compared by what it leads to, fitted to the document's line ends.

Pure; knows offsets and texts.
"""

from __future__ import annotations

from dataclasses import dataclass

from assistant.text import common_suffix, first_difference

MOST_SHIFT = 1000  # characters that an insertion is moved along an equal text to compare it with another


@dataclass(frozen=True)
class Edit:
    """``[start, end)`` of a text becomes ``text``."""

    start: int
    end: int
    text: str

    def apply(self, before: str) -> str:
        return before[: self.start] + self.text + before[self.end :]

    def fits(self, before: str) -> bool:
        """Whether it lies in the text and changes something."""
        return 0 <= self.start <= self.end <= len(before) and before[self.start : self.end] != self.text


def smallest(edit: Edit, before: str) -> Edit:
    """The same change without what the old and the new text begin and end with."""
    old = before[edit.start : edit.end]
    head = first_difference(old, edit.text)
    tail = common_suffix(old, edit.text, head)
    return Edit(edit.start + head, edit.end - tail, edit.text[head : len(edit.text) - tail])


def difference(before: str, after: str) -> Edit:
    """The smallest edit that leads from one text to the other."""
    head = first_difference(before, after)
    tail = common_suffix(before, after, head)
    return Edit(head, len(before) - tail, after[head : len(after) - tail])


def canonical(edit: Edit, before: str) -> Edit:
    """Equal for any two edits that lead to the same text: the smallest one, as far to the right as it goes."""
    edit = smallest(edit, before)
    start, end, text = edit.start, edit.end, edit.text
    moved = 0
    while not (start < end and text) and end < len(before) and moved < MOST_SHIFT:
        first = text[0] if text else before[start]
        if before[end] != first:
            break
        start, end, text, moved = start + 1, end + 1, text[1:] + text[:1], moved + 1
    return Edit(start, end, text)


def fitted(edit: Edit, before: str) -> Edit:
    """With the line ends of the place, and no end between a CR and its LF: an editor has no position there."""
    core = smallest(edit, before)
    if "\n" in core.text:
        ends = core.text.replace("\r\n", "\n").replace("\n", line_end(before, core.start))
        edit = core if ends == core.text else Edit(core.start, core.end, ends)
    start, end, text = edit.start, edit.end, edit.text
    if _splits(before, start):
        start, text = start - 1, "\r" + text
    if _splits(before, end):
        end, text = end + 1, text + "\n"
    return Edit(start, end, text)


def line_end(text: str, offset: int) -> str:
    """How the line of ``offset`` ends, or the one before it where it is the last: CRLF or LF."""
    at = text.find("\n", offset)
    if at == -1:
        at = text.rfind("\n", 0, offset)
    return "\r\n" if at > 0 and text[at - 1] == "\r" else "\n"


def line_span(text: str, start: int, end: int) -> tuple[int, int]:
    """From the beginning of the line of ``start`` to the LF of the line of ``end``."""
    stop = text.find("\n", end)
    return text.rfind("\n", 0, start) + 1, len(text) if stop == -1 else stop


def lines_of(edit: Edit, text: str) -> tuple[int, int]:
    """The lines whose meaning an edit is about, as `line_span`. Whole lines that become whole lines are only themselves."""
    first, last = line_span(text, edit.start, edit.end)
    is_whole = first == edit.start < edit.end and text[edit.end - 1] == "\n" and edit.text[-1:] in ("", "\n")
    return (first, edit.end - 1) if is_whole else (first, last)


def _splits(text: str, offset: int) -> bool:
    return 0 < offset < len(text) and text[offset - 1] == "\r" and text[offset] == "\n"
