"""The language server: one table of methods and their handlers, and the state of one client's session.

Knows pygls. What a message means stands in `handlers`; what is done about it in `app`, which loads only once `initialize` is
answered.
"""

from __future__ import annotations

import inspect
import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.exceptions import JsonRpcMethodNotFound
from pygls.lsp.server import LanguageServer

from assistant.config import Config
from assistant.types import JsonObject, Snapshot
from lsp_server import __version__, client, protocol, settings
from lsp_server.buffers import Buffers
from lsp_server.from_lsp import TriggerDialect, path_of, snapshot, uri_of
from lsp_server.handlers import completion, configuration, documents, feedback, lifecycle, next_edit, notebook, review, symbols
from lsp_server.host import Host
from lsp_server.jsonrpc import TolerantProtocol
from lsp_server.positions import Lines
from lsp_server.review_view import ReviewView

if TYPE_CHECKING:
    from lsp_server.app import App

log = logging.getLogger("sotto.server")

TABLE: Mapping[str, Callable[..., Any]] = {
    types.INITIALIZE: lifecycle.initialize,
    types.INITIALIZED: lifecycle.initialized,
    types.SHUTDOWN: lifecycle.shutdown,
    types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS: lifecycle.did_change_workspace_folders,
    types.WORKSPACE_DID_CHANGE_CONFIGURATION: configuration.did_change_configuration,
    types.TEXT_DOCUMENT_DID_OPEN: documents.did_open,
    types.TEXT_DOCUMENT_DID_CHANGE: documents.did_change,
    types.TEXT_DOCUMENT_DID_SAVE: documents.did_save,
    types.TEXT_DOCUMENT_DID_CLOSE: documents.did_close,
    types.NOTEBOOK_DOCUMENT_DID_OPEN: notebook.did_open,
    types.NOTEBOOK_DOCUMENT_DID_CHANGE: notebook.did_change,
    types.NOTEBOOK_DOCUMENT_DID_CLOSE: notebook.did_close,
    types.TEXT_DOCUMENT_INLINE_COMPLETION: completion.inline,
    types.TEXT_DOCUMENT_COMPLETION: completion.popup,
    types.WORKSPACE_SYMBOL: symbols.find,
    types.WORKSPACE_SYMBOL_RESOLVE: symbols.resolve,
    types.TEXT_DOCUMENT_DIAGNOSTIC: review.diagnostics,
    types.TEXT_DOCUMENT_CODE_ACTION: review.actions,
    protocol.INLINE_EDIT: next_edit.inline_edit,
    protocol.DID_SHOW_INLINE_EDIT: next_edit.did_show,
    protocol.DID_SHOW_COMPLETION: feedback.did_show,
    protocol.DID_PARTIALLY_ACCEPT_COMPLETION: feedback.did_partially_accept,
    protocol.DID_FOCUS: feedback.did_focus,
    protocol.STATUS: feedback.status,
}
COMMANDS: Mapping[str, Callable[..., Any]] = {
    protocol.ACCEPT_COMMAND: feedback.did_accept,
    protocol.REJECT_COMMAND: next_edit.did_reject,
    protocol.REVIEW_COMMAND: review.review,
    protocol.REVIEW_FILE_COMMAND: review.review_file,
    protocol.DISMISS_COMMAND: review.dismiss,
    protocol.DISMISS_RULE_COMMAND: review.dismiss_rule,
    protocol.APPLIED_COMMAND: review.applied,
    protocol.DRAFT_COMMAND: review.draft,
}


class AssistantServer(LanguageServer):
    """One session with one client. What it advertises stands in `client.answer`."""

    protocol: TolerantProtocol

    def __init__(self, data_dir: Path, telemetry_allowed: bool = True, model: str = "") -> None:
        super().__init__("sotto", __version__, protocol_cls=TolerantProtocol)
        self.buffers = Buffers()
        self.client = client.Client()
        self.roots: list[str] = []
        self.config = Config()
        self.complaints: list[str] = []
        self.dialect = TriggerDialect()
        self.view = ReviewView(self)
        self.stopped = threading.Event()
        self.exit_code = 0
        self._data_dir = data_dir
        self._telemetry_allowed = telemetry_allowed
        self._model = model
        self._app: App | None = None
        self.protocol.on_exit = self._stop
        self.protocol.drop_replaced()
        for method, handler in TABLE.items():
            self.feature(method)(self._bound(handler))
        for name, handler in COMMANDS.items():
            self.command(name)(self._bound(handler))

    def greeted(self, params: JsonObject) -> None:
        """`initialize` has come: learn who is there."""
        self.client = client.read(params)
        self.roots = [path for path in map(path_of, self.client.folders) if path is not None]
        self.config, self.complaints = settings.read(self.client.options)
        self.protocol.is_greeted = True

    @property
    def app(self) -> App:
        """Made at first use, which is `initialized` for every client that keeps to the protocol."""
        if self._app is None:
            from lsp_server.app import App

            host, name = Host(self, self.client.progress), (self.client.name, self.client.version)
            self._app = App(
                host, self._data_dir, self.config, self.roots, name, self._telemetry_allowed, self.view.show, self._model
            )
        return self._app

    @property
    def is_serving(self) -> bool:
        """Whether there is an app; what comes late must not make another one."""
        return self._app is not None

    def snapshot(self, params: JsonObject) -> Snapshot | None:
        """The document and cursor of a request, now; ``None`` if the document is not open or the position unreadable."""
        buffer = self.buffers.get(uri_of(params) or "")
        return None if buffer is None else snapshot(params, buffer, self.client.encoding, self.dialect, self.roots)

    def is_current(self, snapshot: Snapshot) -> bool:
        """Whether the document still has the snapshot's text."""
        buffer = self.buffers.get(snapshot.uri)
        return buffer is not None and buffer.text == snapshot.text

    def lines(self, snapshot: Snapshot) -> Lines:
        """The lines of a current snapshot."""
        buffer = self.buffers.get(snapshot.uri)
        return buffer.lines if buffer is not None else Lines(snapshot.text)

    async def close(self) -> None:
        """End the session, whoever ended it; harmless when repeated."""
        app, self._app = self._app, None
        if app is not None:
            await app.close("disconnected" if self.stopped.is_set() is False else "exit")

    def report_server_error(self, error: Exception, source: Any) -> None:
        """pygls would show the user a popup for a message that it cannot read.

        Some clients (Kate) ask all the time for what was never offered, and show what is logged as an error.
        """
        level = logging.DEBUG if isinstance(error, JsonRpcMethodNotFound) else logging.ERROR
        log.log(level, "%s: %s", getattr(source, "__name__", source), error)

    def _stop(self, exit_code: int) -> None:
        self.exit_code = exit_code
        self.stopped.set()

    def _bound(self, handler: Callable[..., Any]) -> Callable[..., Any]:
        """The handler with this server as its first argument; pygls tells coroutines by the function it is given."""
        if not inspect.iscoroutinefunction(handler):
            return lambda *params: handler(self, *params)

        async def bound(*params: Any) -> Any:
            return await handler(self, *params)

        return bound
