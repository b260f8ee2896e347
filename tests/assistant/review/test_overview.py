"""The overview names what a person must read, and what nobody needs to."""

from __future__ import annotations

from assistant.review import changes
from assistant.review.overview import changed_definitions, overview
from assistant.review.project import TextsProject, changed_texts
from assistant.review.types import Skipped

OLD = "class Shop:\n    def buy(self):\n        return 1\n\n"
OLD += "    def sell_all(self):\n        return 2\n\n\ndef main():\n    pass\n"
NEW = OLD.replace("return 2", "price = 2\n        tax = 3\n        return price + tax")


def test_definitions_that_a_change_touches() -> None:
    (change,) = changes.of_texts({"shop.py": (OLD, NEW)}).files
    assert [one.qualified for one in changed_definitions(change)] == ["Shop.sell_all"]
    (removed,) = changes.of_texts({"shop.py": (NEW, NEW.replace("        tax = 3\n", ""))}).files
    assert [one.qualified for one in changed_definitions(removed)] == ["Shop.sell_all"]


def test_what_is_used_elsewhere_comes_first_and_tests_last() -> None:
    found = changes.of_texts(
        {
            "shop.py": (OLD, NEW),
            "tests/test_shop.py": (None, "def test_a():\n    assert True\n" * 20),
            "plain.py": ("x = 1\n", "x = 1\ny = 2\nz = 3\nw = 4\n"),
        },
        title="the change",
    )
    users = {f"use{i}.py": "shop.sell_all()\n" for i in range(4)}
    said = overview(
        found,
        TextsProject({**users, **changed_texts(found)}),
        [Skipped("a.lock", "a lock file"), Skipped("b.lock", "a lock file")],
    )
    assert said.startswith("The change: 3 files to read, 46 lines added, 1 removed. Read first: shop.py (")
    assert "shop.py (Shop.sell_all; 3 lines; named in 4 other files); plain.py" in said
    assert said.index("plain.py") < said.index("tests/test_shop.py")
    assert said.endswith("Not reviewed: 2 a lock file.")


def test_nothing_is_said_plainly() -> None:
    found = changes.of_texts({}, title="the change")
    assert overview(found, TextsProject({}), []) == "The change: nothing has changed."
