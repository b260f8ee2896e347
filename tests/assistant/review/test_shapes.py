"""What small bugs look like."""

from __future__ import annotations

import pytest

from assistant.review.shapes import shape_of


@pytest.mark.parametrize(
    ("right", "wrong", "shape"),
    [
        ("    if not x:\n        return 0\n    return x.a\n", "    return x.a\n", "guard"),
        ("    await g(x)\n", "    g(x)\n", "await"),
        ("    return g(x, y)\n", "    return g(y, x)\n", "swap"),
        ("    return g(x)\n", "    return g(y)\n", "name"),
        ("    return x < y\n", "    return x <= y\n", "operator"),
        ("    return x[1]\n", "    return x[0]\n", "off-by-one"),
        ("    return x[7]\n", "    return x[0]\n", "literal"),
        ("    if x and x.a:\n        g()\n", "    if x.a:\n        g()\n", "condition"),
        ("    g(x, key=y)\n", "    g(x)\n", "argument"),
        ("    return g(x)\n", "    g(x)\n", "return"),
        ("    return 'a'\n", "    return 'b'\n", "literal"),
    ],
)
def test_shape(right: str, wrong: str, shape: str) -> None:
    head = "async def f(x, y):\n"
    assert shape_of(head + right, head + wrong, "python") == shape


def test_equal_code_and_unknown_languages_have_none() -> None:
    assert shape_of("x = 1\n", "x = 1  # one\n", "python") == ""
    assert shape_of("a", "b", "fortran") == ""
