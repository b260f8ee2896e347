"""Documents by nearness to the one the user looks at, and what they say."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from assistant.workspace.index import WorkspaceIndex
from assistant.workspace.nearest import MAX_DOCUMENT, documents, text_of
from tests.assistant.workspace.indexing import index_of

SOURCES = {
    "shop/cart.py": "from far.deep import price\n\n\ndef total():\n    return price\n",
    "shop/window.py": "WINDOW = 1\n",
    "shop/shelf/box.py": "BOX = 1\n",
    "far/deep/price.py": "price = 1\n",
    "far/other/thing.py": "THING = 1\n",
    "tests/test_cart.py": "import shop.cart\n",
    "top.py": "TOP = 1\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    for name, text in SOURCES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Path(os.path.realpath(folder))


@pytest.fixture
def index(root: Path, tmp_path: Path) -> Iterator[WorkspaceIndex]:
    made = index_of(root, tmp_path / "cache")
    made.scan()
    yield made
    made.close()


def order(index: WorkspaceIndex, focus: Path | None, most: int = 1_000_000) -> list[str]:
    found = documents(index, str(focus) if focus else None, most)
    return [os.path.relpath(document.path, index.roots[0]).replace(os.sep, "/") for document in found]


def test_nearest_first(index: WorkspaceIndex, root: Path) -> None:
    near = order(index, root / "shop" / "cart.py")
    assert near[0] == "shop/cart.py"
    assert set(near[1:3]) == {"far/deep/price.py", "tests/test_cart.py"}
    assert near[3] == "shop/window.py"
    assert near.index("shop/shelf/box.py") < near.index("far/other/thing.py")
    assert set(near) == set(SOURCES)


def test_without_a_focus_the_latest_first(index: WorkspaceIndex, root: Path) -> None:
    os.utime(root / "top.py", (2_000_000_000, 2_000_000_000))
    index.scan()
    assert order(index, None)[0] == "top.py"


def test_no_more_than_there_is_room_for(index: WorkspaceIndex, root: Path) -> None:
    room = sum(len(SOURCES[name]) for name in ("shop/cart.py", "far/deep/price.py", "tests/test_cart.py"))
    assert set(order(index, root / "shop" / "cart.py", room)) == {"shop/cart.py", "far/deep/price.py", "tests/test_cart.py"}


def test_what_a_program_wrote_is_left_out(index: WorkspaceIndex, root: Path) -> None:
    (root / "data.py").write_text("X = 1  # of very many\n" * (MAX_DOCUMENT // 20))
    index.scan()
    assert index.store.known(str(root / "data.py")) is not None
    assert "data.py" not in order(index, None)


def test_what_is_not_saved_is_left_out(index: WorkspaceIndex, root: Path) -> None:
    for name in ("top.py", "shop/window.py", "not_on_disk.py"):
        index.open_buffer(str(root / name), "NEW = 2\n", "python")
    assert index.settle()
    found = {os.path.basename(d.path): d for d in documents(index, str(root / "top.py"), 1_000_000)}
    assert text_of(index, found["window.py"]) == "WINDOW = 1\n"
    assert text_of(index, found["top.py"]) == "TOP = 1\n"
    assert "not_on_disk.py" not in found


def test_a_text_that_has_changed_meanwhile_is_not_given(index: WorkspaceIndex, root: Path) -> None:
    (before,) = (d for d in documents(index, None, 1_000_000) if d.path.endswith("top.py"))
    (root / "top.py").write_text("TOP = 12\n")
    index.scan()
    assert text_of(index, before) is None
    (root / "top.py").unlink()
    index.scan()
    assert text_of(index, before) is None
