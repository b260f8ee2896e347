"""The two halves of `initialize`: anything can be read, and what is answered is what the protocol's types say."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import converters, types

from lsp_server import client
from lsp_server.client import Client
from lsp_server.protocol import ACCEPT_COMMAND, REJECT_COMMAND

FULL = {
    "processId": 1,
    "clientInfo": {"name": "Editor", "version": "1.2"},
    "workspaceFolders": [{"uri": "file:///a", "name": "a"}, {"uri": "file:///b", "name": "b"}],
    "rootUri": "file:///a",
    "initializationOptions": {"sotto": {"maxTokens": 3}},
    "capabilities": {
        "general": {"positionEncodings": ["utf-7", "utf-8", "utf-16"]},
        "textDocument": {"inlineCompletion": {}},
        "notebookDocument": {"synchronization": {}},
        "window": {"workDoneProgress": True},
        "workspace": {
            "configuration": True,
            "didChangeConfiguration": {"dynamicRegistration": True},
            "symbol": {"resolveSupport": {"properties": ["location.range"]}},
        },
    },
}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["", "utf-8", "file:///a", "uri"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["uri", "name", "general", "positionEncodings", "textDocument", "window"]), inner)
    ),
    max_leaves=8,
)


def test_a_client_that_can_do_everything() -> None:
    assert client.read(FULL) == Client(
        name="Editor",
        version="1.2",
        encoding="utf-8",
        inline=True,
        notebooks=True,
        progress=True,
        pulls=True,
        registers=True,
        resolves=True,
        folders=("file:///a", "file:///b"),
        options={"sotto": {"maxTokens": 3}},
    )


def test_a_client_that_says_nothing() -> None:
    assert client.read({}) == Client()


def test_a_single_root() -> None:
    assert client.read({"rootUri": "file:///a", "workspaceFolders": None}).folders == ("file:///a",)
    assert client.read({"rootUri": None}).folders == ()


@given(st.dictionaries(st.sampled_from(sorted(FULL)), json_values))
def test_whatever_comes_is_read_and_answered(params: dict[str, Any]) -> None:
    client.answer(client.read(params))


@pytest.mark.parametrize("params", [FULL, {}])
def test_the_answer_is_what_the_protocols_types_say(params: dict[str, Any]) -> None:
    """lsprotocol reads our JSON without a complaint and writes the same again: no misspelt and no unknown name."""
    answer = client.answer(client.read(params))
    converter = converters.get_converter()
    typed = converter.structure(answer, types.InitializeResult)
    assert converter.unstructure(typed, types.InitializeResult) == answer
    capabilities = typed.capabilities
    assert capabilities.inline_completion_provider is not None
    assert capabilities.execute_command_provider is not None
    assert {ACCEPT_COMMAND, REJECT_COMMAND} <= set(capabilities.execute_command_provider.commands)
    assert isinstance(capabilities.text_document_sync, types.TextDocumentSyncOptions)
    assert capabilities.text_document_sync.change is types.TextDocumentSyncKind.Incremental
    assert capabilities.text_document_sync.save is True
    assert isinstance(capabilities.workspace_symbol_provider, types.WorkspaceSymbolOptions)
    assert capabilities.workspace_symbol_provider.resolve_provider is True


def test_only_clients_without_ghost_text_are_asked_to_open_the_popup() -> None:
    assert client.answer(Client(inline=True))["capabilities"]["completionProvider"] == {}
    assert " " in client.answer(Client())["capabilities"]["completionProvider"]["triggerCharacters"]


def test_next_edits_are_announced_to_those_who_look() -> None:
    announced = client.answer(Client())["capabilities"]["experimental"]["nextEdit"]
    assert announced == {
        "request": "textDocument/copilotInlineEdit",
        "shown": "textDocument/didShowInlineEdit",
        "accept": "sotto.didAccept",
        "reject": "sotto.rejectEdit",
    }
    assert client.read({"capabilities": {"experimental": {"nextEdit": {"opensFiles": True}}}}).opens_files
    assert not client.read({"capabilities": {"experimental": {"nextEdit": {"opensFiles": "x"}}}}).opens_files


def test_who_speaks_as_to_copilots_server_counts_utf_16() -> None:
    options = {"editorInfo": {"name": "neovim"}, "editorPluginInfo": {"name": "a plugin"}}
    found = client.read({**FULL, "initializationOptions": options})
    assert (found.is_copilots, found.encoding) == (True, "utf-16")
    assert client.read(FULL).encoding == "utf-8"


def test_folder_uris() -> None:
    assert client.folder_uris([{"uri": "file:///a"}, {}, {"uri": 3}, "x", None]) == ["file:///a"]
    assert client.folder_uris({"uri": "file:///a"}) == []
