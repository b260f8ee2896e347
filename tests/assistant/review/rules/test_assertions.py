"""Tests that cannot fail."""

from __future__ import annotations

import pytest

from assistant.review.rules import assertions
from tests.assistant.review.rules.cases import find, fixed, one

RULE = assertions.RULE
PATH = "tests/test_a.py"


def test_a_value_that_nobody_asserts() -> None:
    _, line = one(RULE, "", "def test_area():\n    size = area(2, 3)\n    total = size + 1\n", PATH)
    assert line == "def test_area():"


def test_a_mock_that_is_asked_wrongly() -> None:
    one(
        RULE,
        "",
        "from unittest.mock import Mock\n\ndef test_call():\n    m = Mock()\n    m.called_once_with(1)\n    assert m\n",
        PATH,
    )


def test_javascript() -> None:
    assert ".toBeTruthy()" in fixed(RULE, "", "it('x', () => {\n  expect(f()).toBeTruthy;\n});\n", "src/a.test.ts")
    one(RULE, "", "it('x', () => {\n  expect(f());\n});\n", "src/a.test.ts")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (PATH, "assert area(2, 3) == 6"),
        (PATH, "size = area(2, 3)\n    check(size)"),
        (PATH, "area(2, 3)"),
        (PATH, "with pytest.raises(ValueError):\n        size = area(0, 0)"),
        ("pkg/a.py", "size = area(2, 3)"),
    ],
)
def test_silent(path: str, body: str) -> None:
    assert not find(RULE, "", f"def test_area():\n    {body}\n", path)


def test_a_smoke_test_is_believed() -> None:
    assert not find(RULE, "", "def test_area_does_not_raise():\n    size = area(2, 3)\n", PATH)


def test_an_expectation_with_its_matcher_in_words() -> None:
    assert not find(RULE, "", 'it("x", () => {\n  expect(f(1), "to be", 2);\n});\n', "x.test.js")
    assert len(find(RULE, "", 'it("x", () => {\n  expect(f(1));\n});\n', "x.test.js")) == 1
