"""After any edit in any language, the part that is read again and the rest that is moved equal a reading of the whole."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

import assistant.workspace as package
from assistant.workspace import document
from assistant.workspace.document import DocumentTree
from assistant.workspace.extract import extract, rules_of
from assistant.workspace.live import LiveFile
from assistant.workspace.outline import Outline, outline
from assistant.workspace.record import record, rows

PYTHON = Path(package.__file__).with_name("merging.py").read_text("utf-8")
SAMPLES = {
    "python": PYTHON,
    "javascript": """// A box of things.
import { a, b as c } from "./m";
const util = require("util");

/** Keeps things. */
export class Box extends Base {
  size = 1;
  // Adds one.
  add(x, ...rest) { this.count = x; return a(x, c); }
  get(y = 2) {
    const inner = (z) => util.log(z);
    return inner(y);
  }
  last() { return 1; }
}
const make = (n) => { return new Box(n); };
Box.prototype.grow = function (by) { this.size += by; };
module.exports = { make, run: function (q) { return q(); } };
""",
    "typescript": """interface Shape { area(scale: number): number; name?: string }
namespace N {
  // Inside.
  export const limit = 3;
  export function f(a: number, b?: string): void { g(a); }
}
export abstract class Circle<T> implements Shape {
  constructor(private radius: number) { super(); this.r = radius; }
  // The area.
  area(scale: number): number { return compute(this.radius, scale); }
  abstract draw(): void;
}
enum Color { Red, Green = 2 }
type Alias = Circle<string>;
""",
    "go": """package main

import (
	"fmt"
	m "math"
)

// Box keeps things.
type Box struct {
	Size int // how many
	Name string
}

// Grow grows.
func (b *Box) Grow(by, more int) int { b.Size += by; return m.Abs(more) }

const limit = 3

func main() { fmt.Println(limit) }
""",
    "rust": """use std::fmt::{self, Display as D};
/// A box.
#[derive(Debug)]
#[allow(dead_code)]
pub struct Box2 { size: u32, name: String }

impl D for Box2 {
    // Shows it.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result { write!(f, "{}", self.size) }
    #[inline]
    fn grow(&mut self, by: u32) { self.size += helper(by); }
    fn last(&self) {}
}

mod inner {
    pub const N: u8 = 1;
    pub fn g() { super::h(); }
}
enum E { A, B(u8) }
""",
    "java": """package p;
import java.util.List;
/** A box. */
public class Box<T> extends Base implements Runnable {
    private int size = 1;
    // Makes one.
    public Box(int size) { this.size = size; }
    @Override
    public void run() { helper(size); new Thread(this).start(); }
    static int last(int a, String... b) { return 1; }
    enum Color { RED, GREEN }
}
interface Shape { int area(int scale); }
""",
    "c": """#ifndef BOX_H
#define BOX_H
#include <stdio.h>
/* A box. */
typedef struct { int size; char *name; } Box;
struct point { int x, y; };
#define LIMIT(a) ((a) + 1)
// Grows.
static int grow(Box *b, int by) { b->size += by; return helper(b, LIMIT(by)); }
int later(void);
int total = 3;
#endif
""",
    "cpp": """#include "box.h"
namespace n {
// A box.
class Box : public Base {
 public:
  Box(int size) : size_(size) {}
  int grow(int by) { return size_ + helper(by); }
  // The last.
  int last() const;
 private:
  int size_;
};
template <typename T> T twice(T a) { return a + a; }
}
int n::Box::last() const { return total(size_); }
""",
}
TYPED = {
    "x", "\n", "(", ")", "{", "}", '"', "    ", "# c\n", "// c\n", "/*", "*/", "import os\n", ";", ":", "'''", "é", "=", ",",
    "\n\n", "def f(a): pass\n", "class A {}\n", "self.q = 1\n", "@d\n", "#[x]\n", "int z;\n", "f(1, g(2))\n", "😀",
}  # fmt: skip


def an_edit(rnd: random.Random, text: str) -> tuple[int, int, str]:
    """A key, a deletion, a line put in, doubled or taken out."""
    at = rnd.randrange(len(text) + 1)
    start = text.rfind("\n", 0, at) + 1
    end = text.find("\n", at) + 1 or len(text)
    kind = rnd.randrange(5)
    if kind == 0:
        return at, at, rnd.choice(sorted(TYPED))
    if kind == 1:
        return at, min(len(text), at + rnd.choice([1, 1, 5, 60])), ""
    if kind == 2:
        return start, end, ""
    return start, start, rnd.choice([*sorted(TYPED), text[start:end], rnd.choice(text.split("\n")) + "\n"])


def whole(tree: DocumentTree) -> object:
    found = rules_of(tree.language)
    assert found is not None
    assert tree._tree is not None
    return outline(found.rules, found.outline, tree._tree.root_node, tree._source)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("language", SAMPLES)
def test_what_is_joined_equals_what_is_read_whole(language: str, seed: int) -> None:
    rnd = random.Random(seed)
    text = SAMPLES[language]
    tree = DocumentTree(text, language)
    tree.symbols()
    for _ in range(60):
        start, end, new = an_edit(rnd, tree.text)
        gone = tree.text[start:end]
        tree.edit(start, end, new)
        symbols = tree.symbols()
        assert tree._outline is not None
        assert tree._outline[0] == whole(tree)
        if not symbols.has_errors:
            assert symbols == extract(tree.text, language)
        if rnd.random() < 0.7:
            tree.edit(start, start + len(new), gone)
    tree.replace(text)
    assert tree.symbols() == extract(text, language)


@pytest.mark.parametrize("language", ["python", "javascript", "rust"])
def test_most_edits_are_read_in_part(language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []

    def counted(*parts: Any) -> Outline:
        read.append(1)
        return outline(*parts)

    monkeypatch.setattr(document, "outline", counted)
    tree = DocumentTree(SAMPLES[language], language)
    tree.symbols()
    rnd = random.Random(1)
    for _ in range(40):
        at = rnd.randrange(len(tree.text))
        tree.edit(at, at, " ")
        tree.symbols()
        tree.edit(at, at + 1, "")
        tree.symbols()
    assert len(read) <= 4, "the first time, and where a node lies across the edge"


@pytest.mark.parametrize("language", ["python", "typescript", "go"])
@pytest.mark.parametrize("seed", range(2))
def test_a_live_file_has_the_record_of_its_text(language: str, seed: int) -> None:
    rnd = random.Random(seed)
    suffix = {"python": "py", "typescript": "ts", "go": "go"}[language]
    path = f"/p/q.{suffix}"
    live = LiveFile(path, "")
    text = SAMPLES[language]
    for _ in range(40):
        made, fresh = live.read(text), record(path, text)
        if not fresh.symbols.has_errors and not made.symbols.has_errors:
            assert rows(made) == rows(fresh)
            assert made.symbols == fresh.symbols
        else:
            assert {d.name for d in fresh.symbols.definitions} <= {d.name for d in made.symbols.definitions}
        start, end, new = an_edit(rnd, text)
        text = text[:start] + new + text[end:] if rnd.random() < 0.6 else SAMPLES[language]
    assert rows(live.read(SAMPLES[language])) == rows(record(path, SAMPLES[language]))


def test_a_new_text_in_a_buffer_keeps_nothing_of_the_old_one() -> None:
    live = LiveFile("/p/q.py", "")
    live.read("def alpha(x):\n    return beta(x)\n" * 3)
    broken = "class (\n    def gamma(:\n"
    assert rows(live.read(broken)) == rows(record("/p/q.py", broken))


def test_pieces_that_only_moved_keep_their_words() -> None:
    live = LiveFile("/p/q.py", "")
    text = "".join(
        f"def f{i}(a):\n    '''Doc {i}.'''\n    return g{i}(a)\n\n\ndef h{i}(a):\n    return a\n\n\n" for i in range(30)
    )
    before = live.read(text)
    sets = [piece.name_set for piece in before.pieces]
    after = live.read("import os\n" + text)
    assert sum(any(piece.name_set is one for one in sets) for piece in after.pieces) == len(before.pieces)
