"""Next edits in a real VS Code: a rename is followed with Tab alone, far ones are pointed to, Esc is heeded and remembered."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.editor.window import Window, until

pytestmark = pytest.mark.editor

FUNCTION = "def area(width, height):\n    total = width * height\n    if width > 3:\n        return width\n    return total\n"
FAR = "def area(width, height):\n" + "".join(f"    x{i} = {i}\n" for i in range(60)) + "    return width * height\n"

MARKS = """() => [...document.querySelectorAll('.editor-instance .view-lines [class*=ced-]')]
  .map(mark => mark.textContent + getComputedStyle(mark, '::after').content.replace(/^"|"$|^none$/g, ''))
  .filter(Boolean).map(text => text.replaceAll('\\u00a0', ' '))"""
"""What decorations strike, and what they write."""


def marks(window: Window) -> list[str]:
    found: list[str] = window.ask("evaluate", script=MARKS)
    return found


def rename(window: Window, name: str, text: str) -> None:
    """Open a file of this text, and type ``breadth`` over the function's first parameter."""
    window.open(name, text)
    window.wait_status("codicon-check")
    window.press("Control+Home", *["ArrowRight"] * 9, *["Delete"] * 5)
    window.type("breadth", delay=60)


@pytest.fixture
def clean(window: Window) -> Iterator[Window]:
    yield window
    window.close_all()


def test_tab_by_tab_to_the_end_of_a_rename(clean: Window) -> None:
    rename(clean, "rename.py", FUNCTION)
    lines = FUNCTION.replace("(width", "(breadth").split("\n")
    for line in (1, 2, 3):
        until(lambda: marks(clean) == ["width", "breadth"], lambda: f"{marks(clean)}")
        clean.press("Tab")  # jumps
        until(lambda line=line: clean.place()[0] == line + 1, lambda: f"{clean.place()}")  # type: ignore[misc]
        assert clean.text() == lines
        clean.press("Tab")  # takes it
        lines[line] = lines[line].replace("width", "breadth")
        clean.wait_line(lines[line], line)
        assert clean.text() == lines
    until(lambda: marks(clean) == [])
    taken = "select 1 from outcome join impression i on i.id = impression join opportunity o on o.id = i.opportunity"
    clean.close_all()
    until(lambda: len(clean.rows(f"{taken} where o.kind = 'next_edit' and outcome.kind = 'accepted' and final")) == 3)


def test_what_is_out_of_sight_is_pointed_to_and_escape_is_remembered(clean: Window) -> None:
    rename(clean, "far.py", FAR)
    until(lambda: any("line 62" in mark for mark in marks(clean)), lambda: f"{marks(clean)}")
    clean.press("Tab")
    until(lambda: clean.place()[0] == 62, lambda: f"{clean.place()}")
    until(lambda: marks(clean) == ["width", "breadth"], lambda: f"{marks(clean)}")
    clean.pause(1.0)  # a refusal within less is not one of what was read
    clean.press("Escape")
    until(lambda: marks(clean) == [])
    assert clean.wait_rows(
        "select 1 from outcome join impression i on i.id = impression join opportunity o on o.id = i.opportunity"
        " where o.kind = 'next_edit' and outcome.kind = 'rejected' and outcome.how = 'notified'"
    )
    clean.press("Control+Home", "End")
    clean.type(" ")
    clean.pause(1.5)
    assert marks(clean) == []


def test_tab_still_indents(clean: Window) -> None:
    rename(clean, "indent.py", FUNCTION + "\n")
    until(lambda: marks(clean) == ["width", "breadth"], lambda: f"{marks(clean)}")
    clean.press("Control+End")
    clean.pause(0.5)  # the cursor has moved when the page has drawn it; keys follow what the extension then says
    clean.press("Tab")
    clean.wait_line("    ")
