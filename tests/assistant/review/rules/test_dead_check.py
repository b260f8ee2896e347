"""Checks that never run."""

from __future__ import annotations

import pytest

from assistant.review.rules import dead_check
from tests.assistant.review.rules.cases import find, one

RULE = dead_check.RULE
PATH = "tests/test_m.py"


@pytest.mark.parametrize("last", ["assert caught.value.args == (1,)", "assert x"])
def test_behind_the_call_that_raises(last: str) -> None:
    new = f"def test_f():\n    with pytest.raises(ValueError) as caught:\n        f(1)\n        {last}\n"
    assert one(RULE, "", new, PATH)[1] == last


@pytest.mark.parametrize("text", ["expect(f()).rejects.toThrow();", "assert.rejects(f());"])
def test_a_promise_that_nobody_awaits(text: str) -> None:
    assert one(RULE, "", f"it('x', async () => {{\n  {text}\n}});\n", "x.test.ts")[0].line == 1


@pytest.mark.parametrize(
    ("new", "path"),
    [
        ("def test_f():\n    with pytest.raises(ValueError):\n        f(1)\n    assert x\n", PATH),
        ("def test_f():\n    with pytest.raises(AssertionError):\n        f(1)\n        assert x\n", PATH),
        ("def test_f():\n    with pytest.raises(ValueError):\n        x = f(1)\n        assert x.value\n", PATH),
        ("it('x', async () => {\n  await expect(f()).rejects.toThrow();\n});\n", "x.test.ts"),
        ("it('x', () => {\n  return expect(f()).rejects.toThrow();\n});\n", "x.test.ts"),
        ("it('x', () => {\n  expect(f()).toBe(1);\n});\n", "x.test.ts"),
    ],
)
def test_silent(new: str, path: str) -> None:
    assert not find(RULE, "", new, path)
