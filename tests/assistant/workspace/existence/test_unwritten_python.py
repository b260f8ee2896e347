"""Attributes of receivers that nobody knows, in Python: a word that neither the workspace nor a library has is made up."""

from __future__ import annotations

from pathlib import Path

import pytest

from assistant.workspace.existence.checker import Existence
from assistant.workspace.existence.javascript.unwritten import MIN_WORDS
from assistant.workspace.existence.joined import checker_of
from assistant.workspace.existence.unwritten import imported
from assistant.workspace.existence.verdict import Kind
from assistant.workspace.existence.vocabulary import Vocabulary
from assistant.workspace.index import WorkspaceIndex
from tests.assistant.workspace.existence.judging import judge

WRITTEN = frozenset(("open_drawer", "total", "make_till"))


@pytest.fixture(scope="module")
def checker() -> Existence:
    return Existence(inline=True, is_written=WRITTEN.__contains__)


@pytest.mark.parametrize(
    ("marked", "left"),
    [
        ("def f(till):\n    return ⟦till.count_coins()⟧\n", ""),
        ("def f(till):\n    till.⟦count_coins().total⟧\n", ""),
        ("def f(till):\n    till.open_drawer()\n    till.⟦drawer_open()⟧\n", "open_drawer()"),
        ("import json\ndef f(x):\n    return json.loads(x).⟦count_coins⟧\n", ""),
        (
            "import bank\nclass T(bank.Base):\n    def f(self):\n        self.⟦count_coins()⟧\n\n    def g(self): 1\n",
            "",
        ),
    ],
)
def test_a_word_that_stands_nowhere_is_no_attribute(tmp_path: Path, checker: Existence, marked: str, left: str) -> None:
    (tmp_path / "bank").mkdir()
    (tmp_path / "bank" / "__init__.py").write_text("from bank.made import Base\n", "utf-8")
    verdict = judge(marked, tmp_path, checker=checker)
    assert verdict.kind is not Kind.OK
    assert verdict.text == left


@pytest.mark.parametrize(
    "marked",
    [
        "def f(till):\n    return till.⟦open_drawer().total⟧\n",  # another file writes it
        "def f(matcher):\n    return matcher.⟦set_seqs('a', 'b')⟧\n",  # the standard library has it
        "import some_bank\ndef f(till):\n    return till.⟦count_coins()⟧\n",  # a package that is not installed
        "import pandas\ndef f(till):\n    return till.⟦count_coins⟧\n",  # columns have the names of the data
        "def f(till):\n    till.⟦new_member = 1⟧\n",  # it is written just now
        "def f(args):\n    return args.⟦count_coins⟧\n",
        "parser.add_argument('--count-coins')\ndef f(given):\n    return given.⟦count_coins⟧\n",
        "def f(till):\n    if hasattr(till, 'count_coins'):\n        return till.⟦count_coins()⟧\n",
        "def f(codes):\n    return codes.⟦ERR_NEVER_SEEN⟧\n",
        "def f(till):\n    return till.⟦owner_id⟧\n",  # made of a written name, as a database's columns are
        "class Till:\n    def __getattr__(self, name): ...\n    def f(self):\n        return self.⟦count_coins()⟧\n",
        "class Till(type):\n    def f(cls):\n        return cls.⟦count_coins()⟧\n",
        "class Till(metaclass=Made):\n    def f(self):\n        return self.⟦count_coins()⟧\n",
        "def test_f():\n    till = Mock()\n    till.⟦count_coins()⟧\n",
    ],
)
def test_what_may_come_from_outside_stays(tmp_path: Path, checker: Existence, marked: str) -> None:
    verdict = judge(marked, tmp_path, checker=checker)
    assert verdict.kind is Kind.OK, verdict.reasons


def test_without_an_index_nobody_can_say(tmp_path: Path) -> None:
    assert judge("def f(till):\n    return till.⟦count_coins()⟧\n", tmp_path, checker=Existence(inline=True)).kind is Kind.OK


def test_a_package_is_read_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "some_bank"
    package.mkdir()
    (package / "__init__.py").write_text("class Till:\n    def count_coins(self): ...\n", "utf-8")
    bare = Vocabulary(inline=True)
    assert bare.knows(str(package))
    assert [bare.has(word) for word in ("count_coins", "Till", "drawer_open")] == [True, True, False]
    assert not bare.knows(str(tmp_path / "nowhere.py"))
    (package / "native.cpython-311-x86_64-linux-gnu.so").write_bytes(b"\0\1drawer_open\0")
    with_native = Vocabulary(inline=True)
    assert with_native.knows(str(package))
    assert with_native.has("drawer_open")
    monkeypatch.setattr("assistant.workspace.existence.vocabulary.MAX_BYTES", 10)
    assert not Vocabulary(inline=True).knows(str(package))


def test_an_index_says_so_once_it_is_whole_and_large(tmp_path: Path) -> None:
    marked = "def f(till):\n    return till.⟦count_coins()⟧\n"
    root = tmp_path / "work"
    root.mkdir()
    root = root.resolve()
    (root / "few.py").write_text("import some_bank.inner\nopen_drawer = 1\n", "utf-8")
    index = WorkspaceIndex([root], tmp_path / "cache", in_process=True)
    existence = checker_of(index)
    try:
        index.scan()
        assert judge(marked, root, checker=existence).kind is Kind.OK
        (root / "many.py").write_text("".join(f"name_{i} = {i}\n" for i in range(MIN_WORDS + 10)), "utf-8")
        index.scan()
        judge(marked, root, checker=existence)
        assert existence.vocabulary.settle(60)
        assert judge(marked, root, checker=existence).kind is not Kind.OK
        index.open_buffer(str(root / "few.py"), "def count_coins(): ...\n", "python")
        assert index.settle()
        assert judge(marked, root, checker=existence).kind is Kind.OK
    finally:
        existence.close()
        index.close()


def test_the_outermost_names_of_what_a_file_imports() -> None:
    text = b"import a.b, c as d\n    from e.f import g\nfrom . import h\n'from the house'\nfrom the house of x\nimport j  # k\n"
    assert imported(text) == {"a", "c", "e", "j"}
