"""Open documents: edits in place give what a fresh reading gives, and a broken line empties nothing."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

import assistant.workspace as package
from assistant.workspace.document import DocumentTree
from assistant.workspace.extract import extract

CLASS = '''import os
from a.b import c as d

LIMIT = 3


class A(B):
    """Doc."""

    field: int = 1

    def first(self, x):
        self.y = os.path.join(x, d)
        return x

    def second(self, z=1):
        return self.first(z)


def last(q):
    return A().second(q)
'''


def qualified(tree: DocumentTree) -> list[str]:
    return [d.qualified for d in tree.symbols().definitions]


ALL = ["LIMIT", "A", "A.first", "A.second", "last"]


@pytest.mark.parametrize(
    ("after", "typed"),
    [
        ("        return x", "\n        if (self."),
        ("return x", "[1, (2,"),
        ("self.y = ", "f("),
        ("    field: int = 1\n", "\n    def new(self, a, "),
        ("LIMIT = 3\n", "\nclass "),
        ("LIMIT = ", '"""'),
        ("LIMIT = ", "{"),
        ("def first(self, x", ", **"),
        ("class A(B", ", ("),
        ("    def first(self, x):", "\n        for "),
        ("from a.b import c as d", "\nfrom . import ("),
        ("", "x = '''\n"),
    ],
)
def test_a_half_typed_line_empties_nothing(after: str, typed: str) -> None:
    tree = DocumentTree(CLASS, "python")
    before = tree.symbols()
    start = CLASS.index(after) + len(after)
    for i, char in enumerate(typed):
        tree.edit(start + i, start + i, char)
        assert [name for name in qualified(tree) if name in ALL] == ALL
    broken = tree.symbols()
    assert broken.has_errors
    assert {c.callee.rpartition(".")[2] for c in before.calls} <= {
        tree.text[c.name_start :].split("(")[0] for c in broken.calls
    }
    assert {i.bound for i in broken.imports} >= {"os", "d"}
    assert {f.name for f in broken.fields} >= {"field", "y"}
    for reference in broken.references:
        assert tree.text.startswith(reference.name, reference.start)
    for definition in broken.definitions:
        assert tree.text.startswith(definition.name, definition.name_start)
        assert definition.parent < broken.definitions.index(definition)
    tree.edit(start, start + len(typed), "")
    assert tree.symbols() == before == extract(CLASS, "python")


def test_methods_stay_in_their_class_while_it_is_cut_short() -> None:
    tree = DocumentTree(CLASS, "python")
    tree.symbols()
    tree.edit(CLASS.index("    def second"), CLASS.index("    def second"), "    x = (\n")
    definitions = tree.symbols().definitions
    second = next(d for d in definitions if d.name == "second")
    assert (second.qualified, second.kind, definitions[second.parent].name) == ("A.second", "method", "A")
    assert [p.name for p in second.parameters] == ["self", "z"]


def test_what_is_deleted_is_gone_even_beside_an_error() -> None:
    tree = DocumentTree(CLASS, "python")
    tree.symbols()
    tree.edit(CLASS.index("LIMIT"), CLASS.index("LIMIT"), "x = (\n")
    start = tree.text.index("    def second")
    tree.edit(start, tree.text.index("def last"), "")
    names = qualified(tree)
    assert "A.second" not in names
    assert {"A", "A.first", "last"} <= set(names)


def test_a_name_being_renamed_follows_the_text() -> None:
    tree = DocumentTree(CLASS, "python")
    tree.symbols()
    tree.edit(tree.text.index("LIMIT"), tree.text.index("LIMIT"), "x = (\n")
    start = tree.text.index("second") + len("second")
    tree.edit(start, start, "ary")
    names = [d.name for d in tree.symbols().definitions]
    assert "secondary" in names or "second" not in names
    assert "first" in names


def test_what_was_broken_from_the_start_is_not_kept_stale() -> None:
    text = "int f() { return 1; }\nBROKEN ( { MACRO\nint g() { return 2; }\n"
    tree = DocumentTree(text, "c")
    assert tree.symbols().has_errors
    start = text.index("int f")
    tree.edit(start, start, "// ")
    assert "f" not in [d.name for d in tree.symbols().definitions]


def test_a_new_definition_is_seen_at_once() -> None:
    tree = DocumentTree(CLASS, "python")
    tree.symbols()
    tree.edit(len(CLASS), len(CLASS), "\n\ndef fresh(a, *, b=1): ...\n")
    assert qualified(tree) == [*ALL, "fresh"]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("seed", range(6))
def test_edits_in_place_equal_a_fresh_reading(seed: int, newline: str) -> None:
    rnd = random.Random(seed)
    text = "# é 😀 日本\n" + Path(package.__file__).with_name("parse.py").read_text("utf-8")
    text = text.replace("\n", newline)
    tree = DocumentTree(text, "python")
    pieces = ["x", "\n", newline, "é", "😀", "(", ")", '"', "    ", "def f(a): pass\n", "日本 = 1\n", "", "\r"]
    for _ in range(40):
        start = rnd.randrange(len(tree.text) + 1)
        end = min(len(tree.text), start + rnd.choice([0, 0, 1, 3, 40]))
        gone, new = tree.text[start:end], rnd.choice(pieces)
        expected = tree.text[:start] + new + tree.text[end:]
        tree.edit(start, end, new)
        assert tree.text == expected
        fresh = extract(tree.text, "python")
        now = tree.symbols()
        if not fresh.has_errors:
            assert now == fresh
        else:
            assert {d.name for d in fresh.definitions} <= {d.name for d in now.definitions}
        if rnd.random() < 0.7:
            tree.edit(start, start + len(new), gone)
    tree.replace(text)
    assert tree.symbols() == extract(text, "python")


def test_replace_finds_the_part_that_differs() -> None:
    tree = DocumentTree("aa = 1\nbb = 2\n", "python")
    tree.symbols()
    tree.replace("aa = 1\nab = 1\nbb = 2\n")
    assert tree.text == "aa = 1\nab = 1\nbb = 2\n"
    assert qualified(tree) == ["aa", "ab", "bb"]
    tree.replace("")
    assert tree.symbols().definitions == ()


def test_a_language_without_a_grammar_has_words() -> None:
    tree = DocumentTree("program hello", "fortran")
    tree.edit(8, 13, "world")
    assert tree.symbols().words == ("program", "world")
    assert tree.symbols().definitions == ()


def test_strange_edits() -> None:
    tree = DocumentTree("x = 1\n", "python")
    for start, end, text in [(-5, 99, "\0" * 10), (3, 1, "\ud800"), (0, 0, "y" * 10_000), (5, 5, "(" * 5000), (0, 10**9, "")]:
        tree.edit(start, end, text)
        tree.symbols()
    assert tree.text == ""
    tree.edit(0, 0, "def f(): pass\n")
    assert qualified(tree) == ["f"]


def test_a_text_that_grows_too_large_and_shrinks_again() -> None:
    tree = DocumentTree("def f(): pass\n", "python")
    tree.symbols()
    tree.edit(14, 14, "x" * 2_000_000)
    assert tree.symbols().cut
    assert qualified(tree) == ["f"]
    tree.edit(14, 14 + 2_000_000, "def g(): pass\n")
    assert qualified(tree) == ["f", "g"]
    assert not tree.symbols().cut
