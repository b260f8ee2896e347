"""Symbols of a file, language by language: what is defined, mentioned, called and imported, and where."""

from __future__ import annotations

import pytest

from assistant.workspace import languages
from assistant.workspace.extract import extract
from assistant.workspace.symbols import MODULE, FileSymbols

PYTHON = '''import os.path as p, sys
from ..a.b import (x as y, z)
from m import *
# What K is.
K: int = 3
@deco(1)
async def f(a, /, b: int=2, *args: str, c, d=1, **kw) -> "int":
    """Doc é.

        more
    """
    self.x = os.path.join(a, *b, c=1, **kw).strip()
    return [q for q in a if (n := q)]
class A(B, metaclass=M):
    x: int = 1
    def m(self):
        self.y, z = 1, 2
        "".join(self.z.foo(x for x in y))
        def inner(): pass
'''

JAVASCRIPT = """import d, {x as y} from "m"; import * as ns from 'n'; import "side"; export { a as b } from "q";
/** Doc of A.
 *  more
 */
export default class A extends B { #q = 1; constructor(p, q = 1) { super(p); this.r = 1; }
  static async m({a}, ...r) { new Foo(a, ...r) } }
// f does
export const f = (x) => x?.y.z(1), k = 2;
const { q1, q2: r2 } = require('zz'); const api = { foo() {}, bar: async (x) => x.a().b(1) };
Foo.prototype.baz = function (a) { f`x` };
function outer() { function inner() {} var v = 1 }
"""

TYPESCRIPT = """import type { T1 } from "t";
class A<T> extends B<T> implements I { private x: number = 1; constructor(public p: string, q?: number) {}
  @dec m(a: P): Promise<void> { return a! } }
interface I extends J { a: string; m(x: number): void }
type T = { a: number }; enum E { A, B = 1 } namespace N { export const z = 1 }
abstract class Q { abstract m(): void }
declare function g(x: string, ...y: any[]): void;
"""

GO = """package p
import (
    "fmt"
    m "a/b/v2"
    _ "side"
)
// S is
// good
type S struct {
    A, B int
    *C
}
type I interface { M(x int) error }
type J = int
func (s *S) F(a, b int, c ...string) (int, error) { x := fmt.Println(a, c...); s.A = 1; return x, nil }
func g() {}
var V, W = 1, 2
const K = 3
"""

RUST = """use a::{b::C as D, e::*, f}; use g::h;
/// Doc of S
#[derive(Debug)]
pub struct S<T> { pub a: T, b: i32 }
impl<T> Tr for S<T> { pub async fn f(&self, x: i32) -> i32 { self.a.g::<T>(x); foo!(x); std::mem::swap(x, y) } }
trait Tr: Base { fn f(&self); }
enum E { A, B(i32) }
mod m { const K: i32 = 1; }
macro_rules! mm { () => {} }
"""

JAVA = """package p; import a.b.C; import static a.b.D.*;
/** Doc
 * more */
@Ann public class A<T> extends B implements I, J { private final int x = 1, y; A(int q) { this.x = q; }
 public <T> List<T> f(String s, int... r) { Foo f = new Foo<T>(s); return s.trim().g(this, x); } enum Z { P, Q } }
interface I { void m(); }
record R(int a) {}
"""

CPP = """#include <a/b.h>
#include "c.h"
// doc
static int *foo(const char *s, int n, ...) { int k = 1; return s->x + bar(n); }
struct S { int a; char *b[3]; } g;
typedef struct { int q; } T;
int proto(void);
#define M(x) x
enum E { V, W=1 };
int (*fp)(int);
namespace n { class A : public B<int> { int x = 1; virtual void f(int a=1) const; A(); ~A(); };
void A::f(int a) const { std::sort<int>(a, b); this->x = new A(1); }
template<class U> U h(U&& t) { return t.k(); }
using X = int; }
"""


def definitions(symbols: FileSymbols) -> dict[str, str]:
    return {d.qualified: d.kind for d in symbols.definitions}


def kinds(symbols: FileSymbols, name: str) -> list[tuple[str, str]]:
    return [(r.kind, r.receiver) for r in symbols.references if r.name == name]


def calls(symbols: FileSymbols) -> set[tuple[str, int, bool]]:
    return {(c.callee, c.arity, c.star) for c in symbols.calls}


def imports(symbols: FileSymbols) -> list[tuple[str, str, str]]:
    return [(i.module, i.name, i.bound) for i in symbols.imports]


def fields(symbols: FileSymbols) -> set[tuple[str, str]]:
    return {(symbols.definitions[f.owner].name, f.name) for f in symbols.fields}


def test_python() -> None:
    s = extract(PYTHON, "python")
    assert definitions(s) == {"K": "variable", "f": "function", "A": "class", "A.m": "method", "A.m.inner": "function"}
    k, f, a, m, _ = s.definitions
    assert (k.docstring, k.returns) == ("What K is.", "int")
    assert f.signature == 'async def f(a, /, b: int=2, *args: str, c, d=1, **kw) -> "int"'
    assert f.docstring == "Doc é.\n\nmore"
    assert (PYTHON[f.doc_start :][:6], f.is_async, f.decorators, f.returns) == ('"""Doc', True, ("deco(1)",), '"int"')
    assert [(p.name, p.kind, p.optional) for p in f.parameters] == [
        ("a", "positional_only", False),
        ("b", "positional", True),
        ("args", "star", False),
        ("c", "keyword_only", False),
        ("d", "keyword_only", True),
        ("kw", "star_star", False),
    ]
    assert (f.required, f.accepts, m.required, m.accepts) == (1, None, 1, 1)
    assert (a.bases, s.definitions[m.parent].name) == (("B", "metaclass=M"), "A")
    assert [(i.module, i.name, i.level, i.bound) for i in s.imports] == [
        ("os.path", "", 0, "p"),
        ("sys", "", 0, "sys"),
        ("a.b", "x", 2, "y"),
        ("a.b", "z", 2, "z"),
        ("m", "*", 0, ""),
    ]
    assert calls(s) == {
        ("deco", 1, False),
        ("os.path.join", 1, True),
        ("?.strip", 0, False),
        ("?.join", 1, False),
        ("self.z.foo", 1, False),
    }
    join = next(c for c in s.calls if c.callee == "os.path.join")
    assert (join.keywords, join.star_star, s.definitions[join.scope].name) == (("c",), True, "f")
    assert fields(s) == {("A", "x"), ("A", "y")}
    assert kinds(s, "path") == [("import", ""), ("attribute", "os")]
    assert kinds(s, "n") == [("write", "")]
    assert ("call", "self.z") in kinds(s, "foo")
    assert kinds(s, "metaclass") == [("keyword", "")]


def test_javascript() -> None:
    s = extract(JAVASCRIPT, "javascriptreact")
    assert definitions(s) == {
        "A": "class",
        "A.constructor": "method",
        "A.m": "method",
        "f": "function",
        "k": "variable",
        "api": "variable",
        "api.foo": "method",
        "api.bar": "method",
        "Foo.baz": "function",
        "outer": "function",
        "outer.inner": "function",
    } | {"Foo.baz": "method"}
    a, constructor = s.definitions[:2]
    assert (a.docstring, a.bases, a.signature) == ("Doc of A.\nmore", ("B",), "class A extends B")
    assert JAVASCRIPT[a.start :].startswith("export default")
    assert [(p.name, p.optional) for p in constructor.parameters] == [("p", False), ("q", True)]
    assert s.definitions[2].accepts is None
    assert next(d for d in s.definitions if d.name == "f").docstring == ""
    assert imports(s) == [
        ("m", "default", "d"),
        ("m", "x", "y"),
        ("n", "*", "ns"),
        ("side", "", ""),
        ("q", "a", ""),
        ("zz", "q1", "q1"),
        ("zz", "q2", "r2"),
    ]
    assert {("Foo", 1, True), ("x.y.z", 1, False), ("?.b", 1, False), ("x.a", 0, False), ("f", 0, True)} <= calls(s)
    assert fields(s) == {("A", "#q"), ("A", "r")}


def test_typescript() -> None:
    s = extract(TYPESCRIPT, "typescript")
    assert definitions(s) == {
        "A": "class",
        "A.constructor": "method",
        "A.m": "method",
        "I": "interface",
        "I.m": "method",
        "T": "type",
        "E": "enum",
        "N": "namespace",
        "N.z": "variable",
        "Q": "class",
        "Q.m": "method",
        "g": "function",
    }
    by_name = {d.qualified: d for d in s.definitions}
    assert by_name["A"].bases == ("B", "I")
    assert by_name["A.m"].returns == "Promise<void>"
    assert by_name["A.m"].signature.endswith("Promise<void>")
    assert [(p.name, p.kind, p.annotation) for p in by_name["g"].parameters] == [
        ("x", "positional_only", "string"),
        ("y", "star", "any[]"),
    ]
    assert fields(s) == {("A", "x"), ("A", "p"), ("I", "a"), ("E", "A"), ("E", "B")}
    assert ("type", "") in kinds(s, "P")


def test_go() -> None:
    s = extract(GO, "go")
    assert definitions(s) == {
        "S": "struct",
        "I": "interface",
        "I.M": "method",
        "J": "type",
        "S.F": "method",
        "g": "function",
        "V": "variable",
        "W": "variable",
        "K": "variable",
    }
    by_name = {d.qualified: d for d in s.definitions}
    assert by_name["S"].docstring == "S is\ngood"
    assert [(p.name, p.kind) for p in by_name["S.F"].parameters] == [
        ("a", "positional_only"),
        ("b", "positional_only"),
        ("c", "star"),
    ]
    assert imports(s) == [("fmt", "", "fmt"), ("a/b/v2", "", "m"), ("side", "", "")]
    assert calls(s) == {("fmt.Println", 1, True)}
    assert fields(s) == {("S", "A"), ("S", "B"), ("S", "C")}
    assert kinds(s, "A") == [("definition", ""), ("write", "s")]


def test_rust() -> None:
    s = extract(RUST, "rust")
    assert [(d.qualified, d.kind) for d in s.definitions] == [
        ("S", "struct"),
        ("S", "impl"),
        ("S.f", "method"),
        ("Tr", "interface"),
        ("Tr.f", "method"),
        ("E", "enum"),
        ("m", "namespace"),
        ("m.K", "variable"),
        ("mm", "macro"),
    ]
    struct, impl, method = s.definitions[:3]
    assert (struct.docstring, struct.decorators, impl.bases, method.is_async) == ("Doc of S", ("derive(Debug)",), ("Tr",), True)
    assert [p.name for p in method.parameters] == ["self", "x"]
    assert imports(s) == [("a::b", "C", "D"), ("a::e", "*", ""), ("a", "f", "f"), ("g", "h", "h")]
    assert calls(s) == {("self.a.g", 1, False), ("foo", 0, True), ("std.mem.swap", 2, False)}
    assert fields(s) == {("S", "a"), ("S", "b"), ("E", "A"), ("E", "B")}


def test_java() -> None:
    s = extract(JAVA, "java")
    assert definitions(s) == {
        "A": "class",
        "A.A": "method",
        "A.f": "method",
        "A.Z": "enum",
        "I": "interface",
        "I.m": "method",
        "R": "class",
    }
    a = s.definitions[0]
    assert (a.docstring, a.bases, a.decorators) == ("Doc\nmore", ("B", "I", "J"), ("Ann",))
    assert imports(s) == [("a.b", "C", "C"), ("a.b.D", "*", "")]
    assert calls(s) == {("Foo", 1, False), ("s.trim", 0, False), ("?.g", 2, False)}
    assert fields(s) == {("A", "x"), ("A", "y"), ("Z", "P"), ("Z", "Q"), ("R", "a")}


def test_cpp() -> None:
    s = extract(CPP, "cpp")
    assert definitions(s) == {
        "foo": "function",
        "g": "variable",
        "S": "struct",
        "T": "struct",
        "proto": "function",
        "M": "macro",
        "E": "enum",
        "fp": "variable",
        "n": "namespace",
        "n.A": "class",
        "n.A.f": "method",
        "n.A.A": "method",
        "n.A.~A": "method",
        "n.h": "function",
        "n.X": "type",
    }
    foo = s.definitions[0]
    assert (foo.docstring, foo.accepts, [p.name for p in foo.parameters]) == ("doc", None, ["s", "n", ""])
    assert [(i.module, i.level) for i in s.imports] == [("a/b.h", 0), ("c.h", 1)]
    assert calls(s) == {("bar", 1, False), ("std.sort", 2, False), ("A", 1, False), ("t.k", 0, False)}
    assert fields(s) == {("S", "a"), ("S", "b"), ("T", "q"), ("E", "V"), ("E", "W"), ("A", "x")}


def test_c() -> None:
    s = extract(CPP.split("namespace")[0], "", "x.h")
    assert s.language == "c"
    assert {"foo", "S", "T", "proto", "M", "E", "g"} <= set(definitions(s))


EVERY = {"python": PYTHON, "javascript": JAVASCRIPT, "typescript": TYPESCRIPT, "tsx": TYPESCRIPT, "go": GO, "rust": RUST}
EVERY |= {"java": JAVA, "cpp": CPP, "c": CPP.split("namespace")[0]}


@pytest.mark.parametrize("language", languages.LANGUAGES)
@pytest.mark.parametrize("before", ["", "\n", "/* é 😀 \u202e 日本語 */ \r\n"])
def test_offsets_point_at_what_they_say(language: str, before: str) -> None:
    if language == "python":
        before = before.replace("/*", "#").replace("*/", "")
    text = before + EVERY[language]
    s = extract(text, language)
    assert not s.has_errors
    assert s.references == tuple(sorted(s.references, key=lambda r: r.start))
    for reference in s.references:
        assert text.startswith(reference.name, reference.start)
        assert s.enclosing(reference.start) == reference.scope or reference.scope != MODULE
    for i, definition in enumerate(s.definitions):
        assert text.startswith(definition.name, definition.name_start)
        assert definition.start <= definition.name_start < definition.end
        assert definition.parent < i
        assert definition.start < definition.body_start <= definition.end
    for call in s.calls:
        assert text.startswith(call.name, call.name_start)
        assert call.start <= call.name_start < call.end
    for member in s.fields:
        assert text.startswith(member.name, member.start)


@pytest.mark.parametrize("language", languages.LANGUAGES)
def test_every_grammar_loads(language: str) -> None:
    grammar = languages.grammar(language)
    assert grammar is not None
    assert extract("", language) == FileSymbols(language)


def test_reading_twice_gives_the_same() -> None:
    assert extract(JAVASCRIPT, "javascript") == extract(JAVASCRIPT, "javascript")


def test_no_grammar_gives_words() -> None:
    s = extract("PROGRAM hello ! comment\nhello = 1", "fortran", "a.f90")
    assert s.words == ("PROGRAM", "hello", "comment")
    assert not s.definitions
    assert not s.references


def test_a_grammar_that_is_not_installed_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(languages._MODULES, "go", ("tree_sitter_that_is_not_there", "language"))
    languages.grammar.cache_clear()
    extract.__globals__["rules_of"].cache_clear()
    try:
        assert extract(GO, "go").words[:2] == ("package", "p")
        assert extract(GO, "go").definitions == ()
    finally:
        monkeypatch.undo()
        languages.grammar.cache_clear()
        extract.__globals__["rules_of"].cache_clear()
