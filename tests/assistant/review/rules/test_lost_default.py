"""Defaults and other branches that are gone."""

from __future__ import annotations

import pytest

from assistant.review.rules import lost_default
from tests.assistant.review.rules.cases import find, one

RULE = lost_default.RULE


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("x = getattr(task, 'a', None)", "x = getattr(task, 'a')", "AttributeError"),
        ("x = task.pop('a', None)", "x = task.pop('a')", "KeyError"),
        ("x = next(task, None)", "x = next(task)", "StopIteration"),
        ("return task.get('a')", "return task['a']", "KeyError"),
        ("return [task] if task else []", "return [task]", "first branch"),
        ("if getattr(task, 'a', None):\n        g()", "if getattr(task, 'a'):\n        g()", "AttributeError"),
    ],
)
def test_named(old: str, new: str, said: str) -> None:
    finding, _ = one(RULE, f"def f(task):\n    {old}\n", f"def f(task):\n    {new}\n")
    assert said in finding.message


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("x = getattr(task, 'a', None)", "x = getattr(task, 'a', 1)"),
        ("x = task.pop('a', None)", "x = task.pop('b')"),
        ("x = task['a']", "x = task.get('a')"),
        ("return [task] if task else []", "return [] if task else [task]"),
        ("x = task.get('a')", "x = task.a"),
    ],
)
def test_silent(old: str, new: str) -> None:
    assert not find(RULE, f"def f(task):\n    {old}\n", f"def f(task):\n    {new}\n")
