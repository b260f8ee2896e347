"""Next edits in a real VS Code: a rename is followed with Tab alone, far ones are pointed to, Esc is heeded and remembered."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.editor.conftest import USE
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


def rename(window: Window, name: str, text: str, old: str = "width", new: str = "breadth", tail: str = "") -> None:
    """Open a file of this text, type ``tail`` behind it, and then over a name where it stands first."""
    window.open(name, text)
    window.wait_status("codicon-check")
    window.type(tail)
    before = text[: text.index(old)]
    window.press("Control+Home", *["ArrowDown"] * before.count("\n"), "Home")
    window.press(*["ArrowRight"] * len(before.split("\n")[-1]), *["Delete"] * len(old))
    window.type(new, delay=60)


def wait_marks(window: Window, *wanted: str) -> None:
    until(lambda: marks(window) == list(wanted), lambda: f"{marks(window)}")


@pytest.fixture
def clean(window: Window) -> Iterator[Window]:
    yield window
    window.close_all()


def test_tab_by_tab_to_the_end_of_a_rename(clean: Window) -> None:
    rename(clean, "rename.py", FUNCTION)
    lines = FUNCTION.replace("(width", "(breadth").split("\n")
    for line in (1, 2, 3):
        wait_marks(clean, "width", "breadth")
        assert clean.ghost() == ""
        clean.press("Tab")  # jumps
        until(lambda line=line: clean.place()[0] == line + 1, lambda: f"{clean.place()}")  # type: ignore[misc]
        assert clean.text() == lines
        clean.press("Tab")  # takes it
        lines[line] = lines[line].replace("width", "breadth")
        clean.wait_line(lines[line], line)
        assert clean.text() == lines
    wait_marks(clean)
    taken = "select 1 from outcome join impression i on i.id = impression join opportunity o on o.id = i.opportunity"
    clean.close_all()
    until(lambda: len(clean.rows(f"{taken} where o.kind = 'next_edit' and outcome.kind = 'accepted' and final")) == 3)


def test_the_next_edit_in_another_file_opens_it_at_the_place(clean: Window) -> None:
    """That file lies in the folder and is not open: the project's index has found it."""
    rename(clean, "bags.py", "def gather_all(count):\n    return list(range(count))\n", "gather_all", "collect_all")
    until(lambda: any("use_bags.py:" in mark for mark in marks(clean)), lambda: f"{marks(clean)}")
    clean.press("Tab")  # goes there
    clean.wait("() => document.querySelector('.tab.active')?.dataset.resourceName === 'use_bags.py'")
    wait_marks(clean, "gather_all", "collect_all")
    until(lambda: "gather_all" in USE.split("\n")[clean.place()[0] - 1], lambda: f"{clean.place()}")
    line = clean.place()[0] - 1
    clean.press("Tab")  # takes it
    clean.wait_line(USE.split("\n")[line].replace("gather_all", "collect_all"), line)


def test_what_is_out_of_sight_is_pointed_to_and_escape_is_remembered(clean: Window) -> None:
    rename(clean, "far.py", FAR)
    until(lambda: any("line 62" in mark for mark in marks(clean)), lambda: f"{marks(clean)}")
    clean.press("Tab")
    until(lambda: clean.place()[0] == 62, lambda: f"{clean.place()}")
    wait_marks(clean, "width", "breadth")
    clean.pause(1.0)  # a refusal within less is not one of what was read
    clean.press("Escape")
    wait_marks(clean)
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
    wait_marks(clean, "width", "breadth")
    clean.press("Control+End")
    clean.pause(0.5)  # the cursor has moved when the page has drawn it; keys follow what the extension then says
    clean.press("Tab")
    clean.wait_line("    ")


def test_tab_is_the_popups_and_then_the_snippets(clean: Window) -> None:
    """A next edit waits all the while."""
    rename(clean, "snippet.py", FUNCTION)
    wait_marks(clean, "width", "breadth")
    clean.press("ArrowRight", "ArrowRight", "Control+Space")
    row = ".suggest-widget.visible .monaco-list-row.focused"
    label = clean.wait(f"() => document.querySelector('{row}')?.getAttribute('aria-label')")
    assert label.startswith("pair")
    clean.press("Tab")
    clean.wait_line("def area(breadth, one twoheight):", 0)
    wait_marks(clean, "width", "breadth")
    clean.press("Tab")
    clean.type("three")
    clean.wait_line("def area(breadth, one threeheight):", 0)
    assert clean.text()[1:] == FUNCTION.split("\n")[1:]


def test_tab_and_escape_are_the_ghost_texts_before_the_next_edits(clean: Window) -> None:
    text = "import os\n\n\ndef area(width, height):\n    return width + height\n\n\ndef both(folder, first):\n    return os"
    rename(clean, "both_kinds.py", text, tail=".pa")
    wait_marks(clean, "width", "breadth")
    clean.press("Control+End")
    clean.command("Sotto: Suggest Here")
    assert clean.wait_ghost()
    clean.press("Escape")
    clean.wait_no_ghost()
    assert marks(clean) == ["width", "breadth"]
    clean.command("Sotto: Suggest Here")
    ghost = clean.wait_ghost()
    clean.press("Tab")
    clean.wait_line(f"    return os.pa{ghost}")
    assert clean.text()[4] == "    return width + height"
    assert clean.place()[0] == 9
