"""Context from an index that comes and goes, and from what the user did in other documents."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from assistant.cancel import Cancel
from assistant.next_edit.types import Change
from assistant.types import Snapshot
from assistant.workspace.aim import AROUND, NEAR, Snippets
from assistant.workspace.index import WorkspaceIndex
from lsp_server.retriever import IndexRetriever, as_diff

TEXT = "from money import to_cents\n\n\ndef total(amount):\n    return to_cents("


class Holder:
    """What the retriever sees of a workspace."""

    index: WorkspaceIndex | None = None


@pytest.fixture
def index(tmp_path: Path) -> Iterator[WorkspaceIndex]:
    root = tmp_path / "root"
    root.mkdir()
    (root / "money.py").write_text("def to_cents(amount, places):\n    return amount\n", "utf-8")
    made = WorkspaceIndex([root], tmp_path / "cache", in_process=True)
    made.scan()
    made.open_buffer(str(root / "shop.py"), TEXT, "python")
    assert made.settle()
    yield made
    made.close()


def snapshot(index: WorkspaceIndex) -> Snapshot:
    path = Path(index.roots[0]) / "shop.py"
    return Snapshot(path.as_uri(), "python", TEXT, len(TEXT), path=str(path), root=index.roots[0])


def test_without_an_index_nothing_can_be_said_yet(index: WorkspaceIndex) -> None:
    holder = Holder()
    retriever = IndexRetriever(holder, lambda: ())  # type: ignore[arg-type]
    assert retriever.snippets(snapshot(index), NEAR, TEXT, Cancel(), 60_000) == Snippets(late=NEAR)
    holder.index = index
    said = retriever.snippets(snapshot(index), NEAR, TEXT, Cancel(), 60_000)
    assert [item.text for item in said.items] == ["def to_cents(amount, places)"]


def test_recent_edits_are_those_of_other_documents_the_newest_first(index: WorkspaceIndex, tmp_path: Path) -> None:
    other = tmp_path / "root" / "other.py"
    before = "def price(amount):\n    return amount\n"
    changes = (
        Change(other.as_uri(), before, before.index("return"), "", "assert amount\n    ", 1.0),
        Change("untitled:x", "total = 1\n", 8, "1", "amount", 2.0),
        Change(snapshot(index).uri, TEXT, 0, "", "amount", 3.0),
    )
    holder = Holder()
    holder.index = index
    retriever = IndexRetriever(holder, lambda: changes)  # type: ignore[arg-type]
    said = retriever.snippets(snapshot(index), AROUND, TEXT, Cancel(), 60_000)
    edits = [(item.path, item.text) for item in said.items if item.kind == "edits"]
    assert edits == [
        ("untitled:x", "-total = 1\n+total = amount"),
        (str(other), "-    return amount\n+    assert amount\n+    return amount"),
    ]


def test_a_long_edit_is_cut() -> None:
    change = Change("u", "", 0, "", "\n".join(f"line{i}" for i in range(40)), 0.0)
    assert as_diff(change).split("\n") == [f"+line{i}" for i in range(6)]
