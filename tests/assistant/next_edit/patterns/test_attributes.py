"""Renames of members: within the class, and not another class's of the same name."""

from __future__ import annotations

from tests.assistant.next_edit.patterns.scenes import after, run, scene

SHOP = """\
class Shop:
    def __init__(self, name):
        self.name = name

    def show(self):
        print(self.name, "name")


class Other:
    def __init__(self):
        self.name = 1
"""


def test_a_field_is_renamed_in_its_class() -> None:
    assert after("attribute", scene(SHOP, SHOP.replace("self.name = name", "self.label = name", 1))) == SHOP.replace(
        "self.name = name", "self.label = name", 1
    ).replace("print(self.name", "print(self.label")


def test_a_method_is_renamed_where_it_is_called_on_self() -> None:
    before = "class A:\n    def load(self):\n        pass\n\n    def run(self):\n        return self.load()\n\n\nload()\n"
    now = before.replace("def load", "def fetch")
    assert after("attribute", scene(before, now)) == now.replace("self.load()", "self.fetch()")


def test_another_member_used_in_one_place_is_no_rename() -> None:
    before = "class A:\n    def f(self):\n        return self.first + self.second + self.first\n"
    assert run("attribute", scene(before, before.replace("self.first", "self.second", 1))) == []


def test_a_call_on_something_else_is_changed_alone() -> None:
    before = "a.append(1)\nb.append(2)\nc.append(3)\n"
    assert run("attribute", scene(before, before.replace("a.append", "a.extend"))) == []


def test_typescript() -> None:
    before = "class Shop {\n  name = 1;\n  show() {\n    return this.name + other().name;\n  }\n}\nclass B {\n  name = 2;\n}\n"
    now = before.replace("name = 1", "label = 1")
    assert after("attribute", scene(before, now, path="web/shop.ts")) == now.replace("this.name", "this.label")
