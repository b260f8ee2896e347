"""JavaScript and TypeScript: what cannot exist is repaired or dropped; what may exist is left alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from assistant.types import Snapshot
from assistant.workspace.existence.checker import Existence
from assistant.workspace.existence.verdict import Kind, Verdict

FILES = {
    "money.ts": "export const round = (n: number) => n\nexport function toCents(amount: number) { return amount }\n",
    "all.js": "export * from './money'\nexport { default as Till } from './till.js'\n",
    "till.js": (
        "import { EventEmitter } from 'node:events'\n"
        "export default class Till {\n  static limit = 3\n  open() { this.isOpen = true }\n}\n"
        "export class Bell extends EventEmitter { ring() {} }\n"
    ),
    "loose.js": "module.exports = require('left-pad')\n",
    "plain.cjs": "exports.first = 1\nexports.second = () => {}\n",
    "spread.js": "import rest from 'far'\nexport default { a: 1, ...rest }\n",
    "package.js": "export * from 'some-package'\n",
    "types.ts": "export type * from './money'\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, "utf-8")
    return tmp_path


def judge(marked: str, root: Path, name: str = "app.js", checker: Existence | None = None) -> Verdict:
    """The verdict on ``before⟦suggestion⟧after`` in a file of a folder, every file read at once."""
    before, _, rest = marked.partition("⟦")
    text, _, after = rest.partition("⟧")
    language = "typescript" if name.endswith("ts") else "javascript"
    snapshot = Snapshot((root / name).as_uri(), language, before + after, len(before), path=str(root / name), root=str(root))
    return (checker or Existence(inline=True)).check(snapshot, len(before), len(before), text)


@pytest.mark.parametrize(
    ("marked", "repaired"),
    [
        ("const total = 1\nconsole.log(⟦totla⟧)\n", "total"),
        ("function f(amount) {\n  return ⟦amuont + 1⟧\n}\n", "amount + 1"),
        ("import { toCents } from './money'\nconst x = ⟦toCent(1)⟧\n", "toCents(1)"),
        ("import { ⟦toCent⟧ } from './money'\n", "toCents"),
        ("import { ⟦toCetns⟧ } from './all'\n", "toCents"),
        ("import * as money from './money'\nmoney.⟦toCetns(1)⟧\n", "toCents(1)"),
        ("const x = ⟦Math.florr(1.5)⟧\n", "Math.floor(1.5)"),
        ("const x = [1, 2].⟦fliter(Boolean)⟧\n", "filter(Boolean)"),
        ("const seen = new Set()\nseen.⟦delte(1)⟧\n", "delete(1)"),
        ("const fs = require('fs')\nfs.⟦readFielSync('a')⟧\n", "readFileSync('a')"),
        ("import { ⟦readFielSync⟧ } from 'node:fs'\n", "readFileSync"),
        ("const { ⟦secnod⟧ } = require('./plain.cjs')\n", "second"),
        ("import x from ⟦'./mnoey'⟧\n", "'./money'"),
        ("class A {\n  reset() { this.count = 0 }\n  add() { this.⟦conut += 1⟧ }\n}\n", "count += 1"),
        ("import Till from './till.js'\nconst t = new Till()\nt.⟦oepn()⟧\n", "open()"),
        ("import { Bell } from './till.js'\nclass Gong extends Bell {\n  go() { this.⟦rnig()⟧ }\n}\n", "ring()"),
        ("function show(order) {\n  return order.quantity + order.⟦quanttiy⟧\n}\n", "quantity"),
    ],
)
def test_what_cannot_exist_becomes_the_nearest_that_can(root: Path, marked: str, repaired: str) -> None:
    verdict = judge(marked, root)
    assert (verdict.kind, verdict.text) == (Kind.REPAIRED, repaired), verdict.reasons


@pytest.mark.parametrize(
    "marked",
    [
        "const x = ⟦gatherEverything(1)⟧\n",
        "function f() {\n  const inner = 1\n  return inner\n}\nconst y = ⟦inner + 1⟧\n",
        "import { ⟦somethingElse⟧ } from './money'\n",
        "JSON.⟦decodeAll('x')⟧\n",
        "f(⟦gatherEverything.now, (⟧\nfunction f() {}\n",
    ],
)
def test_what_has_no_neighbour_is_dropped(root: Path, marked: str) -> None:
    assert judge(marked, root).kind is Kind.DROPPED


@pytest.mark.parametrize(
    "marked",
    [
        "const x = ⟦document.querySelector('a')⟧\n",
        "const x = ⟦typeof someGlobal === 'string'⟧\n",
        "someGlobal.start()\n⟦someGlobal.stop()⟧\n",
        "/* global pageConfig */\nconst x = ⟦pageConfig⟧\n",
        "const { a, b: { c = 1 }, ...rest } = f()\nfunction f() {}\n⟦f(a, c, rest)⟧\n",
        "⟦hoisted()⟧\nfunction hoisted() {}\n",
        "for (const [key, value] of pairs()) { ⟦f(key, value)⟧ }\nfunction f() {}\nfunction pairs() {}\n",
        "try { g() } catch (error) { ⟦g(error)⟧ }\nfunction g() {}\n",
        "const f = (a, { b }) => ⟦a + b⟧\n",
        "if (Array.fromAsync) { ⟦Array.fromAsync(1)⟧ }\n",
        "if (⟦Promise.someday⟧) {}\n",
        "const x = [1].⟦at?.(0)⟧\n",
        "Array.prototype.shuffled = function () {}\nconst x = [1].⟦shuffled()⟧\n",
        "function f(options) { return ⟦options.anything⟧ }\n",
        "import thing from 'some-package'\n⟦thing.whatever.works()⟧\n",
        "import * as all from './package'\nall.⟦whatever()⟧\n",
        "import { ⟦whatever⟧ } from './loose'\n",
        "import rest from './spread'\nrest.⟦whatever⟧\n",
        "import Till from './till.js'\nconst x = Till.⟦limit⟧\n",
        "import { Bell } from './till.js'\nconst b = new Bell()\nb.⟦once('x', () => b.ring())⟧\n",
        "class A extends Unknown {\n  f() { return this.⟦anything⟧ }\n}\nimport Unknown from 'x'\n",
        "class A {\n  constructor(o) { Object.assign(this, o) }\n  f() { return this.⟦anything⟧ }\n}\n",
        "class A {\n  f() { return function () { return this.⟦anything⟧ } }\n}\n",
        "const o = { f() { return this.⟦anything⟧ } }\n",
        "import data from ⟦'./data.json'⟧\n",
        "import data from ⟦'../elsewhere/built'⟧\n",
        "label: for (;;) { ⟦break label⟧ }\n",
        "const x = ⟦'words that are no names'⟧\n",
        "const x = ⟦/* so are these */ 1⟧\n",
        "const x = <⟦div onClick={go}⟧ />\nfunction go() {}\n",
        "foo(⟦unfinished, (a⟧\n",
        "const x = ⟦someth⟧\nconst something = 1\n",
    ],
)
def test_what_may_exist_is_left_alone(root: Path, marked: str) -> None:
    verdict = judge(marked, root)
    assert verdict.kind is Kind.OK, verdict.reasons


@pytest.mark.parametrize(
    "marked",
    [
        "let x: ⟦SomeLibraryType⟧\n",
        "function f<T extends object>(a: T): ⟦a is T⟧ { return true }\n",
        "enum Colour { Red, Green = Red }\nconst c = ⟦Colour.Red⟧\n",
        "namespace N { export const a = 1 }\nconst x = ⟦N.a⟧\n",
        "class A { constructor(private readonly store: Map<string, string>) {}\n  f() { return this.⟦store.size⟧ } }\n",
        "abstract class A { abstract name: string\n  f() { return ⟦this.name as string⟧ } }\n",
        "const x = ⟦{ a: 1 } satisfies Record<string, number>⟧\n",
        "declare const VERSION: string\nconst v = ⟦VERSION⟧\n",
        "import { ⟦toCents⟧ } from './types'\n",
        "const n = ⟦<number>(1 as unknown)⟧\n",
    ],
)
def test_typescript_is_read_as_typescript(root: Path, marked: str) -> None:
    verdict = judge(marked, root, "app.ts")
    assert verdict.kind is Kind.OK, verdict.reasons


def test_the_index_knows_what_is_only_not_imported(root: Path) -> None:
    marked = "const x = ⟦gatherAll(1)⟧\n"
    assert judge(marked, root, checker=Existence(inline=True, is_defined=lambda name: name == "gatherAll")).kind is Kind.OK


def test_an_open_buffer_wins_over_the_disk(root: Path) -> None:
    checker = Existence(inline=True, buffer=lambda path: "export const fresh = 1\n" if path.endswith("money.ts") else None)
    assert judge("import { ⟦fresh⟧ } from './money'\n", root, checker=checker).kind is Kind.OK
    assert judge("import { ⟦toCents⟧ } from './money'\n", root, checker=checker).kind is Kind.DROPPED


def test_a_file_that_changes_is_read_again(root: Path) -> None:
    checker = Existence(inline=True)
    marked = "import { ⟦added⟧ } from './money'\n"
    assert judge(marked, root, checker=checker).kind is Kind.DROPPED
    (root / "money.ts").write_text("export const added = 1\n", "utf-8")
    os.utime(root / "money.ts", ns=(1, 1))
    assert judge(marked, root, checker=checker).kind is Kind.OK


@pytest.mark.parametrize("text", ["", "\0", "}}}}", "`${", "<", "class", "import { from", "((((((" * 300, "⁂ ¿"])
def test_nonsense_is_no_objection_and_no_error(root: Path, text: str) -> None:
    assert judge(f"const a = 1\n⟦{text}⟧\nb(a)\n", root).kind is Kind.OK
