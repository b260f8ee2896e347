"""Renames of variables: exact in their scope, silent about everything that only has the same name."""

from __future__ import annotations

import pytest

from assistant.next_edit.types import Change, Scene
from tests.assistant.next_edit.patterns.scenes import after, run, scene


def renamed(before: str, old: str, new: str, path: str = "pkg/shop.py", which: int = 0) -> Scene:
    """The user wrote ``new`` over one occurrence of ``old``."""
    at = -1
    for _ in range(which + 1):
        at = before.index(old, at + 1)
    return scene(before, before[:at] + new + before[at + len(old) :], path=path)


def test_a_parameter_is_renamed_in_its_function_only() -> None:
    where = renamed("def f(price):\n    return price * 2\n\nprice = 3\nprint(price, 'price')  # price\n", "price", "cost")
    assert after("rename", where) == "def f(cost):\n    return cost * 2\n\nprice = 3\nprint(price, 'price')  # price\n"


def test_sites_of_one_line_are_one_candidate() -> None:
    where = renamed("def f(price):\n    return price * price\n", "price", "cost")
    (found,) = run("rename", where)
    assert found.text == "cost * cost"
    assert found.matches == 1
    assert found.why == "'price' was renamed to 'cost'"


def test_a_name_that_is_typed_in_front_of_an_imported_one_is_another() -> None:
    before = "from typing import Union\n\nx: Union[int, str] = 1\n"
    now = before.replace("import Union", "import ListUnion")
    assert run("rename", scene(before, now)) == []
    moved_away = scene(before, now, cursor=len(now))
    assert [one.text for one in run("rename", moved_away)] == ["ListUnion"]


def test_a_shadowing_name_keeps_its_own() -> None:
    before = "def f(item):\n    xs = [item for item in range(3)]\n    return item, lambda item: item\n"
    assert after("rename", renamed(before, "item", "thing")) == (
        "def f(thing):\n    xs = [item for item in range(3)]\n    return thing, lambda item: item\n"
    )


def test_attributes_and_keywords_of_the_name_stay() -> None:
    before = "def f(name):\n    other.name = g(name=name)\n    return other.name\n"
    assert after("rename", renamed(before, "name", "label")) == (
        "def f(label):\n    other.name = g(name=label)\n    return other.name\n"
    )


@pytest.mark.parametrize(
    ("before", "old", "new", "expected"),
    [
        (
            "def price(x):\n    return x\n\nprice(1)\nprice(2)\n",
            "price",
            "cost",
            "def cost(x):\n    return x\n\ncost(1)\ncost(2)\n",
        ),
        ("class Shop:\n    pass\n\ns: Shop = Shop()\n", "Shop", "Store", "class Store:\n    pass\n\ns: Store = Store()\n"),
        ("import numpy as np\n\nnp.zeros(np.pi)\n", "np", "num", "import numpy as num\n\nnum.zeros(num.pi)\n"),
        ("for row in rows:\n    use(row)\n", "row", "line", "for line in rows:\n    use(line)\n"),
        ("with open(p) as fh:\n    fh.read()\n", "fh", "file", "with open(p) as file:\n    file.read()\n"),
        (
            "total = 1\ntotal += 2\ndef f():\n    return total\n",
            "total",
            "amount",
            "amount = 1\namount += 2\ndef f():\n    return amount\n",
        ),
    ],
)
def test_whatever_binds_a_name_in_python(before: str, old: str, new: str, expected: str) -> None:
    assert after("rename", renamed(before, old, new)) == expected


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (
            "function f(price: number) {\n  { const price = 1; use(price); }\n  return price;\n}\n",
            "function f(cost: number) {\n  { const price = 1; use(price); }\n  return cost;\n}\n",
        ),
        (
            "const price = 1;\nconst row = { price };\nshow(row.price, price);\n",
            "const cost = 1;\nconst row = { price: cost };\nshow(row.price, cost);\n",
        ),
        ("const price = (x) => x;\nprice(`${price(1)} price`);\n", "const cost = (x) => x;\ncost(`${cost(1)} price`);\n"),
        ("type price = number;\nlet a: price;\n", "type cost = number;\nlet a: cost;\n"),
    ],
)
def test_typescript(before: str, expected: str) -> None:
    assert after("rename", renamed(before, "price", "cost", "web/shop.ts")) == expected


def test_a_rename_that_is_typed_key_by_key_is_one_against_the_first_text() -> None:
    texts = [f"def f({name}):\n    return price\n" for name in ("price", "pric", "", "c", "co", "cost")]
    assert after("rename", scene(*texts)) == "def f(cost):\n    return cost\n"


@pytest.mark.parametrize("half", ["pric", "co", "price_", "p"])
def test_half_of_a_name_is_not_spread(half: str) -> None:
    assert run("rename", renamed("def f(price):\n    return price\n", "price", half)) == []


def test_a_name_that_means_something_already_is_not_taken() -> None:
    assert run("rename", renamed("def f(price, cost):\n    return price + cost\n", "price", "cost")) == []


def test_using_another_variable_in_one_place_renames_nothing() -> None:
    assert run("rename", renamed("def f(a_row, b_row):\n    g(a_row)\n    return a_row\n", "a_row", "b_row", which=1)) == []


def test_a_new_name_at_a_use_asks_for_its_declaration() -> None:
    before = "def f(price):\n    g(price)\n    return price\n"
    assert after("rename", renamed(before, "price", "cost", which=1)) == "def f(cost):\n    g(cost)\n    return cost\n"


def test_a_use_of_an_imported_thing_is_no_rename_of_it() -> None:
    assert run("rename", renamed("from shop import price\n\nprice(1)\nprice(2)\n", "price", "cost", which=1)) == []


def test_a_name_that_is_declared_again_lives_on() -> None:
    before = "def f():\n    loader = find()\n    return loader\n"
    now = "def f():\n    spec = find()\n    loader = spec.loader\n    return loader\n"
    assert run("rename", scene(before, now)) == []


def test_while_the_scope_is_broken_before_the_change_nothing_is_said() -> None:
    assert run("rename", renamed("def f(price):\n    x = (\n    return price\n", "price", "cost")) == []


def test_what_was_renamed_by_hand_counts_as_support() -> None:
    texts = [
        "def f(price):\n    g(price)\n    return price\n",
        "def f(cost):\n    g(price)\n    return price\n",
        "def f(cost):\n    g(cost)\n    return price\n",
    ]
    (found,) = run("rename", scene(*texts))
    assert (found.support, found.text) == (2, "cost")


def test_places_are_followed_through_later_changes() -> None:
    texts = [
        "def f(price):\n    return price\n",
        "def f(cost):\n    return price\n",
        "import os\n\ndef f(cost):\n    return price\n",
    ]
    assert after("rename", scene(*texts)) == "import os\n\ndef f(cost):\n    return cost\n"


def test_a_line_that_was_written_anew_is_no_rename() -> None:
    assert run("rename", scene("a_list = [1, 2]\nuse(a_list)\n", "print(x, y=first(z))\nuse(a_list)\n")) == []


def test_changes_that_do_not_chain_are_no_error() -> None:
    where = renamed("def f(price):\n    return price\n", "price", "cost")
    odd = Change(where.document.uri, "something else\n", 3, "eth", "x", 0.0)
    assert run("rename", Scene(where.document, 0, (), (odd, *where.changes))) is not None


def test_what_became_a_member_keeps_its_name() -> None:
    before = "def fill(rows, size):\n    total = rows\n    return rows, total, size\n"
    worked = before.replace("total = rows", "total = table.rows")
    now = worked.replace("fill(rows", "fill(table")
    (candidate,) = run("rename", scene(before, worked, now))
    assert now[: candidate.start].count("\n") == 2
    assert candidate.text == "table"
