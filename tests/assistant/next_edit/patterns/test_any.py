"""Whatever the user did, in whatever text: no rule raises, and every candidate lies in its document and changes it."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assistant.cancel import Cancel
from assistant.next_edit.patterns import ALL, NAMES, Trees, propose
from assistant.next_edit.patterns.edits import compose
from assistant.next_edit.types import Candidate, Change, Document, Scene
from tests.assistant.next_edit.patterns.scenes import Shelf, scene

PYTHON = '''\
"""Doc of total_price."""
from os import path
import sys

__all__ = ["Shop", "total_price"]


class Shop:
    def __init__(self, name, prices):
        self.name = name
        self.prices = prices

    async def load(self, limit=3):
        rows = await fetch(self.name, limit)
        for row in rows:
            self.prices[row.name] = row.price
        return rows, limit


def total_price(shop, tax):
    """:param tax: in per cent"""
    # prices of total_price, é𝄞
    prices = [p * tax for p in shop.prices.values() if p]
    print(f"{shop.name}: {sum(prices)}")
    return sum(prices), path.join(sys.prefix, "a")
'''
SCRIPT = """\
import { readFile } from './files';
import * as path from 'path';

export enum Kind {
  Apple,
  Pear,
}

export class Shop {
  constructor(private name: string, limit = 3) {
    this.limit = limit;
  }
  async load(kind: Kind): Promise<string[]> {
    const rows = await readFile(path.join(this.name, `${kind}`));
    return rows.map((row) => row.trim());
  }
}

export function total(shop: Shop, tax: number) {
  switch (tax) {
    case 1: return <b>{shop.name}</b>;
  }
  return { shop, tax };
}
"""
SAID = " ".join(["what", "limit", "this", "shop", "has", "to", "heed", "tax"] * 4)
PROSE = "".join(
    f"# {SAID.replace('heed', word)}\nprices.append({SAID.replace(' ', ', ')})\n" for word in ("keep", "hold", "have")
)
TEXTS = {
    "pkg/prose.py": PROSE,  # long lines of words: what an expression with a loop in a loop never comes back from
    "pkg/shop.py": PYTHON,
    "web/shop.tsx": SCRIPT,
    "notes.txt": "total_price\nlimit = 3\nlimit = 3\n",
    "x.rs": "fn f(a: i32) {\n  f(a)\n}\n",
}
SNIPPETS = [
    "x",
    "tax",
    "limit",
    "\n",
    "    ",
    ", extra",
    "async ",
    "await ",
    "(",
    ")",
    '"',
    "def f(a, b):\n",
    "é𝄞",
    "\r\n",
    "import os\n",
    ", Pear2",
    "=",
]


@st.composite
def histories(draw: st.DrawFn) -> Scene:
    path = draw(st.sampled_from(sorted(TEXTS)))
    before = text = TEXTS[path]
    if draw(st.booleans()):
        before = text = text.replace("\n", "\r\n")
    uri = f"file:///{path}"
    changes = []
    for i in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        gone = draw(st.sampled_from([0, 0, 1, 4, 30, 200]))
        new = draw(st.one_of(st.sampled_from(SNIPPETS), st.text(max_size=6)))
        changes.append(Change(uri, text, start, text[start : start + gone], new, float(i)))
        text = changes[-1].after
        if draw(st.integers(0, 9)) == 0:  # something nobody told of
            text = before
    others = tuple(Document(f"file:///{p}", p, "", t, 1) for p, t in TEXTS.items() if p != path)
    offset = draw(st.integers(0, len(text)))
    return Scene(Document(uri, path, "", text, 2), offset, others, tuple(changes), Shelf(TEXTS))


def _lies_in(candidate: Candidate, where: Scene) -> None:
    document = where.find(candidate.uri) or Shelf(TEXTS).read(candidate.uri.removeprefix("file:///"))
    assert document is not None
    assert 0 <= candidate.start <= candidate.end <= len(document.text)
    assert document.text[candidate.start : candidate.end] != candidate.text
    assert candidate.rule in NAMES
    assert candidate.why
    assert candidate.support >= 1
    assert candidate.matches >= 1
    assert all(isinstance(value, float) for value in candidate.features.values())


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(histories())
def test_no_rule_raises_and_every_candidate_lies_in_its_document(where: Scene) -> None:
    for candidate in propose(where, Cancel()):
        _lies_in(candidate, where)


@settings(max_examples=60, deadline=None)
@given(histories())
def test_between_two_pieces_both_texts_are_the_same(where: Scene) -> None:
    composed = compose(where.document, where.changes)
    old = new = 0
    for piece, _ in composed.pieces:
        assert composed.base[old : piece.old_start] == composed.text[new : piece.start]
        old, new = piece.old_end, piece.end
    assert composed.base[old:] == composed.text[new:]


@settings(max_examples=60, deadline=None)
@given(histories(), st.data())
def test_what_stayed_is_followed_to_its_place(where: Scene, data: st.DataObject) -> None:
    composed = compose(where.document, where.changes)
    start = data.draw(st.integers(0, len(composed.base)))
    end = data.draw(st.integers(start, min(len(composed.base), start + 5)))
    now = composed.now(start, end)
    assert now is None or composed.text[now : now + end - start] == composed.base[start:end]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(histories(), min_size=2, max_size=4))
def test_trees_kept_between_calls_change_nothing(scenes: list[Scene]) -> None:
    trees = Trees()
    for where in scenes:
        assert propose(where, Cancel(), trees) == propose(where, Cancel())


def test_nothing_follows_from_nothing() -> None:
    assert propose(scene(PYTHON), Cancel()) == []


def test_nothing_is_looked_for_once_it_is_cancelled() -> None:
    cancel = Cancel()
    cancel.set()
    assert propose(scene("def f(price):\n    return price\n", "def f(cost):\n    return price\n"), cancel) == []


def test_what_two_rules_change_in_a_line_is_said_together_too() -> None:
    texts = [
        "def f(price, size):\n    return price * size\n",
        "def f(cost, size):\n    return price * size\n",
        "def f(cost, width):\n    return price * size\n",
    ]
    found = [c for c in propose(scene(*texts), Cancel()) if c.rule == "combined"]
    assert [c.text for c in found] == ["cost * width"]
    assert found[0].features["parts"] == 2


def test_an_edit_that_was_taken_back_is_none() -> None:
    first, second = "def f(price):\n    return price\n", "def f(cost):\n    return price\n"
    assert propose(scene(first, second, first), Cancel()) == []


@pytest.mark.parametrize("rule", ALL, ids=lambda rule: rule.name)
def test_a_rule_can_be_called_alone(rule: object) -> None:
    assert callable(rule)
    assert list(rule(scene(PYTHON), Cancel())) == []


def test_fifty_thousand_lines_are_looked_through_and_few_places_are_said() -> None:
    line = "setup(first, limit)\n"
    text = line + "".join(f"value_{i} = compute(value_{i % 7}, limit)\n" for i in range(50_000)) + 40 * line
    found = propose(scene(text, text.replace("limit", "bound", 1)), Cancel())
    assert {c.rule for c in found} >= {"line_repeat"}
    assert len(found) < 100
    assert all(c.matches == 40 for c in found if c.rule == "line_repeat")
