"""What the workspace says of the code at a cursor: callees, members, imports, similar blocks, edits, and silence elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from assistant.cancel import Cancel
from assistant.config import Config
from assistant.types import Snapshot
from assistant.workspace.aim import AROUND, NEAR, Aim, Snippets, aim
from assistant.workspace.index import WorkspaceIndex
from assistant.workspace.retrieve import WorkspaceRetriever

FILES = {
    "shop/__init__.py": "from .base import Record\n",
    "shop/money.py": (
        "def round_to_cents(amount, places=2, *, mode='even'):\n    '''Round an amount. Half goes up.'''\n    return 1\n\n\n"
        "class Price:\n    amount: int\n    currency: str\n\n    def in_cents(self, rate):\n        return self.amount * rate\n"
    ),
    "shop/base.py": (
        "class Record:\n    def __init__(self, store, key=None):\n        self.store = store\n\n"
        "    def save(self, store, force=False):\n        self.saved_at = store.now()\n"
    ),
    "shop/ledger.py": (
        "def monthly_ledger(warehouse, month):\n    entries = warehouse.ledger_entries(month)\n"
        "    return summed_by_account(entries)\n"
    ),
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


def cursor(index: WorkspaceIndex, text: str, name: str = "shop/orders.py", language: str = "python") -> Snapshot:
    """An open file whose cursor is where ``|`` stands in ``text``; ``@`` stands for a bar of the code."""
    before, _, after = (part.replace("@", "|") for part in text.partition("|"))
    path = str(Path(index.roots[0]) / name)
    index.open_buffer(path, before + after, language)
    assert index.settle()
    return Snapshot(Path(path).as_uri(), language, before + after, len(before), path=path, root=index.roots[0])


def found(index: WorkspaceIndex, text: str, *kinds: str) -> Snippets:
    snapshot = cursor(index, text)
    return WorkspaceRetriever(index).snippets(snapshot, kinds or (*NEAR, *AROUND), snapshot.text, Cancel(), 60_000)


def lines(index: WorkspaceIndex, text: str, *kinds: str) -> list[str]:
    return [line for item in found(index, text, *kinds).items for line in item.text.split("\n")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "from shop.money import round_to_cents\n\nx = round_to_cents(|",
            "def round_to_cents(amount, places=2, *, mode='even')  # Round an amount",
        ),
        (
            "from shop import money\n\nx = money.round_to_cents([1, |",
            "def round_to_cents(amount, places=2, *, mode='even')  # Round an amount",
        ),
        ("from shop.money import Price\n\np = Price(|", "Price(amount: int, currency: str)"),
        ("from shop.base import Record\n\nr = Record(|", "def Record(self, store, key=None)"),
        ("from shop.base import Record\n\nr = Record()\nr.save(|", "def save(self, store, force=False)"),
    ],
)
def test_the_called_function_is_said_with_its_arguments_and_first_sentence(index: WorkspaceIndex, text: str, said: str) -> None:
    assert lines(index, text, "callee") == [said]


@pytest.mark.parametrize(
    "text",
    [
        "import shop.money as money\n\ntotal = money.|\n",
        "from shop import money\n\ntotal = money.ro|\n",
        "from . import money\n\ntotal = [money.|]\n",
    ],
)
def test_a_module_offers_what_it_defines(index: WorkspaceIndex, text: str) -> None:
    assert lines(index, text, "members") == ["def round_to_cents(amount, places=2, *, mode='even')", "class Price"]


@pytest.mark.parametrize(
    "imported", ["from shop.base import Record", "from shop import Record", "import shop", "import shop.base"]
)
def test_a_class_is_followed_through_every_form_of_import(index: WorkspaceIndex, imported: str) -> None:
    name = f"{imported.split()[1]}.Record" if imported.startswith("import") else "Record"
    assert "def save(self, store, force=False)" in lines(index, f"{imported}\n\nr = {name}()\nr.|\n", "members")


@pytest.mark.parametrize(
    "text",
    [
        "from shop.money import Price\n\np = Price(1, 'x')\np.|\n",
        "from shop.money import Price\n\ndef f(p: Price):\n    return p.|\n",
        "from shop.money import Price\n\ndef f(p: 'Price @ None'):\n    return p.am|\n",
    ],
)
def test_a_receiver_offers_the_members_of_its_evident_class(index: WorkspaceIndex, text: str) -> None:
    assert lines(index, text, "members") == ["amount: int", "currency: str", "def in_cents(self, rate)"]


def test_a_field_has_the_class_of_the_parameter_it_was_given(index: WorkspaceIndex) -> None:
    text = (
        "from shop.money import Price\n\n\nclass Order:\n    def __init__(self, price: Price):\n        self.price = price\n\n"
        "    def total(self):\n        return self.price.|\n"
    )
    assert "def in_cents(self, rate)" in lines(index, text, "members")


def test_a_class_offers_what_its_bases_elsewhere_have_all_along_its_body(index: WorkspaceIndex) -> None:
    text = "from shop.base import Record\n\n\nclass Order(Record):\n    def close(self):\n        if |\n"
    assert lines(index, text, "own") == ["store", "def save(self, store, force=False)", "saved_at"]


def test_imports_in_use_are_explained_and_others_are_not(index: WorkspaceIndex) -> None:
    text = "from shop.money import round_to_cents\nfrom shop.ledger import monthly_ledger\n\n\n" + "x = 1\n" * 400
    said = lines(index, text + "total = round_to_cents(1) + |\n", "imports")
    assert said == ["def round_to_cents(amount, places=2, *, mode='even')  # Round an amount"]


def test_a_block_that_shares_rare_names_is_similar(index: WorkspaceIndex) -> None:
    text = "def yearly_ledger(warehouse, year):\n    entries = warehouse.ledger_entries(year)\n    return |\n"
    said = found(index, text, "similar").items
    assert [item.path.rpartition("/")[2] for item in said] == ["ledger.py"]
    assert said[0].text == FILES["shop/ledger.py"].strip()


def test_recent_edits_come_from_open_files_or_from_whom_is_asked(index: WorkspaceIndex) -> None:
    cursor(index, "def refund(order):\n    return order.total\n", "shop/refunds.py")
    cursor(index, "def refund(order):\n    return order.total - order.fee\n", "shop/refunds.py")
    text = "def charge(order):\n    return order.|\n"
    assert lines(index, text, "edits") == ["def refund(order):", "    return order.total - order.fee"]
    snapshot = cursor(index, text)
    own = WorkspaceRetriever(index, recent=lambda here: [("/p/a.py", "-order.x\n+order.y"), ("/p/b.py", "+unrelated_thing")])
    items = own.snippets(snapshot, ("edits",), snapshot.text, Cancel(), 60_000).items
    assert [(item.path, item.text) for item in items] == [("/p/a.py", "-order.x\n+order.y")]


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
        "def round_to_cents(|",
        "",
    ],
)
def test_what_is_not_evident_is_left_out(index: WorkspaceIndex, text: str) -> None:
    assert found(index, text, *NEAR) == Snippets()


def test_what_the_prompt_shows_is_not_said_again(index: WorkspaceIndex) -> None:
    text = "class Cart:\n    def add(self, item):\n        pass\n\n    def clear(self):\n        self.add(|\n"
    assert lines(index, text, *NEAR, "own") == []


def test_javascript_has_callees_and_members_too(index: WorkspaceIndex) -> None:
    text = "export class Till {\n  open(code, drawer) {}\n}\nexport function ring(till, amount) {}\n"
    cursor(index, text, "web/till.js", "javascript")
    index.close_buffer(str(Path(index.roots[0]) / "web/till.js"))
    path = Path(index.roots[0]) / "web/till.js"
    path.parent.mkdir()
    path.write_text(text)
    index.scan()
    here = "import { Till, ring } from './till'\n\nconst t = new Till()\nring(t, t.|)\n"
    snapshot = cursor(index, here, "web/shop.js", "javascript")
    said = WorkspaceRetriever(index).snippets(snapshot, NEAR, snapshot.text, Cancel(), 60_000)
    assert [(item.kind, item.text) for item in said.items] == [
        ("callee", "function ring(till, amount)"),
        ("members", "open(code, drawer)"),
    ]


def test_excluded_files_are_never_used(index: WorkspaceIndex) -> None:
    assert lines(index, "from shop import hidden_secret\n\nhidden_secret.|\n") == []


def test_an_open_buffer_wins_over_the_disk(index: WorkspaceIndex) -> None:
    index.open_buffer(str(Path(index.roots[0]) / "shop/money.py"), "def round_to_cents(value):\n    return value\n", "python")
    assert lines(index, "from shop import money\n\nmoney.|\n", "members") == ["def round_to_cents(value)"]


def test_without_time_everything_is_late(index: WorkspaceIndex) -> None:
    snapshot = cursor(index, "from shop.money import Price\n\np = Price()\np.|\n")
    retriever, stopped = WorkspaceRetriever(index), Cancel()
    assert retriever.snippets(snapshot, NEAR, "", Cancel(), 0) == Snippets(late=NEAR)
    stopped.set()
    assert retriever.snippets(snapshot, NEAR, "", stopped, 60_000) == Snippets(late=NEAR)


def test_a_document_outside_the_workspace_gets_nothing(index: WorkspaceIndex) -> None:
    snapshot = Snapshot("untitled:1", "python", "round_to_cents(", 15)
    assert WorkspaceRetriever(index).snippets(snapshot, NEAR, "", Cancel()) == Snippets(late=NEAR)


def test_a_broken_index_costs_the_context_and_nothing_else(index: WorkspaceIndex) -> None:
    snapshot = cursor(index, "from shop.money import Price\n\np = Price()\np.|\n")
    index.store.path.write_bytes(b"no database")
    index.store.clear()
    assert WorkspaceRetriever(index).snippets(snapshot, NEAR, "", Cancel(), 60_000).items == ()


@pytest.mark.parametrize(
    ("text", "callee", "receiver"),
    [
        ("f(g(1), self.x.|", "f", "self.x"),
        ("a.b.c.name|", "", "a.b.c"),
        ("x = a.b.c(\n    one,\n    tw|", "a.b.c", ""),
        ("f().|", "", ""),
        ("f('a.|", "", ""),
        ("# f(a.|", "", ""),
        ("a.b |", "", ""),
        ("1.|", "", ""),
        ("def f(a, |", "", ""),
        ("(1, |", "", ""),
        ("n" * 10_000 + "(|", "n" * 200, ""),
    ],
)
def test_the_aim_is_the_call_and_what_stands_before_the_dot(text: str, callee: str, receiver: str) -> None:
    code = text.replace("|", "")
    assert aim(Snapshot("u", "python", code, len(code))) == Aim(callee, receiver)
