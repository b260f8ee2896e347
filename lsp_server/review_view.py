"""Keeps the editor's picture of comments true: pushes diagnostics, or asks a client that pulls them to pull again.

A document that a client has pulled once is never pushed to again, so that nothing is shown twice. Many changes at once are one
message, and what has not changed is not sent again. Knows the wire's names; nothing of why a comment comes or goes.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from lsprotocol import types

from lsp_server.review_to_lsp import Frame
from lsp_server.reviews import real
from lsp_server.to_lsp import uri_of

if TYPE_CHECKING:
    from lsp_server.app import App
    from lsp_server.server import AssistantServer


class ReviewView:
    """The comments as one client shows them."""

    def __init__(self, server: AssistantServer) -> None:
        self._server = server
        self._stale: dict[str, None] = {}
        self._said: dict[str, list[types.Diagnostic]] = {}
        self._pulled: set[str] = set()

    def show(self, path: str) -> None:
        """The comments of a document are other ones, or elsewhere."""
        if not self._stale:
            asyncio.get_running_loop().call_soon(self._flush)
        self._stale[path] = None

    def frame(self, app: App) -> Frame:
        """How this client is written to."""
        client = self._server.client

        def place(path: str) -> tuple[str, int | None]:
            buffer = app.reviews.buffer(path)
            return (buffer.uri, buffer.version) if buffer is not None else (uri_of(app.workspace.given(path)), None)

        return Frame(app.reviews.comments, client.encoding, place, client.relates, client.versions)

    def pulled(self, app: App, uri: str) -> list[types.Diagnostic]:
        """The client asks by itself, and will go on doing so."""
        path = real(uri)
        if path is None:
            return []
        if path not in self._pulled and self._said.get(path):
            self._push(uri, None, [])
        self._pulled.add(path)
        found = self._said[path] = self.frame(app).diagnostics(path)
        return found

    def _flush(self) -> None:
        stale, self._stale = list(self._stale), {}
        if not self._server.is_serving:
            return
        app = self._server.app
        frame = self.frame(app)
        is_late = False
        for path in stale:
            found = frame.diagnostics(path)
            if found == self._said.get(path, []):
                continue
            self._said[path] = found
            if path in self._pulled:
                is_late = True
            else:
                self._push(*frame.place(path), found)
        if is_late:
            self._server.workspace_diagnostic_refresh(None)

    def _push(self, uri: str, version: int | None, found: list[types.Diagnostic]) -> None:
        self._server.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, found, version))
