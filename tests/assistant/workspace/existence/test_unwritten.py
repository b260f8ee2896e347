"""Members of receivers that nobody knows: a word that no file of the workspace has is made up, unless it comes from outside."""

from __future__ import annotations

from pathlib import Path

import pytest

from assistant.workspace.existence.checker import Existence
from assistant.workspace.existence.javascript.unwritten import MIN_WORDS
from assistant.workspace.existence.joined import checker_of
from assistant.workspace.existence.verdict import Kind
from assistant.workspace.index import WorkspaceIndex
from tests.assistant.workspace.existence.test_javascript import judge

WRITTEN = frozenset(("openDrawer", "total", "makeTill"))


def checker() -> Existence:
    return Existence(inline=True, is_written=WRITTEN.__contains__)


@pytest.mark.parametrize(
    ("marked", "left"),
    [
        ("function f(till) {\n  return ⟦till.countCoins()⟧\n}\nfunction g() {}\n", ""),
        ("function f(till) {\n  return till.⟦countCoins().total⟧\n}\nfunction g() {}\n", ""),
        ("function f(till) {\n  till.openDrawer()\n  till.⟦drawerOpen()⟧\n}\n", "openDrawer()"),
        ("const till = makeTill()\nif (a) {\n  ⟦till.countCoins(1) and⟧\n}\n", ""),
        ("const fs = require('fs')\nfs.promises.⟦slurpAll('a')⟧\n", ""),
        ("const local = { a: 1 }\nexpect(local).⟦toBeRatherLike(1)⟧\n", ""),
        ("if (⟦countCoins != 1) < 2:⟧\n", ""),
    ],
)
def test_a_word_that_stands_nowhere_is_no_member(tmp_path: Path, marked: str, left: str) -> None:
    verdict = judge(marked, tmp_path, checker=checker())
    assert verdict.kind is not Kind.OK
    assert verdict.text == left


@pytest.mark.parametrize(
    "marked",
    [
        "function f(till) {\n  return till.⟦openDrawer().total⟧\n}\n",  # another file writes it
        "function f(response) {\n  return response.⟦statusMessage.textContent⟧\n}\n",  # Node and browsers have it
        "expect(1).⟦toHaveBeenCalledTimes(1)⟧\n",  # test libraries have it
        "import pay from 'some-bank'\npay.⟦transferMoney(1)⟧\n",  # a package that is not read here
        "const { pay } = require('some-bank')\nconst job = await pay.later(1)\njob.⟦cancelTransfer()⟧\n",
        "import * as pay from '@bank/pay'\nfor (const x of pay.all(1).⟦rowsOfToday⟧) f(x)\n",
        "function f(till) {\n  till.⟦newMember = 1⟧\n}\n",  # it is written just now
        "function f(till) {\n  till.⟦newMember ??= 1⟧\n}\n",
        "function f(till) {\n  if (till.⟦newMember) return 1⟧\n}\n",  # asked for
        "function f(till) {\n  return till?.⟦newMember⟧\n}\n",
        "start(process.env.⟦myOwnSetting⟧)\n",
        "start(codes.⟦ERR_NEVER_SEEN⟧)\n",
        "class Till {\n  open() {\n    this.⟦countCoins()⟧\n  }\n}\n",  # written next, by who works from the top down
        "start(el.⟦$refs, el.id⟧)\n",
    ],
)
def test_what_may_come_from_outside_stays(tmp_path: Path, marked: str) -> None:
    verdict = judge(marked, tmp_path, checker=checker())
    assert verdict.kind is Kind.OK, verdict.reasons


def test_a_file_of_the_project_without_the_word_does_not_bring_it(tmp_path: Path) -> None:
    (tmp_path / "till.js").write_text("module.exports = build(class Till { openDrawer() {} })\n", "utf-8")
    (tmp_path / "data.json").write_text('{"opening": 1}\n', "utf-8")
    assert judge("const Till = require('./till')\nTill.⟦countCoins()⟧\n", tmp_path, checker=checker()).kind is not Kind.OK
    assert judge("const data = require('./data.json')\nf(data.⟦opening⟧)\n", tmp_path, checker=checker()).kind is Kind.OK
    assert judge("const x = require('./made-by-a-build')\nx.⟦countCoins()⟧\n", tmp_path, checker=checker()).kind is Kind.OK


def test_without_an_index_nobody_can_say(tmp_path: Path) -> None:
    marked = "function f(till) {\n  return till.⟦countCoins()⟧\n}\n"
    assert judge(marked, tmp_path, checker=Existence(inline=True)).kind is Kind.OK


def test_an_index_says_so_once_it_is_whole_and_large(tmp_path: Path) -> None:
    marked = "function f(till) {\n  return ⟦till.countCoins()⟧\n}\n"
    root = tmp_path / "work"
    root.mkdir()
    root = root.resolve()
    (root / "few.js").write_text("export const openDrawer = 1\n", "utf-8")
    index = WorkspaceIndex([root], tmp_path / "cache", in_process=True)
    existence = checker_of(index)
    try:
        assert not index.is_complete
        index.scan()
        assert index.is_complete
        assert judge(marked, root, checker=existence).kind is Kind.OK
        (root / "many.py").write_text("".join(f"name_{i} = {i}\n" for i in range(MIN_WORDS + 10)), "utf-8")
        index.scan()
        assert judge(marked, root, checker=existence).kind is not Kind.OK
        index.open_buffer(str(root / "few.js"), "export const countCoins = 1\n", "javascript")
        assert index.settle()
        assert judge(marked, root, checker=existence).kind is Kind.OK
    finally:
        existence.close()
        index.close()
