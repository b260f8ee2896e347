"""What the extension and the server have said to each other in the window of the tests before: all of it is LSP 3.18."""

from __future__ import annotations

import pytest

from tests.editor.declared import complaints, literals, names
from tests.editor.tools import Tools
from tests.editor.window import Window

pytestmark = pytest.mark.editor

BEYOND = {
    "didChangeStatus", "sotto/status", "textDocument/copilotInlineEdit", "textDocument/didFocus",
    "textDocument/didPartiallyAcceptCompletion", "textDocument/didShowCompletion", "textDocument/didShowInlineEdit",
    "$/setTrace", "$/logTrace", "$/cancelRequest", "$/progress",
}  # fmt: skip
"""Methods that the server's own documents describe, and those of the base protocol, which the library declares elsewhere."""


def test_it_is_the_protocols(window: Window, tools: Tools) -> None:
    window.open("said.py", "import os\n\n\ndef both(folder, first):\n    return os")
    window.wait_status("codicon-check")
    window.type(".")
    assert window.wait_ghost()
    window.press("Tab")
    window.wait_no_ghost()
    window.close_all()
    record, known = window.traffic(), names(tools)
    methods = {one["message"]["method"] for one in record if "method" in one["message"]}
    assert methods - set(known) - BEYOND == set()
    assert {"textDocument/inlineCompletion", "textDocument/didChange", "workspace/executeCommand"} <= methods
    assert complaints(tools, "window", literals(record, known)) == ""
