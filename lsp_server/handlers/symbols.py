"""``workspace/symbol``: a name, a part of one, or words that say what the code does -> the definitions that answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from assistant.cancel import Cancel
from assistant.types import JsonObject
from lsp_server import to_lsp

if TYPE_CHECKING:
    from lsp_server.server import AssistantServer

LIMIT = 100


async def find(server: AssistantServer, params: JsonObject) -> list[types.WorkspaceSymbol]:
    """Best first. A client that can ask for a symbol's range later is spared the wait for all of them."""
    query = params.get("query")
    if not isinstance(query, str):
        return []
    cancel = Cancel()
    try:
        found = await server.app.workspace.symbols(query, LIMIT, cancel, with_places=not server.client.resolves)
    finally:
        cancel.set()
    return [to_lsp.workspace_symbol(one, server.client.encoding) for one in found]


async def resolve(server: AssistantServer, params: JsonObject) -> JsonObject:
    """The symbol as it was sent, with its range. What has gone meanwhile keeps the beginning of its file."""
    data = params.get("data")
    path, name, line = (data.get(key) for key in ("path", "name", "line")) if isinstance(data, dict) else (None, None, None)
    location = params.get("location")
    uri = location.get("uri") if isinstance(location, dict) else None
    place = None
    if isinstance(path, str) and isinstance(name, str) and isinstance(line, int):
        found = await server.app.workspace.place(path, name, line)
        place = to_lsp.location(found, server.client.encoding) if found is not None else None
    at = place.range.start if place is not None else types.Position(line if isinstance(line, int) and not name else 0, 0)
    end = place.range.end if place is not None else at
    ends = {side: {"line": p.line, "character": p.character} for side, p in (("start", at), ("end", end))}
    return {**params, "location": {"uri": uri, "range": ends}}
