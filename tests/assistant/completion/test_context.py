"""What the model sees: windows that stay put while the user types, and text any tokenizer can take."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.completion.context import Windows, indent_unit, look, shown_path, window_end, window_start
from assistant.completion.prompt import fim
from assistant.types import EngineError, Indent, Part, Snapshot
from tests.assistant.buffers import site

LINES = "".join(f"line {i} = {'x' * (i % 40)}\n" for i in range(400))


@given(st.integers(0, len(LINES)), st.integers(40, 3000))
def test_the_prefix_window_is_most_of_its_size_and_begins_at_a_line(offset: int, size: int) -> None:
    start = window_start(LINES, offset, size)
    assert start == 0 or LINES[start - 1] == "\n" or size < 500
    assert offset - start <= size
    assert offset - start >= min(offset, size // 2 - size // 4)


def test_the_prefix_window_stays_put_for_hundreds_of_keys() -> None:
    starts = [window_start(LINES, offset, 2000) for offset in range(6000, 8000)]
    assert len(set(starts)) <= 6
    assert starts == sorted(starts)


@given(st.integers(0, len(LINES)), st.integers(40, 900))
def test_the_suffix_window_depends_on_the_text_behind_the_cursor_alone(offset: int, size: int) -> None:
    end = window_end(LINES, offset, size)
    typed = LINES[:offset] + "typed" + LINES[offset:]
    assert window_end(typed, offset + 5, size) == end + 5
    assert end - offset <= size
    assert end == len(LINES) or LINES[end - 1] == "\n" or "\n" not in LINES[offset + 1 : end]


def test_a_key_leaves_the_head_of_the_prompt_as_it_was() -> None:
    text, at = LINES, 7_003
    windows = Windows.of(1024, 96)
    before = look(Snapshot("u", "python", text, at), windows)
    after = look(Snapshot("u", "python", text[:at] + "k" + text[at:], at + 1), windows)
    assert (after.prefix, after.suffix) == (before.prefix + "k", before.suffix)


def test_one_line_longer_than_the_window() -> None:
    text = "x" * 10_000
    place = look(Snapshot("u", "python", text, 9_000), Windows(1000, 200))
    assert 500 <= len(place.prefix) <= 1000
    assert len(place.suffix) == 200


def test_windows_leave_room_for_what_the_model_writes() -> None:
    windows = Windows.of(1024, 96)
    assert (windows.prefix + windows.suffix) / 3.3 < 1024 - 96 - 32
    assert Windows.of(64, 1000).prefix > 0, "a hopeless setting still gives a prompt"


def test_line_ends_tabs_and_surrogates() -> None:
    place = site("a\r\n\tb = '\ud83d|'\r\nc\r\n")
    assert place.prefix == "a\n\tb = '\ufffd"
    assert place.suffix == "'\nc\n"
    assert place.newline == "\r\n"
    assert (place.line_before, place.rest) == ("\tb = '\ud83d", "'")


def test_a_cursor_between_the_two_characters_of_a_line_end_is_before_them() -> None:
    text = "a = 1\r\nb\r\n"
    place = look(Snapshot("u", "python", text, 6), Windows(100, 100))
    assert (place.offset, place.rest, place.suffix) == (5, "", "\nb\n")


@pytest.mark.parametrize("offset", [-5, 10_000])
def test_a_cursor_outside_the_text_is_moved_into_it(offset: int) -> None:
    assert look(Snapshot("u", "python", "abc", offset), Windows(100, 100)).offset in (0, 3)


@pytest.mark.parametrize(
    ("uri", "path", "root", "language", "shown"),
    [
        ("file:///p/src/a.py", "/p/src/a.py", "/p", "python", "src/a.py"),
        ("file:///q/src/a.py", "/q/deep/src/a.py", "/p", "python", "src/a.py"),
        ("file:///a.py", "/a.py", None, "python", "a.py"),
        ("untitled:Untitled-1", None, None, "python", "Untitled-1.py"),
        ("untitled:/p/new.rs", None, None, "rust", "new.rs"),
        ("vscode-notebook-cell:/p/nb.ipynb#W1", None, None, "python", "nb.ipynb"),
        ("", None, None, "python", "untitled.py"),
    ],
)
def test_the_path_in_the_header(uri: str, path: str | None, root: str | None, language: str, shown: str) -> None:
    assert shown_path(Snapshot(uri, language, "", 0, None, path, root)) == shown


@pytest.mark.parametrize(
    ("sample", "stated", "unit"),
    [
        ("a\n  b\n    c\n  d\n", Indent(4), "  "),
        ("a\n    b\n", Indent(2), "    "),
        ("a\n\tb\n\t\tc\n", Indent(4), "\t"),
        ("a\n", Indent(8), "        "),
        ("a\n", Indent(4, tabs=True), "\t"),
        ("a\n", None, "    "),
        ("f(a,\n  b)\nx:\n    y\nz:\n    w\n", None, "    "),
    ],
)
def test_the_unit_of_indentation(sample: str, stated: Indent | None, unit: str) -> None:
    assert indent_unit(sample, stated, "python") == unit


def test_the_layout_of_our_model_is_suffix_first() -> None:
    assert fim("sotto", site("import os\nx = |\ny = 2\n")) == (
        Part(special="file"),
        Part(text="module.py\n"),
        Part(special="fim_prefix"),
        Part(special="fim_suffix"),
        Part(text="\ny = 2\n", keep="start"),
        Part(special="fim_middle"),
        Part(text="import os\nx = ", keep="end"),
    )


def test_a_family_without_a_layout_is_an_engine_that_cannot_answer() -> None:
    with pytest.raises(EngineError, match="sotto"):
        fim("unheard-of", site("x = |"))
