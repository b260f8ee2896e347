"""Awaits, super calls and closes that are gone."""

from __future__ import annotations

import pytest

from assistant.review.rules import lost_call
from tests.assistant.review.rules.cases import find, fixed, one

RULE = lost_call.RULE


def test_an_await_that_is_gone_comes_back() -> None:
    old = "async def f(c):\n    await c.send(1)\n    await c.close()\n"
    assert fixed(RULE, old, old.replace("await c.send", "c.send")) == old


def test_a_super_call_that_is_gone() -> None:
    old = "class A(B):\n    def setup(self):\n        super().setup()\n        self.x = 1\n"
    finding, _ = one(RULE, old, old.replace("        super().setup()\n", ""))
    assert "super().setup()" in finding.message


def test_a_close_that_is_gone_while_the_open_stays() -> None:
    old = "def f(p):\n    file = open(p)\n    text = file.read()\n    file.close()\n    print(text)\n"
    finding, _ = one(RULE, old, old.replace("    file.close()\n", ""))
    assert "file.close()" in finding.message


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("async def f(c):\n    await c.send(1)\n", "def f(c):\n    c.send(1)\n"),
        ("async def f(c):\n    await c.send(1)\n", "async def f(c):\n    await gather(c.send(1))\n"),
        ("def f(p):\n    x = open(p)\n    x.close()\n", "def f(p):\n    with open(p) as x:\n        pass\n"),
        ("def f(p):\n    x = open(p)\n    x.close()\n", "def f(p):\n    x = open(p)\n    return x\n"),
        ("class A(B):\n    def s(self):\n        super().s()\n", "class A:\n    def s(self):\n        pass\n"),
    ],
)
def test_silent(old: str, new: str) -> None:
    assert not find(RULE, old, new)


def test_what_is_no_coroutine_any_more_needs_no_await() -> None:
    old = "async def load():\n    pass\n\n\nasync def f():\n    x = await load()\n    return x\n"
    assert not find(RULE, old, old.replace("async def load", "def load").replace("await ", ""))
