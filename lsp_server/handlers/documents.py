"""Documents opened, changed and closed: keep the mirror true, and let outcomes be inferred from the changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from assistant.next_edit.answer import Step
from assistant.types import JsonObject
from lsp_server import from_lsp

if TYPE_CHECKING:
    from lsp_server.server import AssistantServer


def did_open(server: AssistantServer, params: JsonObject) -> None:
    open_document(server, params.get("textDocument"))


def did_change(server: AssistantServer, params: JsonObject) -> None:
    change_document(server, params.get("textDocument"), params.get("contentChanges"))


def did_save(server: AssistantServer, params: JsonObject) -> None:
    """The text is known; that the file has it now is news for the index, and for what is learned from files."""
    uri = from_lsp.uri_of(params)
    if uri is not None:
        server.app.saved(uri)


def did_close(server: AssistantServer, params: JsonObject) -> None:
    close_document(server, from_lsp.uri_of(params))


def open_document(server: AssistantServer, item: object, notebook: str | None = None) -> None:
    buffer = from_lsp.opened(item, notebook)
    if buffer is not None:
        server.buffers.put(buffer)
        server.app.edited(buffer)
        server.app.edits.opened(buffer)
        server.app.reviews.opened(buffer)


def change_document(server: AssistantServer, document: object, changes: object) -> None:
    """Apply the changes in their order, each to the text that the one before it left.

    A version that goes back, or a range that is not in the text, is a change that was lost or came out of order: completion
    does its best with what there is, but no next edit is made of it until the client sends the whole text.
    """
    fields = document if isinstance(document, Mapping) else {}
    buffer = server.buffers.get(str(fields.get("uri")))
    if buffer is None:
        return
    version = from_lsp.whole(fields.get("version"))
    steps, trust = [], False if version is not None and version < (buffer.version or version) else None
    for change in changes if isinstance(changes, list) else []:
        edit = from_lsp.edit(change, buffer, server.client.encoding)
        if from_lsp.is_outside(change, buffer):
            trust = False
        elif trust is None and from_lsp.is_whole(change):
            trust = True
        if edit is not None:
            before, buffer = buffer.text, buffer.edited(edit, version)
            steps.append(Step(before, buffer.text, edit.start, edit.end))
            server.app.journal.changed(buffer.uri, buffer.text)
    server.buffers.put(buffer)
    server.app.edited(buffer)
    server.app.edits.changed(buffer, steps, trust)
    server.app.reviews.changed(buffer, steps)


def close_document(server: AssistantServer, uri: str | None) -> None:
    if uri is not None and server.buffers.close(uri) is not None:
        server.app.closed(uri)
