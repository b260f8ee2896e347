"""Python's scopes against the compiler itself: rename what ``bindings`` returns, and the bytecode must be the same.

A missed or an extra occurrence changes a load or a store, so equal code proves the set (annotations that are never
evaluated apart; the marked cases have those). In a marked text ``§`` stands before every occurrence of one variable.
"""

from __future__ import annotations

import ast
import dis
import random
import re
import sysconfig
import types
import warnings
from pathlib import Path

import pytest

from assistant.workspace.scopes import bindings

CASES = {
    "local and global of one name": "x = 1\ndef f():\n    §x = 2\n    return §x\nx",
    "a later assignment makes it local": "x = 1\ndef f():\n    print(§x)\n    §x = 2",
    "closure": "def f():\n    §x = 1\n    def g():\n        return §x\n    return lambda: §x",
    "nonlocal": "def f():\n    §x = 1\n    def g():\n        nonlocal §x\n        §x += 1",
    "global": "§x = 1\ndef f():\n    x = 3\n    def g():\n        global §x\n        §x = 2\n§x",
    "global that is only written in a function": "def f():\n    global §x\n    §x = 2\ndef g():\n    return §x",
    "class scope is not seen in methods": "§x = 1\nclass A:\n    x = 2\n    def m(self):\n        return §x\n",
    "class scope": "x = 1\nclass A:\n    §x = 2\n    y = §x\n    def m(self):\n        return self.x, x\n",
    "class scope is not seen in a comprehension": "§x = 1\nclass A:\n    x = 2\n    y = [§x for _ in range(3)]\n",
    "first iterable is evaluated in the class": "x = 1\nclass A:\n    §x = 2\n    y = [i for i in §x for j in x]\n",
    "comprehension": "x = [§x for §x in y if §x]\nx",
    "nested comprehension": "[[§x for _ in §x] for §x in y]",
    "first iterable is outside": "def f(§x):\n    return [x for x in §x]",
    "generator": "def f(§x):\n    return sum(§x * i for i in §x)",
    "walrus leaves the comprehension": "def f(y):\n    [§x := i for i in y]\n    return §x",
    "walrus in a nested comprehension": "def f(y):\n    [[(§x := i) for i in j] for j in y]\n    return §x",
    "walrus stays in a lambda": "x = 1\nf = lambda: (§x := 1) + §x\nx",
    "walrus to a nonlocal": "def f():\n    §x = 0\n    def g():\n        nonlocal §x\n        [§x := i for i in y]",
    "lambda parameters": "x = 1\nf = lambda §x, y=x: §x",
    "defaults are outside": "def f():\n    §x = 1\n    def g(x=§x):\n        return x",
    "decorators are outside": "def f(§x):\n    @§x\n    def x2(x):\n        return x\n    @§x(1)\n    class A: pass",
    "annotations are outside": "def f(§x):\n    def g(x: §x) -> §x:\n        return x",
    "except as": "def f():\n    try: pass\n    except E as §e:\n        raise §e\ne",
    "with as": "def f():\n    with a as §b, c as (d, [§b]):\n        §b",
    "with as an attribute": "def f(§a):\n    with b as §a.c:\n        pass",
    "for over a pattern": "def f():\n    for i, (§j, *k) in x:\n        §j\n    else:\n        §j",
    "del": "def f():\n    §x = 1\n    del §x, y[§x]",
    "augmented": "def f(§x):\n    §x += 1\n    §x.x += §x",
    "annotated": "def f():\n    §x: int\n    §x: str = 1",
    "starred": "def f():\n    a, *§b = c\n    (d, §b) = §b",
    "keyword names are no variables": "def f(§x):\n    g(x=§x, y=§x.x)\n    h(**§x)",
    "attributes are no variables": "def f(§x):\n    §x.x = a.x = y.x[§x]",
    "match captures": "def f(§a):\n    match §a:\n        case B(x=§a): return §a",
    "match patterns": "def f(v):\n    match v:\n        case [§p, *_] | (1, §p): §p\n        case {'k': q, **r}: q",
    "match as": "def f(v):\n    match v:\n        case (1 | 2) as §n if §n > 1: return §n",
    "match values are read": "class §K: pass\nmatch v:\n    case §K.A | §K(b=1): pass",
    "match rest": "def f(v):\n    match v:\n        case {'k': q, **§r}: §r\n        case [_, *s]: s",
    "import as": "def f():\n    import a.b as §c\n    from d import e as c2\n    §c.c",
    "import binds the first part": "def f():\n    import §os.path\n    §os.path.os",
    "from import": "def f():\n    from a.b import §c, d as e\n    §c",
    "local is sure beside a star import": "from m import *\ndef f(§x):\n    return §x",
    "f-string": "def f(§x):\n    return f'{§x!r:>{§x}} x {y}'",
    "type parameters": "def f[§T: (int, str)](a: §T, b=T) -> §T:\n    c: §T\n    return §T\nT",
    "type parameter of a class": "class A[§T](B[§T]):\n    x: §T\n    def m(self, y: §T): return §T\nT",
    "type alias": "type §A[T] = list[T] | §A[T]\nx: §A",
    "type parameter of an alias": "T = 1\ntype A[§T] = list[§T]\nT",
    "class scope is seen in a type parameter's": "class A:\n    §X = int\n    def m[T: §X](self, a: §X) -> T: return X",
    "not ascii": "def f(é, §naïve):\n    '日本語'\n    return '😀', §naïve, é",
    "crlf": "def f(§x):\r\n    y = §x\r\n    return §x\r\n",
    "async": "async def f(§x):\n    async with §x as y: pass\n    return [z async for z in §x]",
    "soft keywords": "def f(§match):\n    match §match:\n        case 1: print(§match)",
}


def marked(text: str) -> tuple[str, list[int]]:
    parts = text.split("§")
    starts, length = [], len(parts[0])
    for part in parts[1:]:
        starts.append(length)
        length += len(part)
    return "".join(parts), starts


@pytest.mark.parametrize("name", CASES)
def test_marked(name: str) -> None:
    text, starts = marked(CASES[name])
    for start in starts:
        found = bindings(text, "python", start)
        assert found is not None
        assert [occurrence.start for occurrence in found] == starts


@pytest.mark.parametrize(
    "text",
    [
        "§print(1)",
        "x.§y = 1",
        "f(§x=1)",
        "§x = 1\nfrom m import *\nx",
        "def f(§x):\n    return x +\n",
        "class A:\n    def f(self):\n        §__x = 1",
        "'§x'",
        "§",
        "import a.§b",
        "from §a import b",
    ],
)
def test_not_sure(text: str) -> None:
    plain, starts = marked(text)
    assert bindings(plain, "python", starts[0]) is None


def test_an_error_elsewhere_does_not_matter() -> None:
    text = "def f(x):\n    return x\n\n\ndef g(y):\n    return y +\n"
    found = bindings(text, "python", 6)
    assert found is not None
    assert [o.start for o in found] == [6, 21]
    assert bindings(text, "python", text.index("y)")) is None


def test_the_cursor_may_be_behind_the_name() -> None:
    assert bindings("abc = 1\nabc", "python", 3) == bindings("abc = 1\nabc", "python", 0) is not None


def test_strange_input_is_no_error() -> None:
    for text in ("", "\0", "(" * 3000, "\ud800 = 1", "x" * 10_000 + " = 1", "a = " + "-" * 5000 + "a"):
        for offset in (0, len(text) // 2, len(text)):
            bindings(text, "python", offset)


def _shape(code: types.CodeType, new: str, old: str) -> list[object]:
    """What a code object does, with ``new`` read as ``old``; without positions and jump distances."""
    pattern = re.compile(rf"\b{new}\b")

    def value(v: object) -> object:
        if isinstance(v, str):
            return pattern.sub(old, v)
        if isinstance(v, tuple):
            return tuple(value(x) for x in v)
        if isinstance(v, frozenset):
            return sorted(str(value(x)) for x in v)
        return None if isinstance(v, types.CodeType) else repr(v)

    variables = list(dict.fromkeys(value(name) for name in code.co_varnames))  # 3.12 inlines some
    shape: list[object] = [value(code.co_name), code.co_argcount, variables]
    shape += [value(code.co_freevars), value(code.co_cellvars)]
    for i in dis.get_instructions(code):
        if i.opname not in ("EXTENDED_ARG", "CACHE", "PUSH_NULL"):
            jumps = "JUMP" in i.opname or i.opname in ("FOR_ITER", "SEND")
            # 3.13 keeps the attributes of what is called `self` in a tuple
            argument = None if isinstance(i.argval, tuple) else i.argval
            operation = i.opname.replace("LOAD_METHOD", "LOAD_ATTR")  # CPython goes by the names a module imports
            shape.append((operation, None if jumps else value(argument)))
    return shape + [_shape(c, new, old) for c in code.co_consts if isinstance(c, types.CodeType)]


def _compile(text: str) -> types.CodeType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return compile(text, "x", "exec", dont_inherit=True)


def _names(text: str) -> list[int]:
    """Where the variables are mentioned, by ``ast``; lines that are not ASCII are left out (its columns are bytes)."""
    lines, starts, at = text.split("\n"), [], 0
    for line in lines:
        starts.append(at)
        at += len(line) + 1
    nodes = [n for n in ast.walk(ast.parse(text)) if isinstance(n, (ast.Name, ast.arg))]
    return [starts[n.lineno - 1] + n.col_offset for n in nodes if lines[n.lineno - 1].isascii()]


def _check(text: str, offset: int) -> bool:
    """Whether there was something to check: a sure answer, and a new name that keeps the order of the compiler's tables."""
    found = bindings(text, "python", offset)
    old = re.compile(r"\w+").match(text, offset)
    assert old is not None
    new = old.group() + "0"
    if found is None or re.search(rf"\b{new}", text) or any(o.kind == "import" for o in found):
        return False
    renamed = text
    for occurrence in reversed(found):
        assert text[occurrence.start : occurrence.end] == old.group()
        renamed = renamed[: occurrence.start] + new + renamed[occurrence.end :]
    assert offset in [o.start for o in found]
    assert _shape(_compile(renamed), new, old.group()) == _shape(_compile(text), new, old.group())
    return True


def test_renaming_leaves_the_bytecode_of_the_standard_library() -> None:
    rnd = random.Random(7)
    files = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    rnd.shuffle(files)
    checked = 0
    for path in [p for p in files if 2_000 < p.stat().st_size < 25_000][:16]:
        text = path.read_text("utf-8").replace("\f", " ")
        names = _names(text)
        checked += sum(_check(text, offset) for offset in rnd.sample(names, min(8, len(names))))
    assert checked > 60
