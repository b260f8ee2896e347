"""Names that are looked up one at a time are the same variables as those of the whole walk; trees follow the text."""

from __future__ import annotations

import re

import pytest

from assistant.next_edit.patterns.trees import Trees
from assistant.next_edit.types import Document
from assistant.workspace.scopes import bindings

TEXTS = {
    "a.py": """\
from m import a, b as c
import os.path

x = 1

def f(a, *args, y=x, **kw):
    global x
    def g():
        nonlocal a
        a = [x for x in args if (w := x)]
        return w, os
    class A(c):
        x = x
        def m(self): return x, self.x, a
    return {k: v for k, v in kw.items() if k}, f(a=a), lambda z: z + y

match x:
    case [p, *q] if p: print(f"{p} {q} x")
""",
    "b.py": "from m import *\nx = 1\nprint(x, y)\n",
    "a.ts": """\
import d, { a, b as c } from 'm';
const x = 1, { y, z: w = x } = f(x);
type T<U> = U extends infer V ? V : x;
function f(this: any, a: T<number>, ...r: any[]) {
  var q = a; { let q = x; use(q); }
  for (const i of r) label: { use(i, { x, q }); }
  return (x) => `${x} ${y}`;
}
class K { x = x; m(x: number) { return this.x + x; } }
enum E { x, A = x }
export { f, K as L };
""",
    "c.ts": "let x = 1;\neval('x');\nuse(x);\n",
}


@pytest.mark.parametrize("path", TEXTS)
def test_one_name_alone_is_resolved_as_in_the_whole_file(path: str) -> None:
    text = TEXTS[path]
    parsed = Trees().parsed(Document(path, path, "", text))
    found = 0
    for word in re.finditer(r"[A-Za-z_]\w*", text):
        whole = bindings(text, "python" if path.endswith("py") else "typescript", word.start())
        if whole and all(text[o.start : o.end] == word.group() for o in whole):
            found += 1
            assert parsed.same_variable(word.group(), word.start()) == whole
        elif whole is None:
            assert parsed.same_variable(word.group(), word.start()) is None
    assert found > 10 or path in ("b.py", "c.ts")


def test_a_tree_is_parsed_once_for_a_text() -> None:
    trees = Trees()
    document = Document("u", "a.py", "python", "x = 1\n", 1)
    assert trees.parsed(document) is trees.parsed(document)
    assert trees.parsed(document, "x = (\n").errors
    assert not trees.parsed(document).errors


def test_many_texts_do_not_pile_up() -> None:
    trees = Trees()
    documents = [Document("u", "a.py", "python", f"x = {i}\n", i) for i in range(100)]
    first = trees.parsed(documents[0])
    for document in documents[1:]:
        trees.parsed(document)
    assert trees.parsed(documents[0]) is not first


@pytest.mark.parametrize("place", ["'price'", "# price", "f'{x} price'"])
def test_strings_and_comments_are_no_code(place: str) -> None:
    text = f"x = 1\ny = {place}\n"
    at = text.index("price")
    assert not Trees().parsed(Document("u", "a.py", "", text)).is_code(at, at + 5)


def test_what_stands_in_an_f_string_is_code() -> None:
    text = "y = f'{price}'\n"
    assert Trees().parsed(Document("u", "a.py", "", text)).is_code(text.index("price"), text.index("price") + 5)
