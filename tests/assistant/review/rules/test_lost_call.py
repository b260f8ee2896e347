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


AWAITING = "async def f(s):\n    await s.stop_all()\n    return s\n"


@pytest.mark.parametrize(("definition", "count"), [("def", 0), ("async def", 1)])
def test_what_the_project_defines_as_no_coroutine_needs_no_await(definition: str, count: int) -> None:
    others = {"core.py": f"class S:\n    {definition} stop_all(self):\n        pass\n"}
    assert len(find(RULE, AWAITING, AWAITING.replace("await ", ""), others=others)) == count


def test_what_is_entered_by_a_with_is_awaited_by_it() -> None:
    new = AWAITING.replace("    await s.stop_all()\n", "    async with s.stop_all() as t:\n        print(t)\n")
    assert not find(RULE, AWAITING, new)


@pytest.mark.parametrize(
    ("now", "count"),
    [
        ("send(x);\n  return x;", 1),
        ("return send(x)!;", 0),
        ("return (send(x) as X);", 0),
        ("const sent = send(x);\n  return await sent;", 0),
        ("const sent = send(x);\n  return sent.id;", 1),
    ],
)
def test_who_keeps_the_promise_may_await_it_later(now: str, count: int) -> None:
    old = "async function f(x) {\n  await send(x);\n  return x;\n}\n"
    assert len(find(RULE, old, old.replace("await send(x);\n  return x;", now), "m.ts")) == count
