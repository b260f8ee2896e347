"""Which files of a change are looked at first."""

from __future__ import annotations

import pytest

from assistant.review.changes import of_texts
from assistant.review.promise import likely_first, takes_away

REST = "print(size)\n"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("size = 1\n" + REST, "wide = 1\n" + REST, True),
        ("from a import size\n" + REST, REST, True),
        ("def size(a):\n    return a\n" + REST, "def size(a, b):\n    return a\n" + REST, True),
        ("  export async function size(a) {}\n" + REST, "  export async function size(a, b) {}\n" + REST, True),
        ("size = 1\n" + REST, "size = 2\n" + REST, False),
        ("size = 1\n", "wide = 1\n", False),
        ("if size == 1:\n    " + REST, "if size == 2:\n    " + REST, False),
        (None, REST, False),
        (REST, None, False),
    ],
)
def test_a_change_that_takes_a_name_or_a_signature_away(old: str | None, new: str | None, expected: bool) -> None:
    (change,) = of_texts({"m.py": (old, new)}).files
    assert takes_away(change) is expected


def test_small_ones_of_these_come_first_tests_last_and_the_others_as_they_were() -> None:
    gone = ("size = 1\n" + REST, "wide = 1\n" + REST)
    texts = {
        "a.py": ("x = 1\n", "x = 2\n"),
        "b.py": (gone[0] * 9, gone[1] * 9),
        "c.py": gone,
        "d.py": ("y = 1\n" * 9, "y = 2\n"),
        "tests/test_a.py": gone,
    }
    assert [one.path for one in likely_first(of_texts(texts).files)] == ["c.py", "b.py", "a.py", "d.py", "tests/test_a.py"]
