"""How edits are written for Sotto's own model: recent changes, a stretch of code in which lines are marked, then the new text.

Knows special tokens' names and plain text. Does not know token ids, editors or how a prediction is made. The trainer and
next-edit prediction share it, so that the model is asked in the form it learnt.

A prompt is, without the line breaks shown here::

    <|edit|> PATH "\\n" <|edit_old|> OLD <|edit_new|> NEW      up to HISTORY recent changes, the oldest first;
                                                            PATH "\\n" only where it is not the region's file
    <|file|> PATH "\\n" <|line|> LINE LINE ... LINE           the region: at most REGION_LINES lines of one file;
                                                            <|cursor|> stands inside its line

OLD, NEW and LINE are whole lines with their newline. Where: at the newline of every LINE the model says <|edit|> (this line
changes, or something comes after it) or <|no_edit|>; the prompt goes on with the next line whatever it says. So one pass over
the prompt gives each line's probability, softmax over these two tokens alone, and silence where all are low.

What: the lines that change are written again as one more change, and the model goes on with their new text::

    <|edit|> <|edit_old|> OLD <|edit_new|>                   asked;    NEW <|end|> or NEW <|edit|>   answered

An insertion repeats the line before it (the first line of the region: the line after it) in OLD and NEW; an empty NEW deletes.
Further changes follow in the same way, without reading the region again. A form with a numbered marker before each line, to be
named in the answer, was learnt by a model of 4 M parameters not at all: nothing after 1.5 M tokens of examples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from assistant.types import Part

HISTORY = 4
HUNK_LINES = 8
REGION_LINES = 19


@dataclass(frozen=True)
class Hunk:
    """One change, whole lines with their newlines; either side may be empty."""

    path: str
    old: str
    new: str


@dataclass(frozen=True)
class Region:
    """Consecutive lines of one file, each with its newline: where the next change is looked for."""

    path: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Change:
    """Lines ``start`` to ``end`` - 1 of a region become ``text`` (whole lines, or empty); ``start`` = ``end`` inserts."""

    start: int
    end: int
    text: str


def split_lines(text: str) -> tuple[str, ...]:
    """The lines of ``text`` with their newlines; only \\n ends a line."""
    return tuple(piece + "\n" for piece in text.removesuffix("\n").split("\n")) if text else ()


def render(history: Sequence[Hunk], region: Region, cursor: tuple[int, int] | None = None) -> tuple[Part, ...]:
    """The prompt up to the region's last newline.

    ``cursor`` is (line, column) in the region. Only the last `HISTORY` changes are told, each side cut to `HUNK_LINES` lines.
    Raises ValueError for a region of more than `REGION_LINES` lines.
    """
    if len(region.lines) > REGION_LINES:
        raise ValueError(f"a region has at most {REGION_LINES} lines, not {len(region.lines)}; take fewer around the place")
    parts = [part for hunk in history[-HISTORY:] for part in _hunk(hunk, region.path)]
    parts += [Part(special="file"), Part(text=region.path + "\n"), Part(special="line")]
    for number, line in enumerate(region.lines):
        parts += _line(line, cursor[1] if cursor is not None and cursor[0] == number else None)
    return tuple(parts)


def marked(region: Region, change: Change) -> tuple[Change, range]:
    """The change as the model sees it: replacing at least one line; and the lines at which <|edit|> is said.

    Raises ValueError for a change that does not lie in the region, or an insertion into an empty one.
    """
    if not 0 <= change.start <= change.end <= len(region.lines):
        raise ValueError(f"lines {change.start} to {change.end} are not in a region of {len(region.lines)} lines")
    if change.start < change.end:
        return change, range(change.start, change.end)
    if not region.lines:
        raise ValueError("an empty region has no line to insert at")
    if change.start:
        before = region.lines[change.start - 1]
        change = Change(change.start - 1, change.start, before + change.text)
    else:
        change = Change(0, 1, change.text + region.lines[0])
    return change, range(change.start, change.end)


def render_question(region: Region, lines: range) -> tuple[Part, ...]:
    """What is appended to ask for the new text of ``lines``."""
    return (
        Part(special="edit"),
        Part(special="edit_old"),
        *_text("".join(region.lines[i] for i in lines)),
        Part(special="edit_new"),
    )


def render_answers(region: Region, changes: Sequence[Change]) -> tuple[Part, ...]:
    """Questions and answers of ``changes``, one after the other, as training shows them."""
    parts: list[Part] = []
    for change in changes:
        whole, lines = marked(region, change)
        parts += [*render_question(region, lines), *_text(whole.text)]
    return (*parts, Part(special="end"))


def apply(region: Region, change: Change) -> Region:
    """The region after the change. Raises ValueError for one that does not lie in it."""
    if not 0 <= change.start <= change.end <= len(region.lines):
        raise ValueError(f"lines {change.start} to {change.end} are not in a region of {len(region.lines)} lines")
    return Region(region.path, region.lines[: change.start] + split_lines(change.text) + region.lines[change.end :])


def _hunk(hunk: Hunk, path: str) -> list[Part]:
    named = [] if hunk.path == path else [Part(text=hunk.path + "\n")]
    old, new = _text(_first_lines(hunk.old)), _text(_first_lines(hunk.new))
    return [Part(special="edit"), *named, Part(special="edit_old"), *old, Part(special="edit_new"), *new]


def _first_lines(text: str) -> str:
    return "".join(split_lines(text)[:HUNK_LINES])


def _line(line: str, column: int | None) -> list[Part]:
    if column is None:
        return _text(line)
    column = min(max(column, 0), len(line.rstrip("\n")))
    return [*_text(line[:column]), Part(special="cursor"), *_text(line[column:])]


def _text(text: str) -> list[Part]:
    return [Part(text=text)] if text else []
