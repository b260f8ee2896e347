"""Calls that a changed signature left behind."""

from __future__ import annotations

import pytest

from assistant.review.rules import callers
from tests.assistant.review.rules.cases import find, fixed, one

RULE = callers.RULE
OLD = "def load(path, mode):\n    return path, mode\n"
NEW = "def load(path, mode, limit):\n    return path, mode\n"


def test_a_caller_in_another_file_lacks_the_new_argument() -> None:
    others = {"pkg/use.py": "from pkg.module import load\n\nprint(load('a', 'r'))\n"}
    finding, line = one(RULE, OLD, NEW, others=others)
    assert (finding.path, line) == ("pkg/use.py", "print(load('a', 'r'))")
    assert "limit is not given" in finding.message
    assert finding.evidence[0].path == "pkg/module.py"


def test_a_renamed_keyword_is_renamed_at_the_call() -> None:
    use = "\ndef g():\n    return load('a', mode='r')\n"
    assert "kind='r'" in fixed(RULE, OLD + use, OLD.replace("mode", "kind") + use)


def test_a_method_through_self() -> None:
    old = "class A:\n    def load(self, path):\n        pass\n    def run(self):\n        self.load(1)\n"
    one(RULE, old, old.replace("self, path", "self, path, mode"))


def test_a_constructor() -> None:
    old = "class A:\n    def __init__(self, x):\n        pass\n\ndef f():\n    return A(1)\n"
    one(RULE, old, old.replace("self, x", "self, x, y"))


def test_another_number_of_values() -> None:
    use = "\ndef g():\n    a, b = load(1, 2)\n    return a\n"
    finding, _ = one(RULE, OLD + use, OLD.replace("return path, mode", "return path, mode, 1") + use)
    assert "gives 3 values now" in finding.message


@pytest.mark.parametrize(
    ("new", "use"),
    [
        (NEW.replace("limit", "limit=1"), "load('a', 'r')"),
        (NEW, "load('a', 'r', 3)"),
        (NEW, "load(*args)"),
        (NEW, "other.load('a', 'r')"),
        (NEW, "load('a')"),
        (NEW, "print(load)"),
        (NEW.replace("limit", "**more"), "load('a', 'r')"),
    ],
)
def test_silent(new: str, use: str) -> None:
    tail = f"\ndef g(other, args):\n    return {use}\n"
    assert not find(RULE, OLD + tail, new + tail)


def test_a_name_that_is_bound_elsewhere_is_not_this_function() -> None:
    others = {"pkg/use.py": "from other import load\n\nload('a', 'r')\n", "pkg/more.py": "def load(a, b): pass\nload(1, 2)\n"}
    assert not find(RULE, OLD, NEW, others=others)


def test_an_argument_that_is_missing_in_javascript_is_undefined() -> None:
    old, new = "function f(a) { return a; }\nf(1);\n", "function f(a, b) { return a; }\nf(1);\n"
    assert not find(RULE, old, new, "m.js")
    assert len(find(RULE, old, new, "m.ts")) == 1
    expected = "// @ts-expect-error - on purpose\nf(1);\n"
    assert not find(RULE, old.replace("f(1);\n", expected), new.replace("f(1);\n", expected), "m.ts")
