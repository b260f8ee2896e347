"""What is new and nothing reads."""

from __future__ import annotations

import pytest

from assistant.review.rules import unused
from tests.assistant.review.rules.cases import find, one

RULE = unused.RULE
TEST = "tests/test_m.py"


def test_a_fixture() -> None:
    finding, line = one(RULE, "", "def test_f(tmp_path,\n           monkeypatch):\n    assert tmp_path\n", TEST)
    assert line == "monkeypatch):"
    assert "monkeypatch" in finding.message


def test_a_column_of_cases() -> None:
    new = '@pytest.mark.parametrize(("given", "wanted"), [(1, 2)])\ndef test_f(given, wanted):\n    assert f(given)\n'
    assert "wanted" in one(RULE, "", new, TEST)[0].message


def test_a_variable_and_a_parameter() -> None:
    assert one(RULE, "", "def f(x):\n    y = x + 1\n    return x\n")[1] == "y = x + 1"
    assert (
        "parameter size"
        in one(RULE, "def f(x):\n    y = x + 1\n    return y\n", "def f(x, size):\n    y = x + 1\n    return y\n")[0].message
    )


def test_the_last_use_that_went() -> None:
    old, new = "def f(x):\n    y = x + 1\n    return y\n", "def f(x):\n    y = x + 1\n    return x\n"
    assert one(RULE, old, new)[1] == "y = x + 1"


@pytest.mark.parametrize(
    "new",
    [
        "def f(x):\n    return locals()\n",
        "def f(x):\n    raise NotImplementedError\n",
        "def f(_x):\n    return 1 + g()\n",
        "class A(B):\n    def f(self, x):\n        return 1 + g()\n",
        "@app.route('/')\ndef f(x):\n    return 1 + g()\n",
        "def f(x):\n    return 1 + g()\nrun(f)\n",
        "def f(x):  # noqa: ARG001\n    return 1 + g()\n",
        "def f():\n    global y\n    y = 1\n",
        "def f():\n    y = 1\n    def g():\n        return y\n    return g\n",
    ],
)
def test_silent(new: str) -> None:
    assert not find(RULE, "", new)


def test_a_name_that_others_have_too_is_a_protocol() -> None:
    others = {"pkg/b.py": "def load(x, size):\n    return x + size\n"}
    assert not find(RULE, "", "def load(x, size):\n    y = x + 1\n    return y\n", others=others)
    others = {"pkg/b.py": "from module import load\nhooks = [load]\n"}
    assert not find(RULE, "", "def load(x, size):\n    y = x + 1\n    return y\n", others=others)


def test_a_call_in_a_test_may_be_kept_alive() -> None:
    assert not find(RULE, "", "def test_f():\n    kept = Thing()\n    assert alive()\n", TEST)


def test_what_was_there_before_is_old() -> None:
    assert not find(RULE, "def f(x, y):\n    return x\n", "def f(x, y):\n    return x + 1\n")
