"""Next-edit requests: translate, ask the app, drop what is out of date, translate back; and what the user did with an edit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lsprotocol import types

from assistant.cancel import Cancel
from assistant.next_edit.answer import Answer, Reach
from assistant.types import JsonObject, Reason, Snapshot
from lsp_server import from_lsp, protocol, to_lsp
from lsp_server.positions import Lines

if TYPE_CHECKING:
    from lsp_server.server import AssistantServer


async def inline_edit(server: AssistantServer, params: JsonObject) -> JsonObject:
    """``textDocument/copilotInlineEdit``: one edit or none; never null, which some clients cannot read."""
    snapshot = server.snapshot({**params, "context": None})
    if snapshot is None or not from_lsp.is_version(params, snapshot.version):
        return {"edits": []}
    server.app.edits.client = server.client
    made = (await _ask(server, snapshot, _reach(server))).prediction
    if made is None:
        return {"edits": []}
    buffer = server.buffers.get(made.document.uri)
    lines = buffer.lines if buffer is not None else Lines(made.document.text)
    return {"edits": [to_lsp.inline_edit(made, lines, server.client.encoding)]}


async def at_cursor(server: AssistantServer, snapshot: Snapshot) -> types.InlineCompletionItem | None:
    """A next edit that only inserts at the cursor, as an inline completion."""
    made = (await _ask(server, snapshot, Reach.CURSOR)).prediction
    if made is None:
        return None
    return to_lsp.inline_item(made.suggestion(), server.lines(snapshot), server.client.encoding)


def did_show(server: AssistantServer, params: JsonObject) -> None:
    id = protocol.shown_id(params)
    if id is not None:
        server.app.journal.shown(id)


async def did_reject(server: AssistantServer, *arguments: Any) -> None:
    """The command for an edit that the user waved away."""
    id = protocol.first_text(arguments)
    if id is not None:
        server.app.rejected(id)


def _reach(server: AssistantServer) -> Reach:
    if server.client.is_copilots:
        return Reach.HERE
    return Reach.ALL if server.client.opens_files else Reach.OPEN


async def _ask(server: AssistantServer, snapshot: Snapshot, reach: Reach) -> Answer:
    """What the app says, unless a document has moved on meanwhile. Every way out ends the work and is recorded; where
    completion has just been recorded, only what is shown.
    """
    app, cancel, answer = server.app, Cancel(), Answer(Reason.CANCELLED)
    try:
        answer = await app.next_edit(snapshot, cancel, reach)
        if answer.prediction is not None and not (server.is_current(snapshot) and app.edits.stands(answer.prediction)):
            answer = Answer(Reason.STALE, total_ms=answer.total_ms)
    finally:
        cancel.set()
        if answer.prediction is not None or reach is not Reach.CURSOR:
            app.answered_edit(snapshot, answer)
    return answer
