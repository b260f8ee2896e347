"""The index as next-edit prediction sees it: who holds a name, and what a file says."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from assistant.workspace.index import WorkspaceIndex
from lsp_server.indexed_files import IndexedFiles


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = Path(os.path.realpath(tmp_path)) / "root"
    folder.mkdir()
    (folder / "a.py").write_bytes(b"def wanted(x):\r\n    return x\r\n")
    (folder / "b.py").write_text("from a import wanted\n\nprint(wanted(1))\n")
    (folder / "c.py").write_text("other = 'wan ted'\n")
    return folder


@pytest.fixture
def index(root: Path) -> Iterator[WorkspaceIndex]:
    made = WorkspaceIndex([root], root.parent / "cache", in_process=True)
    made.start()
    assert made.settle()
    yield made
    made.close()


def test_files_that_hold_a_name(index: WorkspaceIndex, root: Path) -> None:
    files = IndexedFiles(index, lambda path: path)
    assert sorted(files.naming("wanted")) == [str(root / "a.py"), str(root / "b.py")]
    assert len(list(files.naming("wanted", 1))) == 1
    assert list(files.naming("absent")) == []
    assert list(files.naming('" OR "x')) == []


def test_what_a_file_says_is_its_open_buffer_where_there_is_one(index: WorkspaceIndex, root: Path) -> None:
    files = IndexedFiles(index, lambda path: path)
    stored = files.read(str(root / "a.py"))
    assert stored is not None
    assert (stored.uri, stored.language, stored.version) == ((root / "a.py").as_uri(), "python", None)
    assert stored.text == "def wanted(x):\r\n    return x\r\n"
    index.open_buffer(str(root / "a.py"), "def renamed(x): pass\n", "python")
    assert index.settle()
    shown = files.read(str(root / "a.py"))
    assert shown is not None
    assert shown.text == "def renamed(x): pass\n"
    assert list(files.naming("wanted")) == [str(root / "b.py")]  # open documents are known already
    assert files.read(str(root / "none.py")) is None


def test_paths_as_the_editor_spells_them(index: WorkspaceIndex, root: Path) -> None:
    files = IndexedFiles(index, lambda path: path.replace(str(root), "/link"))
    assert "/link/b.py" in list(files.naming("wanted"))
