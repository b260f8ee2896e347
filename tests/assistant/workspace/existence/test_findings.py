"""What cannot exist is found, and repaired where one thing was meant."""

from __future__ import annotations

import ast
import os
import threading
from pathlib import Path

import pytest

from assistant.workspace.existence.checker import Existence
from assistant.workspace.existence.verdict import Kind
from tests.assistant.workspace.existence.judging import judge, snapshot_of

CLASS = (
    "class A:\n    def __init__(self, first, last=''):\n        self.first_name = first\n"
    "    def rename(self, name, *, force=False): ...\n"
)
MORE = "\n\ndef last():\n    return 1\n"

REPAIRED = {
    "local_name": ("def f(first_name):\n    return ⟦frist_name⟧" + MORE, "first_name"),
    "word_order": ("def f(first_name):\n    return ⟦name_first⟧" + MORE, "first_name"),
    "plural": ("def f(item):\n    return ⟦items.x⟧" + MORE, "item.x"),
    "self_attribute": (CLASS + "    def f(self):\n        return ⟦self.name_first⟧" + MORE, "self.first_name"),
    "self_method": (CLASS + "    def f(self):\n        self⟦.renam('a')⟧" + MORE, ".rename('a')"),
    "typed_prefix": (CLASS + "    def f(self):\n        return self.first⟦_nmae + 1⟧" + MORE, "_name + 1"),
    "module_attribute": ("import json\nx = ⟦json.dmups(1)⟧\n", "json.dumps(1)"),
    "aliased_module": ("import json as j\nx = ⟦j.laods('1')⟧\n", "j.loads('1')"),
    "nested_module": ("import os\nx = ⟦os.path.exsits('a')⟧\n", "os.path.exists('a')"),
    "string_method": ("def f(a: str):\n    return ⟦a.stirp()⟧" + MORE, "a.strip()"),
    "literal": ("x = ⟦''.jion(['a'])⟧\n", "''.join(['a'])"),
    "import_name": ("⟦from json import laods⟧\n", "from json import loads"),
    "import_module": ("⟦import xml.etreee⟧\n", "import xml.etree"),
    "keyword": (CLASS + "def f(a: A):\n    ⟦a.rename('b', forced=True)⟧" + MORE, "a.rename('b', force=True)"),
    "builtin_keyword": ("x = ⟦sorted([], keys=len)⟧\n", "sorted([], key=len)"),
    "two": ("import json\ndef f(value):\n    return ⟦json.dmups(vlaue)⟧" + MORE, "json.dumps(value)"),
}

DROPPED = {
    "name": ("x = 1\nprint(⟦quite_other⟧)\n", "name"),
    "local_of_another_function": ("def f():\n    inner_total = 1\ndef g():\n    return ⟦inner_total⟧" + MORE, "name"),
    "method_without_self": (CLASS + "    def f(self):\n        return ⟦first_name⟧" + MORE, "name"),
    "attribute_of_instance": (CLASS + "def f():\n    a = A(1)\n    return ⟦a.salary⟧" + MORE, "attribute"),
    "attribute_of_annotated": (CLASS + "def f(a: A):\n    return ⟦a.salary⟧" + MORE, "attribute"),
    "attribute_of_class": (CLASS + "x = ⟦A.salary⟧\n", "attribute"),
    "attribute_of_module": ("import json\nx = ⟦json.parse_everything(1)⟧\n", "attribute"),
    "attribute_of_super": ("class B: ...\nclass A(B):\n    def f(self):\n        ⟦super().unheard()⟧" + MORE, "attribute"),
    "attribute_of_list": ("def f():\n    xs = []\n    ⟦xs.push_back(1)⟧" + MORE, "attribute"),
    "self": (CLASS + "    def f(self):\n        return ⟦self.salary⟧\n    def g(self): ...\n", "self"),
    "self_call_before_others": (CLASS + "    def f(self):\n        return ⟦self.pay()⟧\n    def g(self): ...\n", "self"),
    "import": ("⟦from json import everything⟧\n", "import"),
    "too_many": ("def f(a): ...\n⟦f(1, 2)⟧\n", "arity"),
    "too_few": ("def f(a, b): ...\n⟦f(1)⟧\n", "arity"),
    "lacks_keyword_only": ("def f(*, a): ...\n⟦f()⟧\n", "arity"),
    "constructor": (CLASS + "x = ⟦A()⟧\n", "arity"),
    "dataclass": ("from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int\np = ⟦P(z=1)⟧\n", "keyword"),
    "keyword": ("def f(a): ...\n⟦f(1, verbose=True)⟧\n", "keyword"),
    "arguments_of_a_typed_callee": ("def f(a): ...\nf(⟦1, 2)⟧\n", "arity"),
    "name_in_an_open_call": ("print(⟦unheard_of(1, ⟧", "name"),
}


@pytest.mark.parametrize("name", REPAIRED)
def test_repairs_what_was_meant(name: str, tmp_path: Path) -> None:
    code, wanted = REPAIRED[name]
    verdict = judge(code, tmp_path)
    assert (verdict.kind, verdict.text) == (Kind.REPAIRED, wanted)
    assert verdict.reasons
    snapshot, _ = snapshot_of(code, "/a.py", "/")
    ast.parse(snapshot.prefix + verdict.text + snapshot.suffix)


@pytest.mark.parametrize("name", DROPPED)
def test_drops_what_cannot_be(name: str, tmp_path: Path) -> None:
    code, kind = DROPPED[name]
    verdict = judge(code, tmp_path)
    assert (verdict.kind, verdict.text, verdict.edits) == (Kind.DROPPED, "", ())
    assert verdict.kinds[0] == kind


def test_the_same_name_is_judged_by_its_class(tmp_path: Path) -> None:
    head = "class A:\n    def walk(self): ...\nclass B:\n    def run(self): ...\n"
    code = head + "    def f(self):\n        ⟦self.walk()⟧\n    def g(self): ...\n"
    assert judge(code, tmp_path).kinds == ("self",)


def test_other_files_of_the_workspace_are_known(tmp_path: Path) -> None:
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "__init__.py").write_text("from .deep import Deep\n")
    (tmp_path / "pkg" / "deep.py").write_text(
        "class Base:\n    def below(self): ...\nclass Deep(Base):\n    def above(self, a): ...\n"
    )
    head = "from pkg import Deep\n"
    assert judge(head + "⟦Deep().below()⟧\n", tmp_path).kind is Kind.OK
    assert judge(head + "⟦Deep().above()⟧\n", tmp_path).kinds == ("arity",)
    assert judge(head + "⟦Deep().belwo()⟧\n", tmp_path).text == "Deep().below()"
    assert judge("⟦from pkg import Dee⟧\n", tmp_path).kind is Kind.OK, "a last word may go on"
    assert judge("⟦from pkg import Nothing⟧\n", tmp_path).kinds == ("import",)
    assert judge("from .deep import ⟦Bsae⟧\n", tmp_path, "pkg/more.py").text == "Base"
    assert judge("⟦from .depe import Base⟧\n", tmp_path, "pkg/more.py").text == "from .deep import Base"


def test_a_virtual_environment_is_read_and_not_run(tmp_path: Path) -> None:
    packages = tmp_path / ".venv" / "lib" / "python3.9" / "site-packages"
    packages.mkdir(parents=True)
    (tmp_path / ".venv" / "pyvenv.cfg").write_text(f"home = {tmp_path}\nversion = 3.9.4\n")
    (packages / "tool.py").write_text("raise SystemExit('imported')\ndef work(amount): ...\n")
    (packages / "fast.cpython-39-x86_64-linux-gnu.so").write_bytes(b"")
    (packages / "typed.pyi").write_text("def shown(a: int) -> str: ...\n")
    (packages / "typed.py").write_text("globals().update(x=1)\n")
    assert judge("import tool\n⟦tool.work(1)⟧\n", tmp_path).kind is Kind.OK
    assert judge("import tool\n⟦tool.wrok(1)⟧\n", tmp_path).text == "tool.work(1)"
    assert judge("import tool\n⟦tool.work(size=1)⟧\n", tmp_path).kinds == ("keyword",)
    assert judge("import fast\n⟦fast.anything(1)⟧\n", tmp_path).kind is Kind.OK
    assert judge("import typed\n⟦typed.hidden(1)⟧\n", tmp_path).kinds == ("attribute",)
    assert judge("import typed\n⟦typed.shown(1).stirp()⟧\n", tmp_path).kind is Kind.OK, (
        "another Python's builtins are not known"
    )


def test_an_open_buffer_wins_over_the_disk(tmp_path: Path) -> None:
    other = tmp_path / "other.py"
    other.write_text("def old(): ...\n")
    open_now = {str(other): "def new(): ...\n"}
    checker = Existence(buffer=open_now.get, inline=True)
    assert judge("import other\n⟦other.new()⟧\n", tmp_path, checker=checker).kind is Kind.OK
    assert judge("import other\n⟦other.old()⟧\n", tmp_path, checker=checker).kind is Kind.DROPPED
    open_now.clear()
    assert judge("import other\n⟦other.old()⟧\n", tmp_path, checker=checker).kind is Kind.OK


def test_a_module_is_unknown_until_it_has_been_read(tmp_path: Path) -> None:
    (tmp_path / "other.py").write_text("def real(): ...\n")
    checker, code = Existence(), "import other\n⟦other.unreal()⟧\n"
    assert judge(code, tmp_path, checker=checker).kind is Kind.OK
    assert checker.modules.settle(10)
    assert judge(code, tmp_path, checker=checker).kind is Kind.DROPPED
    checker.close()


def test_a_changed_module_is_read_again(tmp_path: Path) -> None:
    other, checker = tmp_path / "other.py", Existence(inline=True)
    other.write_text("def one(): ...\n")
    assert judge("import other\n⟦other.two()⟧\n", tmp_path, checker=checker).kind is Kind.DROPPED
    other.write_text("def one(): ...\ndef two(): ...\n")
    os.utime(other, ns=(1, 1))
    assert judge("import other\n⟦other.two()⟧\n", tmp_path, checker=checker).kind is Kind.OK


def test_typing_on_gives_what_a_fresh_reading_gives(tmp_path: Path) -> None:
    checker = Existence(inline=True)
    text = (
        CLASS
        + "    def f(self):\n        return self.first_name\n    def g(self):\n        é = 1\n        return ⟦self.naem⟧"
        + MORE
    )
    for cut in range(len(CLASS), len(text) - len(MORE) - 20, 7):
        part = text[:cut].replace("⟦", "").replace("⟧", "") + "⟦ self.naem⟧" + MORE
        assert judge(part, tmp_path, checker=checker) == judge(part, tmp_path)


def test_threads_may_ask_at_once(tmp_path: Path) -> None:
    checker, wrong = Existence(inline=True), []

    def ask(code: str, kind: Kind) -> None:
        for _ in range(20):
            wrong.extend([code] if judge(code, tmp_path, checker=checker).kind is not kind else [])

    cases = [("import json\n⟦json.dmups(1)⟧\n", Kind.REPAIRED), ("import json\n⟦json.dumps(1)⟧\n", Kind.OK)]
    threads = [threading.Thread(target=ask, args=case) for case in cases * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_forgotten_documents_are_read_afresh(tmp_path: Path) -> None:
    checker, code = Existence(inline=True), "import json\n⟦json.dmups(1)⟧\n"
    before = judge(code, tmp_path, checker=checker)
    checker.forget((tmp_path / "app.py").as_uri())
    assert judge(code, tmp_path, checker=checker) == before
