"""With a workspace index: open buffers and definitions of other files count."""

from __future__ import annotations

from pathlib import Path

from assistant.workspace.existence.joined import checker_of
from assistant.workspace.existence.verdict import Kind
from assistant.workspace.index import WorkspaceIndex
from tests.assistant.workspace.existence.judging import judge

CODE = "def f():\n    return ⟦Thing(1).x⟧\n\n\ndef g(): ...\n"


def test_the_index_knows_what_is_only_not_imported(tmp_path: Path) -> None:
    root = tmp_path / "work"
    root.mkdir()
    root = root.resolve()
    (root / "other.py").write_text("class Thing: ...\ndef real(): ...\n")
    index = WorkspaceIndex([root], tmp_path / "cache", in_process=True)
    try:
        index.scan()
        checker = checker_of(index)
        assert judge(CODE, root, checker=checker).kind is Kind.OK
        assert judge(CODE.replace("Thing", "Thong"), root, checker=checker).kind is Kind.DROPPED
        module = "import other\n⟦other.fresh()⟧\n"
        judge(module, root, checker=checker)
        assert checker.modules.settle(10)
        assert judge(module, root, checker=checker).kind is Kind.DROPPED
        index.open_buffer(str(root / "other.py"), "def fresh(): ...\n", "python")
        assert index.settle()
        judge(module, root, checker=checker)
        assert checker.modules.settle(10)
        assert judge(module, root, checker=checker).kind is Kind.OK
        checker.close()
    finally:
        index.close()


def test_without_an_index_the_disk_answers(tmp_path: Path) -> None:
    checker = checker_of(None)
    assert judge("x = ⟦''.stirp()⟧\n", tmp_path, checker=checker).text == "''.strip()"
    checker.close()
