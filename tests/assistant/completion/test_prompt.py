"""Layouts of a hole in a file: what each order keeps while one types."""

from __future__ import annotations

from itertools import takewhile

import pytest

from assistant.completion.context import Site
from assistant.completion.prompt import LAYOUTS, fim
from assistant.completion.retrieval import Retrieved
from assistant.types import Part

TEXT = "import os\n\ndef first(items):\n    return ite\n\nlast = 1\n"
CURSOR = TEXT.index("ite\n") + 3


def site(at: int, text: str = TEXT) -> Site:
    return Site(text, at, "python", "a.py", text[:at], text[at:], 0, len(text), "    ")


def typed(layout: str, inserted: str) -> tuple[list[str], list[str]]:
    """The prompt at a place, and after ``inserted`` was typed there, as texts and names."""
    at = CURSOR
    before, after = fim(layout, site(at)), fim(layout, site(at + len(inserted), TEXT[:at] + inserted + TEXT[at:]))
    return ["".join((p.special, p.text)) for p in before], ["".join((p.special, p.text)) for p in after]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_typing_within_a_line_changes_the_last_part_only(layout: str) -> None:
    before, after = typed(layout, "ms[0]")
    assert before[:-1] == after[:-1]
    assert after[-1] == before[-1] + "ms[0]"


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_holds_the_file_and_what_was_found(layout: str) -> None:
    parts = fim(layout, site(CURSOR), Retrieved((("b.py", "def other(): pass"),)))
    said = "".join(part.text for part in parts)
    assert "def other(): pass" in said
    assert "return ite" in said
    assert ("last = 1" in said) == (layout != "plain")


def test_prefix_first_puts_the_cursors_line_behind_the_middle() -> None:
    parts = fim("psm", site(CURSOR))
    assert parts == (
        Part(special="fim_prefix"),
        Part(text="import os\n\ndef first(items):\n", keep="end"),
        Part(special="fim_suffix"),
        Part(text="\n\nlast = 1\n", keep="start"),
        Part(special="fim_middle"),
        Part(text="    return ite", keep="end"),
    )


def test_files_stand_behind_their_separators() -> None:
    parts = fim("psm_files", site(3), Retrieved((("b.py", "x = 1"),)))
    names = [part.special or part.text for part in takewhile(lambda part: part.special != "fim_prefix", parts)]
    assert names == ["file_sep", "b.py\nx = 1\n", "file_sep", "a.py\n"]


def test_suffix_first_orders() -> None:
    assert [part.special for part in fim("spm", site(3)) if part.special] == ["fim_prefix", "fim_suffix", "fim_middle"]
    assert [part.special for part in fim("suffix_first", site(3)) if part.special] == ["fim_suffix", "fim_prefix"]
