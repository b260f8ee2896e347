"""Real editors: a browser with VS Code and others that must be asked for. `pytest -m editor tests/editor` runs them.

They fetch node and code-server from the npm registry into a folder outside of the tree (`SOTTO_EDITOR_CACHE`, else a temporary
one), so the ordinary run leaves them out; where something they need cannot be had, they say what.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.editor.opening import Setup, open_window
from tests.editor.tools import Missing, Tools
from tests.editor.window import Window


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    asked = "editor" in str(config.getoption("markexpr"))
    for item in items:
        if item.get_closest_marker("editor") and not asked:
            item.add_marker(pytest.mark.skip(reason="drives a real VS Code: run with -m editor"))


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Tools:
    """Node, code-server, the browser and the packaged extension."""
    try:
        return Tools.get(tmp_path_factory)
    except Missing as reason:
        pytest.skip(str(reason))


USE = "# what is gathered\n\nfrom bags import gather_all\n\n\nprint(gather_all(3))\n"
"""Of a file that is there, and indexed, before any test begins."""

SESSION = Setup(
    record=True,
    settings={"sotto.reviewOnCommit": True, "git.useEditorAsCommitInput": False, "git.enableSmartCommit": True},
    files={
        "user/User/snippets/python.json": '{"Pair": {"prefix": "pair", "body": ["${1:one} ${2:two}"]}}',
        "project/use_bags.py": USE,
    },
)


@pytest.fixture(scope="session")
def window(tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Window]:
    """A window of VS Code on a folder of its own, with the extension and a data folder of its own."""
    with open_window(tools, tmp_path_factory.mktemp("window"), SESSION) as one:
        yield one


@pytest.fixture(autouse=True)
def picture(request: pytest.FixtureRequest) -> Iterator[None]:
    """A failed test in a window leaves a picture of it."""
    yield
    if "window" in request.fixturenames and getattr(request.node, "failed", False):
        one: Window = request.getfixturevalue("window")
        one.shot(Path(one.folder) / f"{request.node.name}.png")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    item.failed = report.when == "call" and report.failed  # type: ignore[attr-defined]
    return report
