"""The mirror of the editor's documents stays equal to the editor's own text, however it sends its changes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from assistant.types import JsonObject
from lsp_server.buffers import Buffer, difference
from lsp_server.from_lsp import edit
from lsp_server.positions import ENCODINGS, Encoding, Lines

TEXTS = st.text(st.sampled_from("ab é😋\x0c\n\r"), max_size=30)


@given(TEXTS, TEXTS)
def test_difference_rebuilds_the_text(before: str, after: str) -> None:
    change = difference(before, after)
    assert before[: change.start] + change.text + before[change.end :] == after
    kept = change.start + len(before) - change.end
    assert kept >= 0
    assert len(change.text) == len(after) - kept


def _change(text: str, start: int, end: int, new: str, encoding: Encoding) -> JsonObject:
    lines = Lines(text)
    first, last = lines.position(start, encoding), lines.position(end, encoding)
    place = [{"line": line, "character": character} for line, character in (first, last)]
    return {"range": {"start": place[0], "end": place[1]}, "text": new}


@given(TEXTS, st.sampled_from(ENCODINGS), st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30), TEXTS), max_size=5))
def test_incremental_changes_keep_the_mirror_true(text: str, encoding: Encoding, edits: list[tuple[int, int, str]]) -> None:
    buffer = Buffer("file:///a", "python", text)
    for a, b, new in edits:
        start, end = sorted((min(a, len(text)), min(b, len(text))))
        # A position cannot name the place between CR and LF; an editor never edits there.
        start, end = (Lines(text).offset(*Lines(text).position(x, encoding), encoding) for x in (start, end))
        change = edit(_change(text, start, end, new, encoding), buffer, encoding)
        assert change is not None
        buffer = buffer.edited(change, None)
        text = text[:start] + new + text[end:]
        assert buffer.text == text


def test_a_whole_new_text_becomes_the_smallest_edit() -> None:
    change = edit({"text": "one two three"}, Buffer("file:///a", "", "one three"), "utf-16")
    assert change is not None
    assert (change.start, change.end, change.text) == (4, 4, "two ") or (change.start, change.text) == (5, "wo t")
