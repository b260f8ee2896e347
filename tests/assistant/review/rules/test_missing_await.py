"""Coroutines that nobody awaits."""

from __future__ import annotations

import pytest

from assistant.review.rules import missing_await
from tests.assistant.review.rules.cases import find, fixed, one

RULE = missing_await.RULE
ASYNC = "async def load(x):\n    return x\n"


def test_a_call_thrown_away_gets_its_await() -> None:
    new = ASYNC + "async def main():\n    load(1)\n"
    finding, line = one(RULE, ASYNC, new)
    assert line == "load(1)"
    assert finding.evidence[0].line == 0
    assert fixed(RULE, ASYNC, new).endswith("    await load(1)\n")


def test_a_result_that_is_looked_into_gets_brackets() -> None:
    new = ASYNC + "async def main():\n    return load(1).name\n"
    assert fixed(RULE, ASYNC, new).endswith("return (await load(1)).name\n")


def test_a_method_that_turned_async_names_its_old_callers() -> None:
    old = "class A:\n    def save(self):\n        pass\n    async def run(self):\n        self.save()\n"
    _, line = one(RULE, old, old.replace("    def save", "    async def save"))
    assert line == "self.save()"


def test_an_imported_coroutine() -> None:
    new = "from pkg.net import load\n\nasync def main():\n    if load(1):\n        return 2\n"
    finding, _ = one(RULE, "", new, others={"pkg/net.py": ASYNC})
    assert finding.evidence[0].path == "pkg/net.py"
    assert "always true" in finding.message


@pytest.mark.parametrize(
    "use",
    [
        "    await load(1)\n",
        "    task = load(1)\n    await task\n",
        "    await asyncio.gather(load(1), load(2))\n",
        "    return load(1)\n",
        "    other.load(1)\n",
        "    load = print\n    load(1)\n",
    ],
)
def test_silent(use: str) -> None:
    assert not find(RULE, ASYNC, ASYNC + "async def main(other):\n" + use)


def test_a_promise_that_is_chained_is_silent() -> None:
    new = "async function load() { return 1; }\nasync function main() { load().then(print); load(); }\n"
    assert not find(RULE, "", new, "a.js")


def test_a_promise_as_a_condition() -> None:
    one(RULE, "", "async function load() { return 1; }\nasync function main() { if (load()) { return 1; } }\n", "a.js")


def test_what_a_coroutine_itself_has() -> None:
    new = "class A:\n    async def w(self):\n        pass\n\n    def __await__(self):\n        return self.w().__await__()\n"
    assert not find(RULE, "", new)
