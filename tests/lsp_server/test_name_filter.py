"""The filter of names over an index that comes and goes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from assistant.types import Snapshot
from assistant.workspace.existence.verdict import Kind
from assistant.workspace.index import WorkspaceIndex
from lsp_server.name_filter import NameFilter

BEFORE = "import os\n\n\ndef join(folder, name):\n    return "
TEXT = BEFORE + "\n\n\ndef last(folder):\n    return join(folder, 'last')\n"


class Holder:
    """What the filter sees of a workspace."""

    index: WorkspaceIndex | None = None


@pytest.fixture
def index(tmp_path: Path) -> Iterator[WorkspaceIndex]:
    root = tmp_path / "root"
    root.mkdir()
    (root / "other.py").write_text("def gather_all(folder):\n    return folder\n", "utf-8")
    made = WorkspaceIndex([root], tmp_path / "cache", in_process=True)
    made.scan()
    yield made
    made.close()


def judged(names: NameFilter, text: str) -> Kind:
    at = len(BEFORE)
    return names.check(Snapshot("untitled:a.py", "python", TEXT, at), at, at, text).kind


def test_objects_to_what_no_one_defines_and_follows_the_index(index: WorkspaceIndex) -> None:
    holder = Holder()
    names = NameFilter(holder)  # type: ignore[arg-type]
    assert judged(names, "os.path.join(folder, name)") is Kind.OK
    assert judged(names, "gather_all(folder) + 1") is Kind.DROPPED
    holder.index = index
    assert judged(names, "gather_all(folder) + 1") is Kind.OK  # defined in the workspace: it may be imported next
    holder.index = None
    assert judged(names, "gather_all(folder) + 1") is Kind.DROPPED
    names.forget("untitled:a.py")
    names.close()
    names.close()


def test_warming_up_leaves_nothing_behind() -> None:
    names = NameFilter(Holder())  # type: ignore[arg-type]
    names.warm()
    assert judged(names, "folder") is Kind.OK
    names.close()
