"""Names by what was typed of them, and one line of search."""

from __future__ import annotations

from pathlib import Path

import pytest

from assistant.workspace.find import Finder
from assistant.workspace.lookup import Lookup
from assistant.workspace.named import BEGINNING, EXACT, HUMPS, PART, SAME, SCATTERED, Names, match, name_place, search
from tests.assistant.workspace.indexing import index_of


@pytest.mark.parametrize(
    ("name", "query", "rank"),
    [
        ("get_user_name", "get_user_name", EXACT),
        ("get_user_name", "getUserName", SAME),
        ("get_user_name", "GET_USER_NAME", SAME),
        ("get_user_name", "getuser", BEGINNING),
        ("getUserName", "get_u", BEGINNING),
        ("get_user_name", "gUN", HUMPS),
        ("get_user_name", "gun", HUMPS),
        ("get_user_name", "g_n", HUMPS),
        ("getUserName", "getNa", HUMPS),
        ("HTTPRequest", "hreq", HUMPS),
        ("get_user_name", "username", PART),
        ("get_user_name", "gsm", SCATTERED),
        ("get_user_name", "un_get", None),
        ("budget", "gun", None),
        ("anything", "", None),
        ("anything", "_", None),
    ],
)
def test_how_a_name_answers(name: str, query: str, rank: int | None) -> None:
    found = match(name, query)
    assert (found.rank if found else None) == rank


def test_many_equal_letters_take_no_time() -> None:
    """Beginnings of parts could be cut in more ways than there are atoms."""
    assert match("_".join(["aaaa"] * 60) + "_b", "a" * 50 + "c") is None
    assert match("_".join(["aaaa"] * 60) + "_b", "a" * 50 + "b") is not None


SOURCES = {
    "a.py": '''class Store:
    """Keeps rows."""

    limit = 3

    def save_row(self, row):
        """Write one row to the disk."""


def save(row):
    return row


def saver():
    pass
''',
    "test_a.py": "def save():\n    pass\n",
    "b.py": "import a\n\n\n@wraps(load_all)\ndef load_all():\n    return 1\n",
    "notes.md": "# Deployment\n\nHow the harbour crane is calibrated before a deployment.\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    for name, text in SOURCES.items():
        (folder / name).write_text(text)
    return folder


def answers(root: Path, tmp_path: Path, query: str, limit: int = 10) -> list[tuple[str, str]]:
    index = index_of(root, tmp_path / "cache")
    index.scan()
    found = search(index, Finder(index), query, limit)
    index.close()
    return [(Path(a.symbol.path).name, a.symbol.qualified) for a in found]


def test_names_come_by_how_well_they_answer(root: Path, tmp_path: Path) -> None:
    found = answers(root, tmp_path, "save")
    assert found[:4] == [("a.py", "save"), ("test_a.py", "save"), ("a.py", "saver"), ("a.py", "Store.save_row")]
    assert len(set(found)) == len(found)


def test_a_member_is_asked_for_with_its_class(root: Path, tmp_path: Path) -> None:
    assert answers(root, tmp_path, "Store.save")[0] == ("a.py", "Store.save_row")
    assert answers(root, tmp_path, "Store.limit()")[0] == ("a.py", "Store.limit")


def test_words_are_a_question(root: Path, tmp_path: Path) -> None:
    assert answers(root, tmp_path, "write to disk")[0] == ("a.py", "Store.save_row")
    assert answers(root, tmp_path, "load all")[0] == ("b.py", "load_all")
    assert answers(root, tmp_path, "calibrate the harbour crane")[0] == ("notes.md", "")


def test_limits(root: Path, tmp_path: Path) -> None:
    assert len(answers(root, tmp_path, "save", 2)) == 2
    assert len(answers(root, tmp_path, "", 3)) == 3


def test_nothing_is_looked_for_once_nobody_waits(root: Path, tmp_path: Path) -> None:
    index = index_of(root, tmp_path / "cache")
    index.scan()
    try:
        assert search(index, Finder(index), "save", 10, lambda: True) == []
    finally:
        index.close()


def test_the_place_of_a_name_is_not_in_its_decorator(root: Path, tmp_path: Path) -> None:
    index = index_of(root, tmp_path / "cache")
    index.scan()
    try:
        (symbol,) = Names(index).find("load_all", 5)
        text = Lookup(index).text(symbol.path)
        assert text[: name_place(symbol, text)].endswith("def ")
    finally:
        index.close()


def test_an_open_buffer_answers_for_its_file(root: Path, tmp_path: Path) -> None:
    index = index_of(root, tmp_path / "cache")
    index.scan()
    try:
        index.open_buffer(str(root / "b.py"), "def unload_all():\n    pass\n", "python")
        assert index.settle()
        assert [s.name for s in Names(index).find("load_all", 5)] == ["unload_all"]
    finally:
        index.close()
