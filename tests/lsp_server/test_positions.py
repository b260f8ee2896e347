"""Positions and offsets in the three encodings, against Python's own codecs as the oracle."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsp_server.positions import ENCODINGS, Encoding, Lines, units

TEXTS = st.text(st.sampled_from("ab é汉😋\t\x0c\u2028\n\r"), max_size=40)
CODEC = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}


@given(TEXTS, st.sampled_from(ENCODINGS), st.data())
def test_offset_to_position_and_back(text: str, encoding: Encoding, data: st.DataObject) -> None:
    offset = data.draw(st.integers(0, len(text)))
    line, character = Lines(text).position(offset, encoding)
    inside_crlf = text[offset - 1 : offset + 1] == "\r\n" and offset > 0
    assert Lines(text).offset(line, character, encoding) == offset - (1 if inside_crlf else 0)
    before = re.split(r"\r\n|\n|\r", text[: offset - 1 if inside_crlf else offset])
    codec, width = CODEC[encoding]
    assert (line, character) == (len(before) - 1, len(before[-1].encode(codec)) // width)


@given(TEXTS, st.sampled_from(ENCODINGS), st.integers(-2, 20), st.integers(-2, 60))
def test_any_position_is_clamped_into_the_text(text: str, encoding: Encoding, line: int, character: int) -> None:
    offset = Lines(text).offset(line, character, encoding)
    assert 0 <= offset <= len(text)
    if 0 <= line < len(Lines(text)):
        start, end = Lines(text).span(line)
        assert start <= offset <= end


@pytest.mark.parametrize(
    ("encoding", "character", "offset"),
    [
        ("utf-16", 2, 2),
        ("utf-16", 3, 2),  # inside the surrogate pair
        ("utf-16", 4, 3),
        ("utf-8", 3, 2),
        ("utf-8", 5, 2),
        ("utf-8", 6, 3),
        ("utf-32", 3, 3),
        ("utf-16", 99, 4),
    ],
)
def test_inside_a_character_is_before_it(encoding: Encoding, character: int, offset: int) -> None:
    assert Lines('x"😋"\nnext').offset(0, character, encoding) == offset


def test_crlf_is_one_line_end_and_never_part_of_the_line() -> None:
    lines = Lines("ab\r\ncd\r\n")
    assert len(lines) == 3
    assert lines.offset(0, 99, "utf-16") == 2
    assert lines.offset(1, 0, "utf-16") == 4
    assert lines.position(3, "utf-16") == (0, 2)
    assert lines.offset(9, 9, "utf-16") == 8


def test_a_form_feed_ends_no_line() -> None:
    assert Lines("a\x0cb\u2028c\x85\nd").offset(1, 0, "utf-16") == 7


def test_a_lone_surrogate_has_a_width() -> None:
    assert units("\ud83d", "utf-16") == 1
    assert Lines("\ud83dx").offset(0, 1, "utf-16") == 1
