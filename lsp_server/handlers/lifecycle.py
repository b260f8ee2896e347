"""The session's beginning and end. `initialize` only reads; all that takes time waits for `initialized`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from assistant.types import JsonObject
from lsp_server import client
from lsp_server.from_lsp import path_of
from lsp_server.handlers import configuration

if TYPE_CHECKING:
    from lsp_server.server import AssistantServer


async def initialize(server: AssistantServer, params: JsonObject) -> JsonObject:
    """Over stdio `start` has answered this already."""
    server.greeted(params)
    return client.answer(server.client)


async def initialized(server: AssistantServer, _: Any) -> None:
    """Load what was left out, ask for settings, start the engine."""
    app = server.app
    configuration.complain(server, server.complaints)
    configuration.register(server)
    await configuration.pull(server)
    await app.start()


async def shutdown(server: AssistantServer, *_: Any) -> None:
    await server.close()


def did_change_workspace_folders(server: AssistantServer, params: JsonObject) -> None:
    event = params.get("event")
    event = event if isinstance(event, Mapping) else {}
    removed = {path_of(uri) for uri in client.folder_uris(event.get("removed"))}
    added = [path for uri in client.folder_uris(event.get("added")) if (path := path_of(uri)) is not None]
    server.roots = [root for root in server.roots if root not in removed] + added
    server.app.set_roots(server.roots)
