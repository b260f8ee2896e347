"""What follows from a changed header: calls, fields, awaits, results that are taken apart."""

from __future__ import annotations

import pytest

from tests.assistant.next_edit.patterns.scenes import after, run, scene


@pytest.mark.parametrize(
    ("old", "new", "call", "expected"),
    [
        ("a, b", "a", "f(1, 2)", "f(1)"),
        ("a, b", "a", "f(1, b=2)", "f(1)"),
        ("a, b", "b, a", "f(1, g(2, 3))", "f(g(2, 3), 1)"),
        ("a, b", "a, c", "f(1, b=2)", "f(1, c=2)"),
        ("a", "a, size", "f(1)", "f(1, size)"),
        ("a", "a, *, size", "f(1)", "f(1, size=size)"),
        ("a, b, c", "a, c", "f(1, 2, 3)", "f(1, 3)"),
    ],
)
def test_calls_follow(old: str, new: str, call: str, expected: str) -> None:
    text = "def f({}):\n    pass\n\ndef g(size):\n    return {}\n"
    assert after("call", scene(text.format(old, call), text.format(new, call))) == text.format(new, expected)


@pytest.mark.parametrize(
    ("old", "new", "call"),
    [
        ("a", "a, size=3", "f(1)"),  # a default: nothing to do
        ("a", "a, missing", "f(1)"),  # nothing of that name in reach
        ("a, b", "a", "f(1)"),  # never fitted: another function
        ("a, b", "a", "f(*args)"),
        ("a, b", "a, *rest", "f(1, 2)"),
        ("a, b", "a, c", "f(1, 2)"),  # by place: the name does not matter
        ("a, b", "a", "'f(1, 2)'"),
        ("a, b", "a", "f2(1, 2)"),
        ("a, b", "a, b: int", "f(1, 2)"),
    ],
)
def test_calls_that_stay(old: str, new: str, call: str) -> None:
    text = "def f({}):\n    pass\n\ndef g(size, args):\n    return {}\n"
    assert run("call", scene(text.format(old, call), text.format(new, call))) == []


def test_a_header_that_is_half_written_says_nothing() -> None:
    assert run("call", scene("def f(a, b):\n    pass\n\nf(1, 2)\n", "def f(a, (:\n    pass\n\nf(1, 2)\n")) == []


def test_methods_and_other_files() -> None:
    before = "class A:\n    def load(self, path, mode):\n        return path\n"
    where = scene(before, before.replace("path, mode", "path"), others={"user.py": "a.load('x', 'r')\nload('x', 'r')\n"})
    assert after("call", where, "user.py") == "a.load('x')\nload('x')\n"


def test_typescript_calls() -> None:
    before = "function load(path: string, mode: number) {}\nload('x', 1);\n"
    now = before.replace("path: string, mode: number", "mode: number, path: string")
    assert after("call", scene(before, now, path="web/a.ts")) == now.replace("'x', 1", "1, 'x'")


def test_a_parameter_of_init_becomes_a_field_like_its_neighbours() -> None:
    header = "class A:\n    def __init__(self, name, size=1):\n"
    before = header + "        self._name = name\n        self._size = size\n        self.go()\n"
    now = before.replace("size=1", "size=1, color=None")
    assert after("member", scene(before, now)) == now.replace("= size\n", "= size\n        self._color = color\n")


def test_a_field_that_is_there_is_not_added() -> None:
    before = "class A:\n    def __init__(self, name):\n        self.name = name\n        self.color = color\n"
    assert run("member", scene(before, before.replace("self, name", "self, name, color"))) == []


def test_a_constructor_in_typescript() -> None:
    before = "class A {\n  constructor(name: string) {\n    this.name = name;\n  }\n}\n"
    now = before.replace("name: string", "name: string, size: number")
    assert after("member", scene(before, now, path="a.ts")) == now.replace("= name;\n", "= name;\n    this.size = size;\n")


def test_a_function_that_became_async_is_awaited() -> None:
    callers = "async def g():\n    x = fetch(1)\n    return fetch(2).rows\n\ndef h():\n    return fetch(3)\n"
    before = "def fetch(a):\n    pass\n\n" + callers
    now = "async " + before
    assert after("async", scene(before, now)) == now.replace("x = fetch(1)", "x = await fetch(1)").replace(
        "return fetch(2).rows", "return (await fetch(2)).rows"
    )


def test_one_that_is_no_longer_async_is_not_awaited() -> None:
    before = "async def fetch(a):\n    pass\n\nasync def g():\n    return await fetch(1), await other(2)\n"
    now = before.removeprefix("async ")
    assert after("async", scene(before, now)) == now.replace("await fetch(1)", "fetch(1)")


def test_an_await_wants_its_function_async() -> None:
    before = "def g():\n    return fetch(1)\n"
    now = before.replace("fetch", "await fetch")
    assert after("async", scene(before, now)) == "async " + now


def test_an_await_in_a_comment_wants_nothing() -> None:
    assert run("async", scene("def g():\n    return 1\n", "def g():\n    # await\n    return 1\n")) == []


def test_async_in_typescript() -> None:
    before = (
        "function fetchAll(a) {}\nasync function g() {\n  const x = fetchAll(1);\n}\nfunction h() {\n  return fetchAll(2);\n}\n"
    )
    now = "async " + before
    assert after("async", scene(before, now, path="a.ts")) == now.replace("x = fetchAll", "x = await fetchAll")


def test_one_more_value_is_taken_from_a_result() -> None:
    before = "def load():\n    return rows, total\n\nrows, total = load()\nboth = load()\na, b, c = load()\n"
    now = before.replace("return rows, total", "return rows, total, errors")
    assert after("arity", scene(before, now)) == now.replace("rows, total = load()", "rows, total, errors = load()")


def test_one_value_fewer() -> None:
    before = "def load():\n    return rows, n, total\n\nrows, size, total = load()\n"
    now = before.replace("return rows, n, total", "return rows, total")
    assert after("arity", scene(before, now)) == now.replace("rows, size, total = load()", "rows, total = load()")


def test_other_values_are_no_matter_of_arity() -> None:
    before = "def load():\n    return rows, total\n\nrows, total = load()\n"
    assert run("arity", scene(before, before.replace("return rows, total", "return lines, total"))) == []
