"""What the user did with a suggestion, as far as the client says so; and the server's account of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assistant.types import JsonObject
from lsp_server import protocol
from lsp_server.from_lsp import path_of
from lsp_server.positions import points

if TYPE_CHECKING:
    from lsp_server.server import AssistantServer


def did_show(server: AssistantServer, params: JsonObject) -> None:
    id = protocol.shown_id(params)
    if id is not None:
        server.app.journal.shown(id)


def did_partially_accept(server: AssistantServer, params: JsonObject) -> None:
    """The protocol counts utf-16 units of the item's text, whatever encoding positions have."""
    accept = protocol.partial_accept(params)
    if accept is not None:
        server.app.journal.partially_accepted(accept.id, points(accept.text, accept.units, "utf-16"))


async def did_accept(server: AssistantServer, *arguments: Any) -> None:
    """The command of an item: the client has inserted it."""
    id = protocol.first_text(arguments)
    if id is not None:
        server.app.accepted(id)


def did_focus(server: AssistantServer, params: JsonObject) -> None:
    uri = protocol.focused_uri(params)
    server.app.focused(uri and (path_of(uri) or uri))


async def status(server: AssistantServer, _: JsonObject) -> JsonObject:
    return await server.app.status()
