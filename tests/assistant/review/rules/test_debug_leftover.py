"""What was there to debug."""

from __future__ import annotations

import pytest

from assistant.review.rules import debug_leftover
from tests.assistant.review.rules.cases import find, fixed, one

RULE = debug_leftover.RULE


def test_a_breakpoint_is_taken_out() -> None:
    old = "def f(x):\n    y = x\n    return y\n"
    assert fixed(RULE, old, "def f(x):\n    y = x\n    breakpoint()\n    return y\n") == old


def test_a_print_in_a_module_that_logs() -> None:
    new = "import logging\nlog = logging.getLogger(__name__)\n\ndef f(x):\n    print(x)\n"
    one(RULE, "", new)


@pytest.mark.parametrize(("path", "code"), [("a.js", "debugger;"), ("tests/a.test.ts", "it.only('x', () => {});")])
def test_javascript(path: str, code: str) -> None:
    one(RULE, "", f"const x = 1;\n{code}\n", path)


def test_a_marker_of_a_conflict() -> None:
    one(RULE, "a = 1\n", "<<<<<<< HEAD\na = 1\n=======\na = 2\n>>>>>>> other\n")


@pytest.mark.parametrize(
    ("path", "new"),
    [
        ("tools/run.py", "def f(x):\n    print(x)\n"),
        ("pkg/a.py", "def f(x):\n    print(x)\n"),
        ("tests/test_a.py", "import logging\nprint('here')\n"),
        ("pkg/cli.py", "import logging\nlog = logging.getLogger()\nprint('x')\n"),
        ("pkg/a.py", "def breakpoint():\n    pass\nbreakpoint()\n"),
        ("pkg/a.py", "text = 'breakpoint()'\n"),
    ],
)
def test_silent(path: str, new: str) -> None:
    assert not find(RULE, "", new, path)
