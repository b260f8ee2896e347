"""Renames of what a module offers: the files that import it follow."""

from __future__ import annotations

from tests.assistant.next_edit.patterns.scenes import after, run, scene

BEFORE = "def price(x):\n    return x\n"
NOW = "def cost(x):\n    return x\n"


def test_an_open_file_that_imports_it_follows() -> None:
    user = "from pkg.shop import price\n\n\ndef f(other):\n    other.price = price(1)\n    return 'price'\n"
    where = scene(BEFORE, NOW, others={"pkg/user.py": user})
    assert after("rename_file", where, "pkg/user.py") == (
        "from pkg.shop import cost\n\n\ndef f(other):\n    other.price = cost(1)\n    return 'price'\n"
    )


def test_a_file_of_the_index_follows() -> None:
    where = scene(BEFORE, NOW, indexed={"app.py": "from .pkg.shop import a, price\nprint(price)\n"})
    assert after("rename_file", where, "app.py") == "from .pkg.shop import a, cost\nprint(cost)\n"


def test_under_an_alias_only_the_import_changes() -> None:
    where = scene(BEFORE, NOW, others={"user.py": "from shop import price as p\nprice = p(1)\n"})
    assert after("rename_file", where, "user.py") == "from shop import cost as p\nprice = p(1)\n"


def test_a_namesake_of_another_module_stays() -> None:
    where = scene(BEFORE, NOW, others={"user.py": "from market import price\nprice(1)\n", "own.py": "def price():\n    pass\n"})
    assert run("rename_file", where) == []


def test_a_local_is_nobody_elses() -> None:
    before, now = "def f(price):\n    return price\n", "def f(cost):\n    return price\n"
    assert run("rename_file", scene(before, now, others={"user.py": "from shop import price\n"})) == []


def test_all_follows() -> None:
    before = '__all__ = ["price", "other"]\n' + BEFORE
    assert after("rename_file", scene(before, before.replace("def price", "def cost"))) == '__all__ = ["cost", "other"]\n' + NOW


def test_typescript() -> None:
    where = scene(
        "export function price(x: number) {\n  return x;\n}\n",
        "export function cost(x: number) {\n  return x;\n}\n",
        path="web/shop.ts",
        others={"web/user.ts": "import { other, price } from './shop';\nshow({ price }, price(1));\n"},
    )
    assert after("rename_file", where, "web/user.ts") == (
        "import { other, cost } from './shop';\nshow({ price: cost }, cost(1));\n"
    )
