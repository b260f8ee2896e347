"""The Copilot-shaped messages, as their clients send them and as they should not."""

from __future__ import annotations

import pytest

from assistant.types import JsonObject
from lsp_server import protocol
from lsp_server.protocol import PartialAccept, Status

ITEM = {"insertText": "return a", "command": {"title": "t", "command": "sotto.didAccept", "arguments": ["01J"]}}


def test_shown() -> None:
    assert protocol.shown_id({"item": ITEM}) == "01J"


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"item": None},
        {"item": {}},
        {"item": {"command": {"command": "other.accept", "arguments": ["01J"]}}},
        {"item": {"command": {"command": "sotto.didAccept"}}},
        {"item": {"command": {"command": "sotto.didAccept", "arguments": [3]}}},
        {"item": ["x"]},
    ],
)
def test_other_peoples_items_are_none(params: JsonObject) -> None:
    assert protocol.shown_id(params) is None
    assert protocol.partial_accept({**params, "acceptedLength": 3}) is None


def test_partial_accept() -> None:
    assert protocol.partial_accept({"item": ITEM, "acceptedLength": 6}) == PartialAccept("01J", "return a", 6)
    snippet = {**ITEM, "insertText": {"kind": "snippet", "value": "return ${1:a}"}}
    assert protocol.partial_accept({"item": snippet, "acceptedLength": 6}) == PartialAccept("01J", "return ${1:a}", 6)
    for length in (None, "6", True):
        assert protocol.partial_accept({"item": ITEM, "acceptedLength": length}) is None


def test_focus() -> None:
    assert protocol.focused_uri({"textDocument": {"uri": "file:///a"}}) == "file:///a"
    assert protocol.focused_uri({}) is None
    assert protocol.focused_uri({"textDocument": None}) is None


def test_a_status_is_plain_json() -> None:
    assert Status("Inactive", "this file is excluded").to_json() == {
        "kind": "Inactive",
        "message": "this file is excluded",
        "busy": False,
    }
