"""The workspace beside the event loop: it never holds it up, survives whatever happens to the index, and ends when asked."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

import pytest

from assistant.cancel import Cancel
from assistant.config import Config
from assistant.workspace.index import WorkspaceIndex
from lsp_server import workspace as module
from lsp_server.paths import cache_dir, default_data_dir
from lsp_server.workspace import Workspace
from tests.lsp_server.test_feeder import Editor, until, until_async


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = Path(os.path.realpath(tmp_path)) / "root"
    folder.mkdir()
    (folder / "a.py").write_text("def first():\n    pass\n")
    return folder


async def names(workspace: Workspace, query: str = "") -> list[str]:
    return [found.symbol.name for found in await workspace.symbols(query, 20, Cancel(), with_places=False)]


async def test_a_burst_of_changes_is_read_once_and_never_in_the_loop(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, str]] = []
    gate = threading.Event()
    real = WorkspaceIndex.open_buffer

    def slow(index: WorkspaceIndex, path: str, text: str, language: str = "") -> None:
        told.append((threading.get_ident(), text))
        gate.wait(60)
        real(index, path, text, language)

    monkeypatch.setattr(WorkspaceIndex, "open_buffer", slow)
    workspace = Workspace(Editor(), root.parent / "cache")
    workspace.fit(Config(), [str(root)])
    await until_async(workspace, "ready")
    path = root / "a.py"
    workspace.open_buffer(path.as_uri(), str(path), "def v0(): pass\n", "python")
    await until(lambda: bool(told))
    for i in range(1, 50):  # the index hangs; the editor goes on
        workspace.open_buffer(path.as_uri(), str(path), f"def v{i}(): pass\n", "python")
    gate.set()
    assert await names(workspace, "v49") == ["v49"]
    assert [text for _, text in told] == ["def v0(): pass\n", "def v49(): pass\n"]
    assert threading.get_ident() not in {thread for thread, _ in told}
    await workspace.close()


async def test_a_search_that_is_cancelled_finds_nothing_more(root: Path) -> None:
    workspace = Workspace(Editor(), root.parent / "cache")
    workspace.fit(Config(), [str(root)])
    await until_async(workspace, "ready")
    cancel = Cancel()
    cancel.set()
    assert await workspace.symbols("first", 20, cancel, with_places=True) == []
    await workspace.close()


async def test_closing_does_not_wait_for_what_hangs(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a folder of a network file system that is gone."""
    gate, began = threading.Event(), threading.Event()

    def hang(index: WorkspaceIndex) -> None:
        began.set()
        gate.wait(600)

    monkeypatch.setattr(WorkspaceIndex, "start", hang)
    workspace = Workspace(Editor(), root.parent / "cache")
    workspace.fit(Config(), [str(root)])
    await until(began.is_set)
    started = time.monotonic()
    await workspace.close()
    waited = time.monotonic() - started
    assert not gate.is_set()
    gate.set()
    assert waited < 300, "it waited for the thread that hangs"


async def test_an_index_that_cannot_be_opened_is_a_line_in_the_log(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no such luck")

    editor = Editor()
    monkeypatch.setattr(WorkspaceIndex, "__init__", broken)
    workspace = Workspace(editor, root.parent / "cache")
    workspace.fit(Config(), [str(root)])
    await until_async(workspace, "failed")
    assert await names(workspace) == []
    assert len([line for line in editor.lines if "no such luck" in line]) == 1
    await workspace.close()


def damage(path: Path) -> None:
    path.write_bytes(b"no database" * 1000)


async def test_a_corrupt_index_is_made_again_in_silence(root: Path) -> None:
    editor = Editor()
    for _ in range(2):
        workspace = Workspace(editor, root.parent / "cache")
        workspace.fit(Config(), [str(root)])
        await until_async(workspace, "ready")
        assert await names(workspace, "first") == ["first"]
        path = Path((await workspace.status())["path"])
        await workspace.close()
        damage(path)
    assert editor.lines == []


async def test_settings_that_do_not_concern_it_leave_it_alone(root: Path) -> None:
    workspace = Workspace(Editor(), root.parent / "cache")
    workspace.fit(Config(), [str(root)])
    await until_async(workspace, "ready")
    index = workspace.index
    workspace.fit(Config(max_tokens=7), [str(root)])
    await names(workspace)
    assert workspace.index is index
    workspace.fit(Config(exclude=()), [str(root)])
    await until(lambda: workspace.index not in (index, None))
    await workspace.close()


async def test_open_buffers_outlive_a_change_of_settings(root: Path) -> None:
    workspace = Workspace(Editor(), root.parent / "cache")
    workspace.fit(Config(), [str(root)])
    workspace.open_buffer("untitled:1", None, "def unsaved(): pass\n", "python")
    await until_async(workspace, "ready")
    assert await names(workspace, "unsaved") == ["unsaved"]
    workspace.fit(Config(respect_gitignore=False), [str(root)])
    assert await names(workspace, "unsaved") == ["unsaved"]
    workspace.close_buffer("untitled:1", None)
    assert await names(workspace, "unsaved") == []
    await workspace.close()


@pytest.mark.skipif(sys.platform == "win32", reason="HOME is not what says where home is there")
async def test_the_home_folder_is_not_a_project(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(root))
    editor = Editor()
    workspace = Workspace(editor, root.parent / "cache")
    workspace.fit(Config(), [str(root), str(root.parent)])
    await until_async(workspace, "ready")
    assert await names(workspace, "first") == []
    assert len([line for line in editor.lines if "home folder" in line]) == 2
    await workspace.close()


HOME = Path("/home/me")


@pytest.mark.parametrize(
    ("platform", "environment", "expected"),
    [
        ("linux", {}, HOME / ".cache/sotto"),
        ("linux", {"XDG_CACHE_HOME": "/cache"}, Path("/cache/sotto")),
        ("linux", {"XDG_CACHE_HOME": "relative"}, HOME / ".cache/sotto"),
        ("darwin", {}, HOME / "Library/Caches/sotto"),
        ("win32", {"LOCALAPPDATA": "/me/local"}, Path("/me/local/sotto/cache")),
    ],
)
def test_the_cache_has_its_place_on_each_platform(platform: str, environment: dict[str, str], expected: Path) -> None:
    assert cache_dir(default_data_dir(platform, environment, HOME), platform, environment, HOME) == expected


def test_who_moves_the_data_moves_the_cache(tmp_path: Path) -> None:
    assert cache_dir(tmp_path / "mine") == tmp_path / "mine" / "cache"


def test_nothing_is_loaded_for_it_before_it_is_wanted() -> None:
    """Importing the server's side loads no index, no watcher and no parser."""
    import subprocess

    heavy = ("assistant.workspace.index", "watchdog", "tree_sitter", "sqlite3", "torch")
    code = f"import sys, lsp_server.feeder; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(module.__file__).parents[1]
    )
    assert done.stdout.strip() == "[]"
