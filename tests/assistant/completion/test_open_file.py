"""What the engine's n-gram caches get of the open file, with every request of the Completer."""

from __future__ import annotations

import pytest

from assistant.cancel import Cancel
from assistant.config import Config
from assistant.service import Completer
from assistant.types import OpenFile, Selected, Snapshot, Trigger
from tests.assistant.fakes import FakeModel, numbered

TEXT = "import os\r\n\r\nvalue = os.\r\nprint(value)\r\n"
CURSOR = TEXT.index("os.\r\n") + 3


async def asked(snapshot: Snapshot) -> OpenFile | None:
    model = FakeModel("path")
    await Completer(model, new_id=numbered()).complete(snapshot, Config(), Cancel())
    return model.requests[-1].file


def snapshot(path: str | None = None, selected: Selected | None = None) -> Snapshot:
    return Snapshot("file:///w/a.py", "python", TEXT, CURSOR, 1, path, None, Trigger.INVOKED, selected)


@pytest.mark.asyncio
async def test_a_request_brings_the_whole_file_with_plain_line_ends() -> None:
    file = await asked(snapshot("/w/a.py"))
    assert file == OpenFile("/w/a.py", "import os\n\nvalue = os.", "\nprint(value)\n")


@pytest.mark.asyncio
async def test_a_document_without_a_path_is_named_by_its_uri() -> None:
    file = await asked(snapshot())
    assert file is not None
    assert file.key == "file:///w/a.py"


@pytest.mark.asyncio
async def test_an_entry_of_the_popup_counts_as_typed() -> None:
    file = await asked(snapshot("/w/a.py", Selected(CURSOR, CURSOR, "environ")))
    assert file is not None
    assert file.above.endswith("value = os.environ")
    assert file.below == "\nprint(value)\n"
