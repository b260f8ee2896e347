"""Words that went wrong."""

from __future__ import annotations

import pytest

from assistant.review.rules import wording
from tests.assistant.review.rules.cases import find, fixed, one

RULE = wording.RULE


@pytest.mark.parametrize(
    ("new", "line", "said"),
    [
        ("x = 1  # see the the file\n", 0, "`the`"),
        ("# here it\n# it ends\nx = 1\n", None, ""),
        ('def f():\n    """Do it.\n\n    Gives what is\n    is there.\n    """\n', 4, "`is`"),
        ("# an enviroment of its own\n", 0, "environment"),
        ('raise ValueError("no such paramter in here")\n', 0, "parameter"),
        ("recieved_at = 1\n", 0, "received"),
    ],
)
def test_words(new: str, line: int | None, said: str) -> None:
    found = find(RULE, "", new)
    assert [one.line for one in found] == ([] if line is None else [line])
    assert all(said in one.message for one in found)


def test_two_halves_of_a_text() -> None:
    new = 'raise ValueError(\n    "there is no such file"\n    "in the folder"\n)\n'
    assert "`filein`" in one(RULE, "", new)[0].message
    assert '" in the folder"' in fixed(RULE, "", new)


def test_two_halves_in_javascript() -> None:
    finding, line = one(RULE, "", 'throw new Error("there is no file" +\n  "in the folder");\n', "m.js")
    assert (finding.line, line) == (1, '"in the folder");')


@pytest.mark.parametrize(
    "new",
    [
        '"there is no such file "\n"in the folder"\n',
        'x = ("a/b c d/e"\n     "f g")\n',
        'x = (r"a b c"\n     r"d e")\n',
        'x = ("one two three\\n"\n     "four five")\n',
        "# that is to `to` here\n",
        '"teh"\n',
        '">>> the the"\n',
        "# teh, adn, recieve, wich, enviroment, paramter, seperate: what people write\n",
    ],
)
def test_silent(new: str) -> None:
    assert not find(RULE, "", new)


def test_what_was_there_before_or_was_moved_is_old() -> None:
    assert not find(RULE, "# the the\nx = 1\n", "# the the\nx = 2\n")
    assert not find(RULE, "# the the\n\nx = 1\n", "x = 1\n\n# the the\n")
