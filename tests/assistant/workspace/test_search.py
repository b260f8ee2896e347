"""What is found near the cursor, what is left out, and questions in plain words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from assistant.workspace.find import Finder
from assistant.workspace.index import WorkspaceIndex
from assistant.workspace.module_files import module_files
from assistant.workspace.related import mine
from assistant.workspace.search import Hits, Place, Searcher

FILES = {
    "shop/orders.py": (
        "from shop.money import round_to_cents\nfrom .stock import reserve_item\n\n\n"
        "class Order:\n    def total_price(self, lines):\n        return round_to_cents(sum(line.amount for line in lines))\n"
    ),
    "shop/money.py": (
        "def round_to_cents(amount):\n    '''Round half to even.'''\n    return amount.quantize(CENTS)\n\n\n"
        "def parse_currency(text):\n    return text.strip()[-3:]\n"
    ),
    "shop/stock.py": (
        "def reserve_item(item, count):\n    '''Set goods aside for a buyer.'''\n"
        "    warehouse_ledger.append((item, count))\n\n\n"
        "def remove_expired(entries, now):\n    for entry in list(entries):\n        if entry.deadline < now:\n"
        "            entries.remove(entry)\n"
    ),
    "shop/report.py": (
        "def monthly_report(warehouse_ledger, month):\n"
        "    rows = [r for r in warehouse_ledger if r.month == month]\n    return rows\n"
    ),
    "far/away/tool.py": "def unrelated(thing):\n    return thing.warehouse_ledger\n",
    "web/fetch.js": "export function downloadFile(url) {\n  return fetch(url).then((r) => r.blob());\n}\n",
}


@pytest.fixture
def index(tmp_path: Path) -> Iterator[WorkspaceIndex]:
    for name, text in FILES.items():
        path = tmp_path / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    made = WorkspaceIndex([tmp_path / "root"], tmp_path / "cache", in_process=True)
    made.scan()
    yield made
    made.close()


def near(index: WorkspaceIndex, name: str, typed: str, shown: str = "", deadline_s: float = 60.0) -> Hits:
    """Search with ``typed`` at the end of a file that is open."""
    path = str(Path(index.roots[0]) / name)
    text = FILES.get(name, "") + typed
    index.open_buffer(path, text)
    assert index.settle()
    return Searcher(index).near(Place(path, text, len(text), shown), deadline_s=deadline_s)


def names(hits: Hits) -> list[str]:
    return [hit.name for hit in hits.hits]


def test_rare_identifiers_near_the_cursor_find_their_other_uses(index: WorkspaceIndex) -> None:
    found = near(index, "shop/new.py", "def close_month(warehouse_ledger):\n    rows = ")
    assert {"monthly_report", "reserve_item", "unrelated"} <= set(names(found))
    assert names(found).index("monthly_report") < names(found).index("unrelated"), "a neighbour before a stranger"
    assert found.late == ()


@pytest.mark.parametrize("is_open", [False, True])
def test_the_class_that_has_the_field_at_the_cursor_is_found(index: WorkspaceIndex, is_open: bool) -> None:
    path = Path(index.roots[0], "shop/ledger.py")
    path.write_text("import os\n\n\nclass Ledger:\n    opening_balance: int = 0\n\n    def close(self):\n        pass\n")
    index.scan()
    if is_open:
        index.open_buffer(str(path), path.read_text())
    found = near(index, "far/away/tool.py", "\n\ndef show(book):\n    return book.opening_balance.")
    ranked = [hit for hit in found.hits if "symbols" in hit.ranks and hit.path == str(path)]
    assert [(hit.kind, hit.name) for hit in ranked] == [("class", "Ledger")], "its head, not the lines of its file"


def test_the_definition_of_the_name_at_the_cursor_comes_first(index: WorkspaceIndex) -> None:
    found = near(index, "shop/orders.py", "\n\ndef pay(order):\n    return round_to_cents(")
    assert names(found)[0] == "round_to_cents"
    assert found.hits[0].ranks["symbols"] == 1
    assert "amount.quantize(CENTS)" in found.hits[0].text


def test_what_the_prompt_shows_is_not_found_again(index: WorkspaceIndex) -> None:
    found = near(index, "shop/orders.py", "\n\nround_to_cents(", shown=FILES["shop/money.py"])
    assert "round_to_cents" not in names(found)


def test_the_piece_the_cursor_is_in_is_not_found(index: WorkspaceIndex) -> None:
    found = near(index, "shop/new.py", "def only_here(warehouse_ledger):\n    return warehouse_ledger")
    assert "only_here" not in names(found)


def test_a_copy_is_found_once(index: WorkspaceIndex) -> None:
    root = Path(index.roots[0])
    (root / "shop" / "stock_copy.py").write_text(FILES["shop/stock.py"])
    index.scan()
    assert names(near(index, "shop/new.py", "def f(warehouse_ledger):\n    ")).count("reserve_item") == 1


def test_unsaved_text_is_found_and_the_saved_one_is_not(index: WorkspaceIndex) -> None:
    root = Path(index.roots[0])
    index.open_buffer(str(root / "shop/report.py"), "def yearly_report(warehouse_ledger):\n    return warehouse_ledger\n")
    found = near(index, "shop/new.py", "def g(warehouse_ledger):\n    ")
    assert "yearly_report" in names(found)
    assert "monthly_report" not in names(found)


def test_recent_edits_are_found_without_a_name_in_common(index: WorkspaceIndex) -> None:
    path = str(Path(index.roots[0]) / "far/away/tool.py")
    index.open_buffer(path, FILES["far/away/tool.py"])
    index.open_buffer(path, FILES["far/away/tool.py"] + "\n\ndef just_typed(zz):\n    return zz\n")
    found = near(index, "shop/money.py", "\n\ndef h(qq):\n    ")
    assert "just_typed" in names(found)


@pytest.mark.parametrize("ticks", [0, 1, 2, 3])
def test_what_is_not_there_by_the_deadline_is_left_out_and_said(index: WorkspaceIndex, ticks: int) -> None:
    """A clock that strikes after so many questions: whatever has come by then is the answer, nothing raises."""
    path = str(Path(index.roots[0]) / "shop/new.py")
    text = "def f(warehouse_ledger):\n    return round_to_cents("
    index.open_buffer(path, text)
    assert index.settle()
    calls = 0

    def clock() -> float:
        nonlocal calls
        calls += 1
        return 0.0 if calls <= ticks + 1 else 1.0

    found = Searcher(index, clock).near(Place(path, text, len(text)))
    full = Searcher(index, lambda: 0.0).near(Place(path, text, len(text)), limit=1_000)
    assert full.late == ()
    assert set(names(found)) <= set(names(full))
    assert len(found.late) > 0
    if ticks == 0:
        assert {"identifiers", "symbols"} <= set(found.late)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("round an amount of money", "round_to_cents"),
        ("delete old entries that have expired", "remove_expired"),
        ("fetch a file from the network", "downloadFile"),
        ("set goods aside", "reserve_item"),
        ("currency of a string", "parse_currency"),
    ],
)
def test_a_question_finds_the_function_that_does_it(index: WorkspaceIndex, question: str, answer: str) -> None:
    assert Finder(index).find(question)[0].name == answer


@pytest.mark.parametrize(
    "question", ["", "   ", "?!", '"; DROP TABLE file; --', "the of a", "NEAR(a b) AND names:x*", "é" * 300]
)
def test_any_question_is_answered(index: WorkspaceIndex, question: str) -> None:
    Finder(index).find(question)
    assert index.store.count() == len(FILES)


def test_an_answer_says_why_and_where(index: WorkspaceIndex) -> None:
    best = Finder(index).find("expired entries")[0]
    text = Path(best.path).read_text()
    assert text[best.start : best.end].startswith("def remove_expired")
    assert text.splitlines()[best.line].startswith("def remove_expired")
    assert "entry" in best.why or "entri" in best.why or "expir" in best.why


def test_mined_words_are_those_that_code_and_descriptions_share() -> None:
    pairs = [(["delet", "row"], ["rm", "row", "self"])] * 20 + [(["add", "row"], ["push", "row", "self"])] * 20
    table = mine(pairs)
    assert max(table["delet"], key=lambda other: table["delet"][other]) == "rm"
    assert table["delet"].get("self", 0.0) < table["delet"]["rm"]
    assert max(table["row"], key=lambda other: table["row"][other]) == "row"


@pytest.mark.parametrize(
    ("module", "name", "level", "path", "wanted"),
    [
        ("a.b", "c", 0, "/r/x/m.py", "/r/a/b.py"),
        ("a.b", "c", 0, "/r/x/m.py", "/r/src/a/b/c.py"),
        ("m2", "", 1, "/r/x/m.py", "/r/x/m2.py"),
        ("m2", "", 2, "/r/x/m.py", "/r/m2.py"),
        ("", "m2", 1, "/r/x/m.py", "/r/x/m2.py"),
        ("./util", "", 0, "/r/x/m.ts", "/r/x/util.tsx"),
        ("../lib", "", 0, "/r/x/m.js", "/r/lib/index.js"),
        ("a.b", "C", 0, "/r/x/M.java", "/r/a/b/C.java"),
        ("dir/h.h", "", 1, "/r/x/m.c", "/r/x/dir/h.h"),
    ],
)
def test_the_files_an_import_may_mean(module: str, name: str, level: int, path: str, wanted: str) -> None:
    assert wanted in set(module_files(module, name, level, path, ("/r",)))
