"""Completion requests: translate, ask the app, drop what is out of date, translate back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from assistant.cancel import Cancel
from assistant.types import Completion, JsonObject, Reason, Snapshot
from lsp_server import to_lsp
from lsp_server.handlers import next_edit

if TYPE_CHECKING:
    from lsp_server.server import AssistantServer


OVERTAKEN = frozenset({Reason.SUPERSEDED, Reason.CANCELLED, Reason.STALE})
"""A newer answer follows, or none is wanted: this one must not touch what the editor shows."""

NOTHING = frozenset({Reason.EMPTY, Reason.UNSURE, Reason.SKIPPED})
"""Completion itself has nothing good enough here, and nobody has asked it to be silent: a next edit may speak."""


async def inline(server: AssistantServer, params: JsonObject) -> types.InlineCompletionList | None:
    """``textDocument/inlineCompletion``: one item; none, as an empty list; or null for an answer that was overtaken.

    Empty is not null: Neovim 0.12 ignores null and keeps the last item, which Tab would then insert at its old place.
    """
    snapshot = server.snapshot(params)
    if snapshot is None:
        return None
    completion = await _complete(server, snapshot)
    if completion.suggestion is None:
        other = await next_edit.at_cursor(server, snapshot) if completion.reason in NOTHING else None
        if other is not None:
            return types.InlineCompletionList([other])
        return None if completion.reason in OVERTAKEN else types.InlineCompletionList([])
    item = to_lsp.inline_item(completion.suggestion, server.lines(snapshot), server.client.encoding)
    return types.InlineCompletionList([item])


async def popup(server: AssistantServer, params: JsonObject) -> types.CompletionList | None:
    """``textDocument/completion``, for editors that know nothing better.

    The context is left out: clients call every typed letter "invoked" here. The list is never complete, so that the client
    asks again at the next key.
    """
    wanted = server.app.config.popup == "always" or (server.app.config.popup == "auto" and not server.client.inline)
    snapshot = server.snapshot({**params, "context": None}) if wanted else None
    if snapshot is None:
        return None
    suggestion = (await _complete(server, snapshot)).suggestion
    if suggestion is None:
        return types.CompletionList(is_incomplete=True, items=[])
    item = to_lsp.popup_item(suggestion, snapshot, server.lines(snapshot), server.client.encoding)
    return types.CompletionList(is_incomplete=True, items=[item])


async def _complete(server: AssistantServer, snapshot: Snapshot) -> Completion:
    """What the app says, unless the document has moved on meanwhile. Every way out is recorded.

    The token is set at the end however it ends: when the client cancels, pygls cancels this coroutine, and the engine has
    to hear of it.
    """
    app, cancel, completion = server.app, Cancel(), Completion(Reason.CANCELLED)
    try:
        completion = await app.complete(snapshot, cancel)
        if completion.suggestion is not None and not server.is_current(snapshot):
            completion = app.outdated(completion)
    finally:
        cancel.set()
        app.answered(snapshot, completion)
    return completion
