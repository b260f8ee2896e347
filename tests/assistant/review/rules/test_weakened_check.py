"""Checks that lost an operand, their body, their try or their exit."""

from __future__ import annotations

import pytest

from assistant.review.rules import weakened_check
from tests.assistant.review.rules.cases import find, one

RULE = weakened_check.RULE


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("if task and other.running:\n        stop()", "if other.running:\n        stop()", "nothing came in its place"),
        ("if other:\n        task.stop()", "task.stop()", "runs always"),
        ("if task and task.running:\n        stop()", "if task.running:\n        stop()", "relied on it"),
        ("if task is None or task.done:\n        return", "if task.done:\n        return", "relied on it"),
        ("if task.limit is not None:\n        stop()", "if task.limit:\n        stop()", "count as missing"),
        ("if task is not None:\n        task.stop()\n    stop()", "task.stop()\n    stop()", "relied on it"),
        ("try:\n        task.stop()\n    except KeyError:\n        log()", "task.stop()", "handler of KeyError"),
        ("if task:\n        log()\n        return\n    stop()", "if task:\n        log()\n    stop()", "return at the end"),
    ],
)
def test_named(old: str, new: str, said: str) -> None:
    finding, _ = one(RULE, f"def f(task, other):\n    {old}\n", f"def f(task, other):\n    {new}\n")
    assert said in finding.message


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("if task and task.running:\n        stop()", "if task.running and task:\n        stop()"),
        ("if task.limit:\n        stop()", "if task.limit is not None:\n        stop()"),
        ("if task is not None:\n        task.stop()", "if task:\n        task.stop()\n        log()"),
        (
            "try:\n        task.stop()\n    except KeyError:\n        log()",
            "try:\n        task.stop()\n    except OSError:\n        log()",
        ),
        ("try:\n        import a\n    except ImportError:\n        a = None", "import a"),
        ("if task:\n        if other:\n            task.stop()", "if other.on:\n        task.stop()"),
        ("if task and task.on:\n        stop()", "if task.on:\n        start()"),
        ("if DEBUG and task:\n        log(task)", "if task:\n        log(task)"),
    ],
)
def test_silent(old: str, new: str) -> None:
    assert not find(RULE, f"def f(task, other):\n    {old}\n", f"def f(task, other):\n    {new}\n")


def test_a_rewritten_function_is_left_alone() -> None:
    lines = "".join(f"    step{i}(task)\n" for i in range(8))
    old = f"def f(task):\n    if task and task.running:\n        stop()\n{lines}"
    assert not find(RULE, old, "def f(task):\n    if task.running:\n        stop()\n" + lines.replace("step", "turn"))
