"""Refused edits stay away until their code changes; a row of refusals asks for more, for a while."""

from __future__ import annotations

from assistant.next_edit.memory import HALF_LIFE_S, MOST_CAUTION, PASSED, Memory
from assistant.next_edit.place import Edit

URI = "file:///a.py"
TEXT = "a = f(x)\nb = f(x)\nc = 3\n"
EDIT = Edit(15, 16, "y")  # the x of the second line


def changed(memory: Memory, text: str, start: int, end: int, new: str) -> str:
    after = text[:start] + new + text[end:]
    memory.changed(URI, text, after)
    return after


def test_refused_in_whatever_form_and_only_there() -> None:
    memory = Memory()
    memory.refused(URI, TEXT, EDIT, 0.0)
    assert memory.forbids(URI, TEXT, EDIT)
    assert memory.forbids(URI, TEXT, Edit(9, 18, "b = f(y)\n"))
    assert not memory.forbids(URI, TEXT, Edit(6, 7, "y"))
    assert not memory.forbids(URI, TEXT, Edit(15, 16, "z"))
    assert not memory.forbids("file:///b.py", TEXT, EDIT)


def test_it_moves_with_its_line_and_ends_with_it() -> None:
    memory = Memory()
    memory.refused(URI, TEXT, EDIT, 0.0)
    text = changed(memory, TEXT, 0, 0, "import os\n")
    assert memory.forbids(URI, text, Edit(25, 26, "y"))
    text = changed(memory, text, len(text), len(text), "d = 4\n")
    assert memory.forbids(URI, text, Edit(25, 26, "y"))
    text = changed(memory, text, 26, 26, ", 1")
    assert not memory.forbids(URI, text, Edit(25, 26, "y"))


def test_a_closed_document_remembers_only_for_the_same_text() -> None:
    for reopened, still in ((TEXT, True), ("\n" + TEXT, False)):
        memory = Memory()
        memory.refused(URI, TEXT, EDIT, 0.0)
        memory.closed(URI, TEXT)
        memory.opened(URI, reopened)
        assert memory.forbids(URI, TEXT, EDIT) is still


def test_what_is_passed_over_often_is_refused() -> None:
    memory = Memory()
    for time in range(PASSED):
        assert not memory.forbids(URI, TEXT, EDIT)
        memory.passed_over(URI, TEXT, EDIT, float(time))
    assert memory.forbids(URI, TEXT, EDIT)
    memory.passed_over(URI, TEXT, Edit(0, 1, "q"), 9.0)
    assert not memory.forbids(URI, TEXT, Edit(0, 1, "q"))


def test_caution_rises_fades_and_ends_with_an_acceptance() -> None:
    memory = Memory()
    assert memory.caution(0.0) == 0.0
    for number in range(9):
        memory.refused(URI, TEXT, Edit(number, number, "q"), 0.0)
    assert memory.caution(0.0) == MOST_CAUTION
    assert abs(memory.caution(HALF_LIFE_S) - MOST_CAUTION / 2) < 1e-9
    memory.taken(HALF_LIFE_S)
    assert memory.caution(HALF_LIFE_S) == 0.0
