"""What the workspace says of the code at a cursor: members, arguments, and silence where nothing is evident."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from assistant.cancel import Cancel
from assistant.config import Config
from assistant.types import Snapshot
from assistant.workspace.aim import KINDS, Aim, Snippets, aim
from assistant.workspace.index import WorkspaceIndex
from assistant.workspace.retrieve import WorkspaceRetriever

FILES = {
    "shop/__init__.py": "from .base import Record\n",
    "shop/money.py": (
        "def round_to_cents(amount, places=2, *, mode='even'):\n    '''Round.'''\n    return amount\n\n\n"
        "class Price:\n    amount: int\n    currency: str\n\n    def in_cents(self, rate):\n        return self.amount * rate\n"
    ),
    "shop/base.py": "class Record:\n    def save(self, store, force=False):\n        self.saved_at = store.now()\n",
    "shop/hidden_secret.py": "def launch(codes):\n    return codes\n",
}


@pytest.fixture
def index(tmp_path: Path) -> Iterator[WorkspaceIndex]:
    for name, text in FILES.items():
        path = tmp_path / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    made = WorkspaceIndex([tmp_path / "root"], tmp_path / "cache", Config(), in_process=True)
    made.scan()
    yield made
    made.close()


def cursor(index: WorkspaceIndex, text: str, name: str = "shop/orders.py") -> Snapshot:
    """An open file whose cursor is where ``|`` stands in ``text``; ``@`` stands for a bar of the code."""
    before, _, after = (part.replace("@", "|") for part in text.partition("|"))
    path = str(Path(index.roots[0]) / name)
    index.open_buffer(path, before + after, "python")
    assert index.settle()
    return Snapshot(Path(path).as_uri(), "python", before + after, len(before), path=path, root=index.roots[0])


def found(index: WorkspaceIndex, text: str) -> Snippets:
    return WorkspaceRetriever(index).snippets(cursor(index, text), Cancel(), 60_000)


def lines(index: WorkspaceIndex, text: str) -> list[str]:
    return found(index, text).text.splitlines()


@pytest.mark.parametrize(
    "text",
    [
        "import shop.money as money\n\ntotal = money.|\n",
        "from shop import money\n\ntotal = money.ro|\n",
        "from . import money\n\ntotal = [money.|]\n",
    ],
)
def test_a_module_offers_what_it_defines_with_its_arguments(index: WorkspaceIndex, text: str) -> None:
    assert lines(index, text) == ["money.round_to_cents(amount, places, mode)", "money.Price(amount, currency)"]


@pytest.mark.parametrize(
    "imported", ["from shop.base import Record", "from shop import Record", "import shop", "import shop.base"]
)
def test_a_class_is_followed_through_every_form_of_import(index: WorkspaceIndex, imported: str) -> None:
    name = f"{imported.split()[1]}.Record" if imported.startswith("import") else "Record"
    assert "r.save(store, force)" in lines(index, f"{imported}\n\nr = {name}()\nr.|\n")


@pytest.mark.parametrize(
    "text",
    [
        "from shop.money import Price\n\np = Price(1, 'x')\np.|\n",
        "from shop.money import Price\n\ndef f(p: Price):\n    return p.|\n",
        "from shop.money import Price\n\ndef f(p: 'Price @ None'):\n    return p.am|\n",
    ],
)
def test_a_receiver_offers_the_members_of_its_evident_class(index: WorkspaceIndex, text: str) -> None:
    assert {"p.amount", "p.currency", "p.in_cents(rate)"} <= set(lines(index, text))


def test_a_field_has_the_class_of_the_parameter_it_was_given(index: WorkspaceIndex) -> None:
    text = (
        "from shop.money import Price\n\n\nclass Order:\n    def __init__(self, price: Price):\n        self.price = price\n\n"
        "    def total(self):\n        return self.price.|\n"
    )
    assert "self.price.in_cents(rate)" in lines(index, text)


def test_a_class_offers_what_its_bases_elsewhere_have_all_along_its_body(index: WorkspaceIndex) -> None:
    text = "from shop.base import Record\n\n\nclass Order(Record):\n    def close(self):\n        if |\n"
    assert lines(index, text) == ["self.save(store, force)", "self.saved_at"]


@pytest.mark.parametrize(
    "text",
    [
        "import os\n\nx = os.path.|",
        "from shop import money\n\nx = 'money.|",
        "from shop import money\n\nx = 1  # money.|",
        "def f(thing):\n    return thing.|\n",
        "x = x.copy()\nx.|\n",
        "from nowhere import lost\n\nlost.|",
        "from shop.money import round_to_cents\n\nround_to_cents.|",
        "",
    ],
)
def test_what_is_not_evident_is_left_out(index: WorkspaceIndex, text: str) -> None:
    assert found(index, text) == Snippets()


def test_what_the_model_sees_is_not_said_again(index: WorkspaceIndex) -> None:
    text = "class Cart:\n    def add(self, item):\n        pass\n\n    def clear(self):\n        self.|\n"
    assert lines(index, text) == []


def test_excluded_files_are_never_used(index: WorkspaceIndex) -> None:
    assert lines(index, "from shop import hidden_secret\n\nhidden_secret.|\n") == []


def test_an_open_buffer_wins_over_the_disk(index: WorkspaceIndex) -> None:
    index.open_buffer(str(Path(index.roots[0]) / "shop/money.py"), "def round_to_cents(value):\n    return value\n", "python")
    assert lines(index, "from shop import money\n\nmoney.|\n") == ["money.round_to_cents(value)"]


def test_without_time_everything_is_late_and_nothing_is_remembered_as_found(index: WorkspaceIndex) -> None:
    snapshot = cursor(index, "from shop.money import Price\n\np = Price()\np.|\n")
    assert WorkspaceRetriever(index).snippets(snapshot, Cancel(), 0) == Snippets(late=KINDS)
    stopped = Cancel()
    stopped.set()
    assert WorkspaceRetriever(index).snippets(snapshot, stopped, 60_000) == Snippets(late=KINDS)


def test_a_document_outside_the_workspace_gets_nothing(index: WorkspaceIndex) -> None:
    snapshot = Snapshot("untitled:1", "python", "round_to_cents(", 15)
    assert WorkspaceRetriever(index).snippets(snapshot, Cancel()) == Snippets()


def test_a_broken_index_costs_the_context_and_nothing_else(index: WorkspaceIndex) -> None:
    snapshot = cursor(index, "from shop.money import Price\n\np = Price()\np.|\n")
    index.store.path.write_bytes(b"no database")
    index.store.clear()
    assert WorkspaceRetriever(index).snippets(snapshot, Cancel(), 60_000).text == ""


@pytest.mark.parametrize(
    ("text", "receiver"),
    [
        ("f(g(1), self.x.|", "self.x"),
        ("a.b.c.name|", "a.b.c"),
        ("x = a.b.c(\n    one,\n    tw|", ""),
        ("f().|", ""),
        ("f('a.|", ""),
        ("# a.|", ""),
        ("a.b |", ""),
        ("1.|", ""),
    ],
)
def test_the_aim_is_what_stands_before_the_dot(text: str, receiver: str) -> None:
    code = text.replace("|", "")
    assert aim(Snapshot("u", "python", code, len(code))) == Aim("", code.count("\n"), receiver)
