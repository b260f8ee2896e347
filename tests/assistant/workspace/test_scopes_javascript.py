"""Occurrences of a variable in JavaScript and TypeScript: in each text, ``§`` stands before every one of one variable.

Asked at each of them, the answer must be all of them and no other.
"""

from __future__ import annotations

import pytest

from assistant.workspace.scopes import bindings

JAVASCRIPT = {
    "var is seen in the whole function": "function f() { §a = 1; if (x) { var §a; } return §a }  a",
    "var inside a block hoists over a closure": "function f() { () => §a; { { var §a = 1 } } }",
    "let lives in its block": "let a = 1; { let §a = 2; §a++ } a",
    "the outer let is not the inner": "let §a = 1; { let a = 2; a++ } §a",
    "const in a loop head": "for (const §a of b) { §a() } a",
    "a loop variable shadows": "let a; for (let §a = 0; §a < 9; §a++) { f(§a) } a",
    "var in a loop head leaves the loop": "function f() { for (var §a in b) ; return §a }",
    "loop over a pattern": "for (const {§a, b: [c]} of list) { §a }",
    "assignment in a loop head": "let §a; for (§a of b) §a",
    "function name is hoisted": "§f(); function §f() { return §f }",
    "function expression's own name": "let f = function §g() { §g() }; g",
    "class name inside and outside": "class §A { m() { return new §A() } } §A",
    "class expression's own name": "const B = class §A { m() { §A } }; A",
    "extends is a read": "class §A {} class B extends §A {}",
    "parameter": "function f(§a, b) { return §a + b } a",
    "parameter and var are one": "function f(§a) { var §a; return §a }",
    "parameter and inner function are one": "function f(§a) { function §a() {} return §a }",
    "default sees the parameter before it": "function f(§a, b = §a) { }",
    "default does not see the body": "let §a = 1; function f(b = () => §a) { var a; return a }",
    "rest parameter": "const f = (...§a) => §a.length",
    "arrow with one parameter": "list.map(§a => §a.a)",
    "arrow in arrow": "(a) => (§a) => §a; a",
    "async arrow": "async (§a) => { await §a }",
    "method parameters": "class A { a(§a) { return this.a(§a) } }",
    "setter": "({ set p(§v) { this.v = §v } })",
    "object pattern shorthand": "const {§a, b} = c; §a",
    "object pattern renamed": "const {a: §b} = c; §b; c.b",
    "object pattern with default": "const {§a = 1, b = §a} = c",
    "nested pattern": "const {x: {y: [§z, w = §z]}} = c; §z",
    "rest in a pattern": "const [h, ...§t] = c; §t",
    "computed key in a pattern": "let §k; const {[§k]: v} = c",
    "assignment to a pattern": "let §a, b; ({§a, c: b, d: x.a} = y); [§a, b] = [b, §a]",
    "default in an assigned pattern": "let §a; ({b = §a, §a = 2} = c)",
    "object shorthand is a read": "let §a = 1; f({§a, b: §a, a: 2})",
    "property names are not variables": "let §a; x.a = y.a.b; ({a: 1}).a; §a.a",
    "computed property is a read": "let §a; x[§a]; ({[§a]: 1})",
    "optional chaining": "let §a; §a?.a?.[§a]",
    "labels are not variables": "let §a; a: for (;;) { if (§a) break a; continue a }",
    "catch": "let e; try { } catch (§e) { log(§e) } e",
    "catch pattern": "try { } catch ({ §message }) { §message }",
    "switch has one block": "switch (x) { case 1: let §a; break; default: §a } a",
    "closures": "let §n = 0; const f = () => { §n++; return () => §n }",
    "template": "let §a; `${§a} a ${x.a}`",
    "tagged template": "let §t; §t`a`",
    "import": "import { §a } from 'm'; §a(); x.a",
    "import renamed": "import { a as §b } from 'm'; §b; a",
    "import default and namespace": "import §d, * as ns from 'm'; §d; ns.d",
    "import namespace": "import d, * as §ns from 'm'; §ns.ns",
    "export list": "let §a; export { §a, b as a }; let b",
    "export renamed": "let §a; export { §a as b }",
    "export from is not here": "let §a; export { a } from 'm'; §a",
    "export of a declaration": "export const §a = 1; §a",
    "export default": "const §a = 1; export default §a",
    "strict function in a block": "'use strict'; { function §f() {} §f() } f()",
    "module function in a block": "import 'x'; let f; { function §f() {} §f() } f()",
    "sloppy function in a block": "function o() { { function §f() {} } §f() }",
    "static block has its own var": "var a; class A { static { var §a; §a } } a",
    "field value": "let §a; class A { a = §a; static [§a] = 1; #a }",
    "decorated by jsx": "const §Foo = 1; <§Foo a={b}><div/></§Foo>",
    "jsx member": "const §A = 1; <§A.B/>; <a/>",
    "jsx tag in lower case is none": "let §a; <a b={§a}>{§a}</a>",
    "generator": "function* f(§a) { yield* §a }",
    "delete, typeof, update": "let §a; delete §a; typeof §a; --§a; §a += 1",
    "comma declarations": "var x = 1, §a = x, b = §a",
    "unicode": "let café = '😀', §naïve = café; f(§naïve)",
}

TYPESCRIPT = {
    "annotation is a type": "type §T = number; let x: §T; let T2: §T[]",
    "value and type of one name": "interface §A {} const §A = 1; let x: §A = §A",
    "a type does not see a value": "type §a = 1; function f(a: §a) { a; let b: §a }",
    "a value does not see a type": "let §a = 1; { type a = 2; let c: a = §a }",
    "class is both": "class §A {} let x: §A = new §A()",
    "type parameter of a function": "function f<§T extends X>(a: §T): §T { let b: §T } type T = 1",
    "type parameter of a class": "class A<§T> extends B<§T> { x: §T; m(y: §T) {} } type T = 1",
    "type parameter of an alias": "type A<§T> = { a: §T, T: 1 }",
    "type parameter of a signature": "interface A { <§T>(a: §T): §T; T: T }",
    "mapped type": "type A<T> = { [§K in keyof T]: T[§K] }; type K = 1",
    "infer": "type A<T> = T extends (infer §U)[] ? §U : never; type U = 1",
    "typeof": "let §a = 1; type B = typeof §a; type C = typeof §a.a",
    "parameter in a predicate": "function isX(§a: any): §a is X { return §a }",
    "parameter of a function type": "let f: (§a: string) => typeof §a; a",
    "keyof and indexed": "interface §A { a: A2['a'] } type B = keyof §A | §A['a']",
    "namespace of a type": "import * as §ns from 'm'; let a: §ns.ns.B; §ns.f()",
    "import type": "import type { §T } from 'm'; let a: §T",
    "import used as both": "import { §T } from 'm'; let a: §T = new §T()",
    "enum": "enum §E { A } let a: §E.A = §E.A",
    "overloads": "function §f(a: string): void; function §f(a: any) {} §f(1)",
    "optional and default parameters": "function f(§a?: number, b = §a) { return §a! }",
    "as and satisfies": "let §a; (§a as X).a; §a satisfies Y",
    "implements": "interface §I {} class A implements §I {}",
    "abstract class": "abstract class §A { abstract m(): §A }",
    "generic call": "type §T = 1; f<§T>(x)",
    "decorator": "const §dec = 1; class A { @§dec m() {} @§dec() p }",
    "index signature's name is none": "let §key; interface A { [key: string]: number } §key",
    "property signature": "let §a; interface A { a: number; b(a: string): void } §a",
}


def marked(text: str) -> tuple[str, list[int]]:
    parts = text.split("§")
    starts, length = [], len(parts[0])
    for part in parts[1:]:
        starts.append(length)
        length += len(part)
    return "".join(parts), starts


def check(marked_text: str, language: str) -> None:
    text, starts = marked(marked_text)
    for start in starts:
        found = bindings(text, language, start)
        assert found is not None
        assert [occurrence.start for occurrence in found] == starts


@pytest.mark.parametrize("name", JAVASCRIPT)
@pytest.mark.parametrize("language", ["javascript", "tsx"])
def test_javascript(name: str, language: str) -> None:
    if language == "tsx" and name.startswith("sloppy"):
        pytest.skip("TypeScript is strict")
    check(JAVASCRIPT[name], language)


@pytest.mark.parametrize("name", TYPESCRIPT)
def test_typescript(name: str) -> None:
    check(TYPESCRIPT[name], "typescript")


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("§console.log(1)", "javascript"),
        ("x.§a = 1", "javascript"),
        ("§l: for (;;) { break l }", "javascript"),
        ("let §a; with (o) { a }", "javascript"),
        ("function f(§a) { eval('a') }", "javascript"),
        ("let §a = ; a", "javascript"),
        ("<§div/>", "javascript"),
        ("({ §a: 1 })", "javascript"),
        ("class A { constructor(private §p: string) { p } }", "typescript"),
        ("enum E { A = 1, B = §A }", "typescript"),
        ("namespace N { const §a = 1; a }", "typescript"),
        ("§// nothing here", "javascript"),
        ("let §a", "fortran"),
    ],
)
def test_not_sure(text: str, language: str) -> None:
    plain, starts = marked(text)
    assert bindings(plain, language, starts[0]) is None


def test_kinds_say_how_a_rename_must_write() -> None:
    text = "import { a, b as c } from 'm'; export { a }; f({ a, c: c }); ({ a } = x)"
    first = bindings(text, "javascript", 9)
    assert first is not None
    assert [o.kind for o in first] == ["import", "shorthand", "shorthand", "shorthand"]
    second = bindings(text, "javascript", text.index("c }"))
    assert second is not None
    assert [(o.kind, o.scope) for o in second] == [("write", "module"), ("read", "module")]


def test_a_distant_error_does_not_matter() -> None:
    text = "function f(a) { return a }\nfunction g( { let = }\n"
    found = bindings(text, "javascript", 11)
    assert found is not None
    assert [o.start for o in found] == [11, 23]


def test_deep_nesting_ends() -> None:
    text = "let a;" + "{" * 3000 + "(" * 3000 + "a" + ")" * 3000 + "}" * 3000
    found = bindings(text, "javascript", 4)
    assert found is not None
    assert len(found) == 2
