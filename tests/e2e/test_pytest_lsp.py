"""The server as pytest-lsp drives it: typed messages over stdio, the real model, real code."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator

import pytest
import pytest_lsp
from lsprotocol import types
from pytest_lsp import ClientServerConfig, LanguageClient, client_capabilities

from lsp_server import protocol
from tests.e2e.editor import MODEL, ROOT

URI = "file:///project/tools.py"
TEXT = '''\
import os


def join(folder, name):
    """Join a folder and a file's name."""
    return os.path.join(folder, name)


def parent(folder, name):
    """The folder above a file."""
    return os.pa
'''
LINE, CHARACTER = 10, 16

# pytest-lsp runs its clients in one event loop for each module.
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_lsp.fixture(
    config=ClientServerConfig(
        server_command=[sys.executable, "-m", "lsp_server", "serve"],
        server_env={"PYTHONPATH": str(ROOT), "PATH": os.environ.get("PATH", "")},
    ),
    scope="module",
    loop_scope="module",
)
async def client(lsp_client: LanguageClient) -> AsyncIterator[None]:
    capabilities = client_capabilities("visual-studio-code")
    assert capabilities.text_document is not None
    capabilities.text_document.inline_completion = types.InlineCompletionClientCapabilities()
    # pytest-lsp declares VS Code's capabilities without answering to all of them.
    lsp_client.feature(types.CLIENT_REGISTER_CAPABILITY)(lambda _: None)
    await lsp_client.initialize_session(
        types.InitializeParams(
            capabilities=capabilities,
            initialization_options={"model": MODEL, "minConfidence": 0, "stopBelow": 0, "telemetry": False},
            workspace_folders=[types.WorkspaceFolder("file:///project", "project")],
        )
    )
    item = types.TextDocumentItem(uri=URI, language_id="python", version=1, text=TEXT)
    lsp_client.text_document_did_open(types.DidOpenTextDocumentParams(item))
    yield
    await lsp_client.shutdown_session()


async def ask(client: LanguageClient, kind: types.InlineCompletionTriggerKind) -> types.InlineCompletionItem:
    params = types.InlineCompletionParams(
        types.InlineCompletionContext(kind), types.TextDocumentIdentifier(URI), types.Position(LINE, CHARACTER)
    )
    answer = await client.text_document_inline_completion_async(params)
    assert isinstance(answer, types.InlineCompletionList)
    (item,) = answer.items
    return item


async def test_a_completion_of_real_code(client: LanguageClient) -> None:
    item = await ask(client, types.InlineCompletionTriggerKind.Invoked)
    assert isinstance(item.insert_text, str)
    assert item.insert_text.startswith("th")
    assert item.range == types.Range(types.Position(LINE, CHARACTER), types.Position(LINE, CHARACTER))
    assert "<|" not in item.insert_text


async def test_the_accept_command_runs(client: LanguageClient) -> None:
    item = await ask(client, types.InlineCompletionTriggerKind.Automatic)
    assert item.command is not None
    params = types.ExecuteCommandParams(command=item.command.command, arguments=item.command.arguments)
    assert await client.workspace_execute_command_async(params) is None


async def test_status_by_a_typed_client(client: LanguageClient) -> None:
    status = await client.protocol.send_request_async(protocol.STATUS, {})
    assert status.state == "ready"
    assert client.messages == []
