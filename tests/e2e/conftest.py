"""Editors for the tests: one that most share, and a maker of others that a test needs for itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.editor import Editor

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here starts the real server."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def editor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Editor]:
    """An editor with default settings whose model is loaded. It must end as it began: without a word of complaint."""
    shared = Editor(tmp_path_factory.mktemp("editor"))
    try:
        shared.start()
        yield shared
        assert shared.messages() == []
        assert shared.close() == 0
        assert "Traceback" not in (shared.folder / "stderr.txt").read_text()
    finally:
        shared.client.kill()


@pytest.fixture
def make_editor(tmp_path: Path) -> Iterator[Callable[..., Editor]]:
    """Make an editor; it is not started yet, and whatever is left of it is killed after the test."""
    made: list[Editor] = []

    def make(name: str = "editor", **more: object) -> Editor:
        made.append(Editor(tmp_path / name, **more))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for one in made:
        one.client.kill()
