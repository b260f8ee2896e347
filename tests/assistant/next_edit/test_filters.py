"""What is never suggested, however probable."""

from __future__ import annotations

import pytest

from assistant.history import History
from assistant.next_edit.filters import Filters, is_bulk
from assistant.next_edit.patterns import Trees
from assistant.next_edit.place import Edit, difference
from assistant.next_edit.types import Document, Scene

URI = "file:///a.py"


def filters(*texts: str, language: str = "python") -> tuple[Filters, Document]:
    """After a user has turned the first of ``texts`` into the last, one change a step."""
    history = History()
    for number, before in enumerate(texts[:-1]):
        after = texts[number + 1]
        edit = difference(before, after)
        history.changed(URI, before, after, edit.start, edit.end, 10.0 * number)
    document = Document(URI, "/a.py", language, texts[-1])
    return Filters(Scene(document, 0, (), history.changes), Trees()), document


def objection(after: str, *texts: str) -> str:
    rules, document = filters(*texts)
    return rules.objection(document, difference(document.text, after))


CALL = "def f(a, b):\n    return g(a, b)\n\n\nf(1, 2)\n"


@pytest.mark.parametrize(
    ("before", "now", "suggested", "word"),
    [
        (CALL, CALL.replace("g(a, b)", "g(a)"), CALL, "restores"),  # what was just deleted
        (CALL, CALL.replace("g(a, b)", "g(a, c)"), CALL, "restores"),  # what was just replaced
        (CALL, CALL.replace("g(a, b)", "g(a, b, c)"), CALL, "restores"),  # what was just put in is taken out
        (CALL, CALL.replace("f(a, b)", "f(a)"), CALL.replace("f(a, b)", "f(a)").replace("f(1, 2)", "f(1)"), ""),
        (CALL, CALL.replace("f(a, b)", "f(a)"), CALL.replace("f(a, b)", "f(a, c)"), ""),
        (CALL, CALL.replace("def f", "def h"), CALL.replace("def f", "def h").replace("\nf(1", "\nh(1"), ""),
        (CALL, CALL + "x", CALL + "x\n", "whitespace"),
        (CALL, CALL + "x", CALL.replace("    return", "  return") + "x", "whitespace"),
        (CALL, CALL + "x", CALL + "x", "nothing"),
    ],
)
def test_objections(before: str, now: str, suggested: str, word: str) -> None:
    assert objection(suggested, before, now) == word


@pytest.mark.parametrize(
    ("language", "text", "old", "new", "word"),
    [
        ("python", "from a import b, c\n\nb(c)\n", "b, c", "b", "orphans"),
        ("python", "from a import b, c\n\nb(c)\n", "from a import b, c\n", "", "orphans"),
        ("python", "from a import b, c\n\nb(d.c, 'c')\n", "b, c", "b", ""),  # an attribute, a string
        ("python", "from a import b, c\n\nb(c)\n", "b, c", "b, d", ""),  # a rename is under way
        ("python", "from a import (\n    b,\n    c,\n)\n\nb(c)\n", "    c,\n", "", "orphans"),
        ("javascript", "const { b, c } = require('a')\n\nb(c)\n", "b, c", "b", "orphans"),
        ("typescript", "import { b, c } from 'a'\n\nb()\n", "b, c", "b", ""),
    ],
)
def test_an_import_that_is_in_use_is_never_taken_out(language: str, text: str, old: str, new: str, word: str) -> None:
    rules, document = filters(text + "z = 1\n", text + "z = 2\n", language=language)
    assert rules.objection(document, Edit(text.index(old), text.index(old) + len(old), new)) == word


def test_a_deleted_text_is_known_again_at_another_place() -> None:
    gone = "def helper():\n    return compute_everything(1)\n"
    rules, document = filters(gone + "x = 1\n", "x = 1\n")
    assert rules.objection(document, Edit(6, 6, "\n\n" + gone)) == "restores"
    assert rules.objection(document, Edit(6, 6, "y = 2\n")) == ""


def test_an_edit_outside_of_the_document_is_nothing() -> None:
    rules, document = filters("x = 1\n", "x = 2\n")
    for edit in (Edit(3, 99, ""), Edit(-1, 2, "a"), Edit(4, 3, "a")):
        assert rules.objection(document, edit) == "nothing"


@pytest.mark.parametrize("language", ["python", "typescript", "go"])
def test_a_new_syntax_error_breaks_and_an_old_one_does_not(language: str) -> None:
    rules, document = filters("f(1)\ng(2)\n", "f(1\ng(2)\n", language=language)
    assert not rules.breaks(document, Edit(6, 6, "y"))
    rules, document = filters("f(1)\ng(2)\n", "f(3)\ng(2)\n", language=language)
    assert rules.breaks(document, Edit(3, 4, ""))
    assert not rules.breaks(document, Edit(2, 3, "(4)"))


def test_brackets_stand_in_for_a_grammar() -> None:
    rules, document = filters("f [1]\n", "f [2]\n", language="a language of tomorrow")
    assert rules.breaks(document, Edit(4, 5, ""))
    assert rules.breaks(document, Edit(3, 3, ")("))
    assert not rules.breaks(document, Edit(2, 5, "(3)"))


def test_bulk() -> None:
    lines = [f"v{number} = old" for number in range(12)]
    for count, bulk in ((5, False), (6, True)):
        assert is_bulk("\n".join(lines[:count]), "\n".join(lines[:count]).replace("old", "new")) is bulk
    apart = "\n".join(f"v{n} = old" if n % 2 else "keep" for n in range(12))
    parts = apart
    for number in range(12):
        parts = parts.replace(f"v{number} = old", f"w{number} = {number}")
    assert is_bulk(apart, parts)
    assert not is_bulk("pass", "\n".join(lines))  # one block of new lines
    assert is_bulk("pass", "\n".join(["x"] * 200))
