"""Exact answers, the same from disk and from an open buffer."""

from __future__ import annotations

from pathlib import Path

import pytest

from assistant.workspace.index import WorkspaceIndex
from assistant.workspace.lookup import Lookup

TEXT = (
    "class Box(Base):\n    '''Holds things.'''\n\n    size: int = 1\n\n    def __init__(self, items, *, label=''):\n"
    "        self.items = items\n\n    async def grow(self, by: int = 2) -> int:\n        return measure(self.size + by)\n"
)


@pytest.mark.parametrize("is_open", [False, True])
def test_definitions_members_and_callers(tmp_path: Path, is_open: bool) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "box.py").write_text(TEXT if not is_open else "def old(): measure()\n")
    (root / "use.py").write_text("from box import Box\n\nmeasure(Box([]).grow(by=3))\n")
    index = WorkspaceIndex([root], tmp_path / "cache", in_process=True)
    index.scan()
    if is_open:
        index.open_buffer(str(root / "box.py"), TEXT)
        assert index.settle()
    look = Lookup(index)
    box = str(root / "box.py")
    (found,) = look.definitions("Box")
    assert (found.path, found.kind, found.doc, found.bases, found.line) == (box, "class", "Holds things.", ("Base",), 0)
    (grow,) = look.definitions("grow")
    assert [(p.name, p.optional, p.annotation) for p in grow.parameters] == [("self", False, ""), ("by", True, "int")]
    assert TEXT[grow.start : grow.end].startswith("async def grow")
    assert grow.returns == "int"
    assert [s.name for s in look.members(box, "Box")] == ["size", "__init__", "items", "grow"]
    assert look.callers("measure") == [box, str(root / "use.py")]
    assert look.callers("nothing") == []
    assert look.definitions("old") == []
    symbols = look.symbols(str(root / "use.py"))
    assert symbols is not None
    assert [(call.name, call.arity, call.keywords) for call in symbols.calls if call.name == "grow"] == [("grow", 0, ("by",))]
    assert look.symbols(str(root / "never.py")) is None
    index.close()
