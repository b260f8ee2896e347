"""JSON-RPC as this server speaks it: pygls' protocol, made tolerant.

Typed parameters would refuse what old and odd clients send (trigger kind 0, a range as an array, no context, an enum value
of tomorrow): pygls then shows an error popup and, for a request, never answers. So params arrive as plain JSON, to be read by
`client` and `from_lsp`; only the few messages that pygls handles itself stay typed.
Knows nothing of completion.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.protocol import (
    JsonRPCNotification,
    JsonRPCRequestMessage,
    JsonRPCResponseMessage,
    LanguageServerProtocol,
    lsp_method,
)

from assistant.types import JsonObject

TYPED = frozenset(
    {types.CANCEL_REQUEST, types.SET_TRACE, types.WINDOW_WORK_DONE_PROGRESS_CANCEL, types.WORKSPACE_EXECUTE_COMMAND}
)
"""What pygls handles itself."""
REPLACED = frozenset(
    {
        types.INITIALIZE,
        types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS,
        types.TEXT_DOCUMENT_DID_OPEN,
        types.TEXT_DOCUMENT_DID_CHANGE,
        types.TEXT_DOCUMENT_DID_CLOSE,
        types.NOTEBOOK_DOCUMENT_DID_OPEN,
        types.NOTEBOOK_DOCUMENT_DID_CHANGE,
        types.NOTEBOOK_DOCUMENT_DID_CLOSE,
    }
)
"""pygls' own handling of these takes typed parameters and keeps a mirror of the documents, which is not used here."""
SERVER_NOT_INITIALIZED = -32002
INVALID_REQUEST = -32600


class TolerantProtocol(LanguageServerProtocol):
    """See the file's docstring. A request always gets an answer; an unreadable notification is a log line."""

    is_greeted = False
    """Whether `initialize` has been handled."""

    on_exit: Callable[[int], None]
    """What ends the main loop; told 1 when the client did not say `shutdown` before `exit`."""

    @property
    def is_shut_down(self) -> bool:
        """Whether the client has said `shutdown`."""
        return bool(self._shutdown)

    def drop_replaced(self) -> None:
        """Leave the methods in `REPLACED` to the handlers that are registered for them."""
        for method in REPLACED:
            self.fm.builtin_features.pop(method, None)

    def structure_message(self, data: JsonObject) -> Any:
        """The ``object_hook`` of the JSON reader: sees every object of a message, the message itself last."""
        if "jsonrpc" not in data:
            return data
        method, id = data.get("method"), data.get("id")
        if method is None:
            return self._structure_answer(data)
        if method not in TYPED:
            return _plain(method, id, data.get("params"))
        try:
            return super().structure_message(data)
        except JsonRpcException as error:
            if id is not None:
                self._send_response(id, error=error.to_response_error())
            raise

    def _structure_answer(self, data: JsonObject) -> Any:
        """An answer to a request of ours; its result stays plain JSON."""
        if "error" in data:
            return super().structure_message(data)
        id: Any = data.get("id")
        self._result_types.pop(id, None)
        return JsonRPCResponseMessage(id=id, jsonrpc=data["jsonrpc"], result=data.get("result"))

    def handle_message(self, message: Any) -> None:
        """Refuse a request before `initialize` or after `shutdown`; pygls fails at the one and leaves the other unanswered."""
        method, id = getattr(message, "method", None), getattr(message, "id", None)
        early = not self.is_greeted and method not in (types.INITIALIZE, types.EXIT)
        if method is not None and early:
            self._refuse(id, SERVER_NOT_INITIALIZED, "the server waits for `initialize`")
        elif method is not None and self._shutdown and method != types.EXIT:
            self._refuse(id, INVALID_REQUEST, "the server is shutting down")
        else:
            super().handle_message(message)

    def _refuse(self, id: Any, code: int, why: str) -> None:
        if id is not None:
            self._send_response(id, error=types.ResponseError(code=code, message=why))

    @lsp_method(types.EXIT)
    def lsp_exit(self, *args: Any) -> Generator[Any, Any, None]:
        """Ask the main loop to end; pygls would end the interpreter from within a callback."""
        self.on_exit(0 if self._shutdown else 1)
        yield from ()


def _plain(method: str, id: Any, params: Any) -> Any:
    params = params if isinstance(params, dict) else {}
    if id is None:
        return JsonRPCNotification(method=method, jsonrpc="2.0", params=params)
    return JsonRPCRequestMessage(id=id, method=method, jsonrpc="2.0", params=params)
