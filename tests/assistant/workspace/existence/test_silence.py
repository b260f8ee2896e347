"""Everything dynamic, unfinished or unknown: no objection."""

from __future__ import annotations

from pathlib import Path

import pytest

from assistant.types import Snapshot
from assistant.workspace.existence.checker import Existence
from assistant.workspace.existence.verdict import Kind
from tests.assistant.workspace.existence.judging import judge, snapshot_of

SILENT = {
    "getattr_hook": "class A:\n    def __getattr__(self, name): return 1\n    def f(self):\n        return ⟦self.made_up⟧\n",
    "getattribute_hook": (
        "class A:\n    def __getattribute__(self, n): return 1\n    def f(self):\n        return ⟦self.made_up⟧\n"
    ),
    "setattr_of_self": (
        "class A:\n    def __init__(self, **k):\n        for n, v in k.items(): setattr(self, n, v)\n"
        "    def f(self):\n        return ⟦self.made_up⟧\n"
    ),
    "dict_of_self": (
        "class A:\n    def __init__(self, **k):\n        self.__dict__.update(k)\n"
        "    def f(self):\n        return ⟦self.made_up⟧\n"
    ),
    "unknown_base": "from nowhere_installed import B\nclass A(B):\n    def f(self):\n        return ⟦self.made_up⟧\n",
    "computed_base": "def make(): ...\nclass A(make()):\n    def f(self):\n        return ⟦self.made_up⟧\n",
    "metaclass": ("class M(type):\n    pass\nclass A(metaclass=M):\n    def f(self):\n        return ⟦self.made_up⟧\n"),
    "class_decorator": "import lib\n@lib.enrich\nclass A:\n    def f(self):\n        return ⟦self.made_up⟧\n",
    "attribute_set_in_other_method": (
        "class A:\n    def g(self):\n        self.late = 1\n    def f(self):\n        return ⟦self.late⟧\n"
    ),
    "attribute_set_from_outside": "class A: pass\na = A()\na.extra = 1\nprint(⟦a.extra⟧)\n",
    "attribute_asked_for": "class A: pass\ndef f():\n    a = A()\n    if hasattr(a, 'extra'):\n        return ⟦a.extra⟧\n",
    "narrowed": "class A: pass\nclass B(A): x = 1\ndef f(a: A):\n    if isinstance(a, B):\n        return ⟦a.x⟧\n",
    "dunder": "class A:\n    def f(self):\n        return ⟦self.__made_up__⟧\n",
    "inherited": "class B:\n    y = 1\nclass A(B):\n    def f(self):\n        return ⟦self.y⟧\n",
    "property": "class A:\n    @property\n    def p(self): return 1\n    def f(self):\n        return ⟦self.p + 1⟧\n",
    "slots": "class A:\n    __slots__ = ('s',)\n    def f(self):\n        return ⟦self.s⟧\n",
    "super_call": "class B:\n    def g(self): ...\nclass A(B):\n    def g(self):\n        ⟦super().g()⟧\n",
    "named_tuple": (
        "from typing import NamedTuple\nclass P(NamedTuple):\n    x: int\n"
        "    def f(self):\n        return ⟦self._replace(x=self.x)⟧\n"
    ),
    "dataclass": "from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int\n    y: int = 0\np = ⟦P(1, y=2)⟧\n",
    "enum": "from enum import Enum\nclass C(Enum):\n    RED = 1\nprint(⟦C.RED.value, C['RED'], C(1)⟧)\n",
    "exception": "class E(ValueError): pass\ndef f(e: E):\n    return ⟦e.args⟧\n",
    "mixin": "class SaveMixin:\n    def f(self):\n        return ⟦self.elsewhere⟧\n    def g(self): ...\n",
    "mixin_bases": "class A:\n    x = 1\nclass B:\n    z = 2\nclass C(A, B):\n    def f(self):\n        return ⟦self.z⟧\n",
    "star_import": "from nowhere_installed import *\n⟦made_up⟧ + 1\n",
    "used_unbound_elsewhere": "print(folder, limit)\n\ndef f(a):\n    return g(a, ⟦limit)⟧\n",
    "used_unbound_in_the_statement": "names = {'a': first, 'b': ⟦first}⟧\n",
    "globals_update": "globals().update({})\nprint(⟦made_up⟧)\n",
    "globals_item": "globals()['x'] = 1\nprint(⟦made_up⟧)\n",
    "exec_at_top": "exec('x = 1')\nprint(⟦made_up⟧)\n",
    "conditional_import": (
        "try:\n    import json as j\nexcept ImportError:\n    import nowhere_installed as j\nprint(⟦j.made_up⟧)\n"
    ),
    "defined_later": "def f():\n    return ⟦helper()⟧\ndef helper():\n    return 1\n",
    "defined_in_branch": "import sys\nif sys.platform == 'x':\n    a = 1\nelse:\n    b = 2\nprint(⟦b⟧)\n",
    "try_else": "try:\n    pass\nexcept OSError as e:\n    c = 1\nelse:\n    d = 2\nfinally:\n    g = 3\nprint(⟦c, d, g⟧)\n",
    "with_as": "with open('f') as handle:\n    ⟦handle.read()⟧\n",
    "for_target": "for a, (b, *c) in []:\n    print(⟦a, b, c⟧)\n",
    "comprehension": "xs = []\nys = ⟦[x + y for x in xs for y in x if y]⟧\n",
    "dict_comprehension": "xs = {}\nys = ⟦{k: v for k, v in xs.items()}⟧\n",
    "lambda": "f = ⟦lambda a, *b, c=1, **d: (a, b, c, d)⟧\n",
    "walrus": "xs = []\nif ⟦(n := len(xs)) > 1 and n⟧:\n    print(n)\n",
    "walrus_before": "xs = []\nif (n := len(xs)) > 1:\n    print(⟦n⟧)\n",
    "global_statement": "def f():\n    global made\n    made = 1\ndef g():\n    return ⟦made⟧\n",
    "nonlocal_statement": "def f():\n    n = 1\n    def g():\n        nonlocal n\n        ⟦n += 1⟧\n    return g\n",
    "match_captures": (
        "def f(v):\n    match v:\n        case [a, *rest]:\n            return ⟦a, rest⟧\n"
        "        case {'k': w, **more}:\n            return w, more\n"
    ),
    "type_checking": (
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from nowhere_installed import T\ndef f(x: ⟦T⟧): ...\n"
    ),
    "type_parameters": "def f[T](x: T) -> ⟦T⟧:\n    return x\n",
    "class_scope": "class A:\n    LIMIT = 3\n    size = ⟦LIMIT * 2⟧\n",
    "class_cell": "class A:\n    def f(self):\n        return ⟦__class__⟧\n",
    "module_dunders": "print(⟦__name__, __file__, __doc__⟧)\n",
    "builtins": "print(⟦sorted(map(str, range(3)), key=len), ExceptionGroup, aiter⟧)\n",
    "old_names": "try:\n    unicode\nexcept NameError:\n    unicode = str\nprint(⟦unicode('a')⟧)\n",
    "missing_import_of_a_module": "def f():\n    return ⟦os.getcwd()⟧\n\n\ndef g():\n    return 1\n",
    "missing_import_of_a_known_name": "def f(a: ⟦Optional[int]⟧):\n    return a\n\n\ndef g():\n    return 1\n",
    "gettext": "print(⟦_('text')⟧)\n",
    "next_helper_of_the_file": "def f(a):\n    return ⟦totally_new_helper(a)⟧\n",
    "next_helper_of_the_class": "class A:\n    def f(self):\n        return ⟦self.totally_new_helper()⟧\n",
    "assigns_attribute": "class A:\n    def f(self):\n        ⟦self.fresh = 1; print(self.fresh)⟧\n",
    "half_a_word": (
        "class A:\n    def long_name(self): ...\n    def f(self):\n        return ⟦self.long_n⟧\n    def g(self): ...\n"
    ),
    "open_call": "def f(a, b): ...\nf(⟦a⟧",
    "unfinished_parameters": "def f(a, ⟦b=1, *rest⟧",
    "unfinished_import": "from .thing import (\n    ⟦something⟧",
    "broken_elsewhere": "def f(:\n    made = 1\nprint(⟦made⟧)\n",
    "varargs": "def f(*a, **k): ...\n⟦f(1, 2, 3, q=4)⟧\n",
    "star_arguments": "def f(a, b): ...\nxs = []\n⟦f(*xs)⟧\n",
    "double_star_arguments": "def f(a, b): ...\nxs = {}\n⟦f(**xs)⟧\n",
    "signature_decorator": "import functools, lib\n@lib.inject\ndef f(a): ...\n⟦f()⟧\n",
    "overload": (
        "from typing import overload\n@overload\ndef f(a: int) -> int: ...\n@overload\ndef f(a: str, b: int) -> str: ...\n"
        "def f(a, b=0): ...\n⟦f('a', 2)⟧\n"
    ),
    "bound_method": "class A:\n    def m(self, a): ...\ndef f(x: A):\n    ⟦x.m(1)⟧\n",
    "unbound_method": "class A:\n    def m(self, a): ...\nx = A()\n⟦A.m(x, 1)⟧\n",
    "static_method": "class A:\n    @staticmethod\n    def m(a): ...\n⟦A.m(1), A().m(1)⟧\n",
    "class_method": "class A:\n    @classmethod\n    def m(cls, a): ...\n⟦A.m(1), A().m(1)⟧\n",
    "inherited_constructor": "class B:\n    def __init__(self, a): ...\nclass A(B): ...\n⟦A(1)⟧\n",
    "exception_arguments": "class E(Exception): ...\nraise ⟦E('a', 1, 2)⟧\n",
    "new_method": "class A:\n    def __new__(cls, *a): ...\n⟦A(1, 2)⟧\n",
    "reassigned_local": "def f(c):\n    x = []\n    x = c\n    return ⟦x.anything()⟧\n",
    "default_none": "def f(x=None):\n    return ⟦x.anything()⟧\n",
    "nested_function_argument": "def f():\n    def g(h):\n        return ⟦h⟧\n    return g\n",
    "f_string": "name = 1\nprint(⟦f'{name!r:>{name}}'⟧)\n",
    "decorator_name": "import functools\n@⟦functools.wraps⟧(print)\ndef f(): ...\n",
    "keyword_of_unknown": "import nowhere_installed as n\n⟦n.call(anything=1)⟧\n",
    "import_of_unknown": "⟦from nowhere_installed import thing⟧\n",
    "comment_and_string": "x = 1  ⟦# made_up.thing()⟧\n",
    "delete": "x = 1\n⟦del x⟧\n",
    "async_comprehension": "async def f(xs):\n    return ⟦[x async for x in xs]⟧\n",
    "except_star": "try: ...\nexcept* OSError as group:\n    ⟦print(group)⟧\n",
    "os_path": "import os.path\n⟦os.path.join('a', os.sep)⟧\n",
    "os_path_imported": "⟦import os.path⟧\n",
    "constant_of_another_system": "import os, errno\nx = ⟦os.O_TEXT | errno.EUNHEARDOF⟧\n",
    "method_of_a_builtin_class": "keep = dict.fromkeys\n⟦keep([1])⟧\n",
    "submodule": "import xml.etree\nimport xml.etree.ElementTree\n⟦xml.etree.ElementTree.parse('f')⟧\n",
    "flags": "import re\n⟦re.compile('a', re.DOTALL | re.M)⟧\n",
    "platform": "import signal, socket\n⟦signal.SIGTERM, socket.AF_INET⟧\n",
}


@pytest.mark.parametrize("name", SILENT)
def test_says_nothing(name: str, tmp_path: Path) -> None:
    verdict = judge(SILENT[name], tmp_path)
    assert (verdict.kind, verdict.reasons) == (Kind.OK, ())


@pytest.mark.parametrize("language", ["rust", "go", "markdown", "plaintext"])
def test_other_languages_are_silent(language: str) -> None:
    snapshot = Snapshot("file:///a", language, "x = ", 4)
    assert Existence(inline=True).check(snapshot, 4, 4, "made_up.thing(1)").kind is Kind.OK


def test_names_of_other_cells_are_not_missed(tmp_path: Path) -> None:
    snapshot, text = snapshot_of(
        "print(⟦frame⟧)\n", str(tmp_path / "n.ipynb"), str(tmp_path), "vscode-notebook-cell:/n.ipynb#W1"
    )
    assert Existence(inline=True).check(snapshot, snapshot.offset, snapshot.offset, text).kind is Kind.OK


def test_a_name_of_the_workspace_is_only_not_imported(tmp_path: Path) -> None:
    code = "def f():\n    return ⟦Thing.x⟧\n\n\ndef g(): ...\n"
    assert judge(code, tmp_path).kind is Kind.DROPPED
    assert judge(code, tmp_path, checker=Existence(is_defined={"Thing"}.__contains__, inline=True)).kind is Kind.OK


@pytest.mark.parametrize("text", ["\x00", "(" * 3000, "a." * 1500 + "b", "\ud800", "x" * 5000, "", "\n\n", "*** ??? ((("])
def test_strange_suggestions_do_not_raise(text: str, tmp_path: Path) -> None:
    assert judge(f"import os\n⟦{text}⟧\nx = 1\n", tmp_path).kind in Kind


@pytest.mark.parametrize("code", ["", "\x00\x01", "class A(" * 200, "def f(:\n" * 50, "é = '𝔘'\n" * 5, "x = (" + "\n" * 100])
def test_strange_files_do_not_raise(code: str, tmp_path: Path) -> None:
    assert judge(f"{code}⟦print(x)⟧", tmp_path).kind in Kind
