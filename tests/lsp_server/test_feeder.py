"""What the engine is given to learn: nearest first, all of it, again when there is reason to, and never in the user's way."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from assistant.config import Config
from assistant.types import EngineError
from lsp_server import feeder as feeding
from lsp_server.feeder import Feeder
from lsp_server.workspace import Workspace


class Editor:
    """Hears what the workspace has to say."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def log(self, text: str) -> None:
        self.lines.append(text)

    async def progress(self, title: str, done: asyncio.Event, look: object = None) -> None:
        await done.wait()


class Engine:
    """Remembers what it is told, in order. ``fails`` times it is not there."""

    def __init__(self, fails: int = 0, refuses: str = "") -> None:
        self.history: list[tuple[str, str]] = []
        self.texts: dict[str, str] = {}
        self.fails = fails
        self.refuses = refuses

    async def learn(self, key: str, text: str) -> None:
        await asyncio.sleep(0)
        if self.fails:
            self.fails -= 1
            raise EngineError("the engine is starting")
        if self.refuses and self.refuses in key:
            raise ValueError("no such text")
        self.history.append(("learn", key))
        self.texts[key] = text

    async def unlearn(self, key: str) -> None:
        await asyncio.sleep(0)
        self.history.append(("unlearn", key))
        self.texts.pop(key, None)


SOURCES = {
    "shop/cart.py": "import far.price\r\n",
    "shop/window.py": "WINDOW = 1\n",
    "far/price.py": "price = 1\n",
    "far/other.py": "OTHER = 1\n",
    "my_secrets.py": "KEY = 1\n",
}


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeding, "GATHER_S", 0.01)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = Path(os.path.realpath(tmp_path)) / "root"
    for name, text in SOURCES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    return folder


@asynccontextmanager
async def running(root: Path, **more: int) -> AsyncIterator[tuple[Workspace, Feeder]]:
    """A workspace with its feeder; the first index is done."""
    feeder: Feeder
    workspace = Workspace(Editor(), root.parent / "cache", lambda: feeder.wake())
    feeder = Feeder(workspace, **more)
    life = asyncio.create_task(feeder.run())
    workspace.fit(Config(), [str(root)])
    await until_async(workspace, "ready")
    try:
        yield workspace, feeder
    finally:
        life.cancel()
        await workspace.close()


async def until_async(workspace: Workspace, state: str) -> None:
    for _ in range(6_000):
        if (await workspace.status())["state"] == state:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"the index is not {state}")


async def until(happened: Callable[[], bool]) -> None:
    for _ in range(3_000):
        if happened():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it does not happen")


def keys(root: Path, *names: str) -> set[str]:
    return {str(root / name) for name in names}


ALL = ("shop/cart.py", "shop/window.py", "far/price.py", "far/other.py")


async def test_everything_is_learned_nearest_first_and_nothing_excluded(root: Path) -> None:
    async with running(root) as (workspace, feeder):
        path = root / "shop" / "cart.py"
        workspace.open_buffer(path.as_uri(), str(path), path.read_text(), "python")
        engine = Engine()
        feeder.begin(engine)
        await until(lambda: len(engine.texts) == len(ALL))
        order = [key for _, key in engine.history]
        assert order == [str(root / name) for name in ("shop/cart.py", "far/price.py", "shop/window.py", "far/other.py")]
        assert engine.texts[str(path)] == "import far.price\n"
        await until(lambda: feeder.status()["learnedFiles"] == len(ALL))


async def test_changes_on_disk_are_learned_and_deleted_files_forgotten(root: Path) -> None:
    async with running(root) as (_, feeder):
        engine = Engine()
        feeder.begin(engine)
        await until(lambda: set(engine.texts) == keys(root, *ALL))
        (root / "far" / "other.py").write_text("OTHER = 22\n")
        await until(lambda: engine.texts[str(root / "far" / "other.py")] == "OTHER = 22\n")
        (root / "far" / "other.py").unlink()
        await until(lambda: str(root / "far" / "other.py") not in engine.texts)
        learned = [key for what, key in engine.history if what == "learn"]
        assert sorted(learned) == sorted([*keys(root, *ALL), str(root / "far" / "other.py")])  # what stayed is not sent again


async def test_what_is_typed_is_learned_when_it_is_saved(root: Path) -> None:
    """Not before: half a line would teach that the line ends there. And without waiting for a notification."""
    async with running(root) as (workspace, feeder):
        engine, window, cart = Engine(), root / "shop" / "window.py", root / "shop" / "cart.py"
        feeder.begin(engine)
        await until(lambda: len(engine.texts) == len(ALL))
        workspace.open_buffer(window.as_uri(), str(window), "import os\nos.pa", "python")
        workspace.open_buffer("untitled:1", None, "os.pa", "python")
        workspace.open_buffer(cart.as_uri(), str(cart), cart.read_text(), "python")
        await asyncio.sleep(0.3)
        assert engine.texts[str(window)] == "WINDOW = 1\n"
        assert len(engine.texts) == len(ALL)
        window.write_text("import os\nos.path\n")
        workspace.saved(str(window))
        await until(lambda: engine.texts[str(window)] == "import os\nos.path\n")


async def test_a_new_engine_is_told_everything_again(root: Path) -> None:
    async with running(root) as (_, feeder):
        first, second = Engine(), Engine()
        feeder.begin(first)
        await until(lambda: len(first.texts) == len(ALL))
        feeder.pause()
        feeder.begin(second)
        await until(lambda: second.texts == first.texts)


async def test_an_engine_that_is_not_there_ends_nothing(root: Path) -> None:
    async with running(root) as (_, feeder):
        engine = Engine(fails=1)
        feeder.begin(engine)
        await until(lambda: engine.fails == 0)
        feeder.begin(engine)
        await until(lambda: len(engine.texts) == len(ALL))


async def test_one_text_that_cannot_be_learned_does_not_cost_the_others(root: Path) -> None:
    async with running(root) as (_, feeder):
        engine = Engine(refuses="price")
        feeder.begin(engine)
        await until(lambda: set(engine.texts) == keys(root, "shop/cart.py", "shop/window.py", "far/other.py"))


async def test_nothing_is_fed_while_a_completion_is_under_way(root: Path) -> None:
    async with running(root) as (_, feeder):
        engine = Engine()
        with feeder.completing():
            with feeder.completing():
                feeder.begin(engine)
                await asyncio.sleep(0.2)
            await asyncio.sleep(0.2)
            assert engine.history == []
        await until(lambda: len(engine.texts) == len(ALL))


async def test_no_more_than_there_is_room_for(root: Path) -> None:
    async with running(root, most_bytes=25) as (workspace, feeder):
        engine, price, window = Engine(), root / "far" / "price.py", root / "shop" / "window.py"
        workspace.open_buffer(price.as_uri(), str(price), price.read_text(), "python")
        feeder.begin(engine)
        await until(lambda: set(engine.texts) == keys(root, "far/price.py", "far/other.py"))
        workspace.open_buffer(window.as_uri(), str(window), window.read_text(), "python")
        await until(lambda: str(window) in engine.texts)
        assert sum(len(text) for text in engine.texts.values()) <= 25


async def test_files_that_become_excluded_are_forgotten(root: Path) -> None:
    async with running(root) as (workspace, feeder):
        engine = Engine()
        feeder.begin(engine)
        await until(lambda: len(engine.texts) == len(ALL))
        workspace.fit(Config(exclude=("**/far/**",)), [str(root)])
        await until(lambda: set(engine.texts) == keys(root, "shop/cart.py", "shop/window.py", "my_secrets.py"))
        workspace.fit(Config(workspace_index=False), [str(root)])
        await until(lambda: engine.texts == {})
