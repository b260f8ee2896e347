"""The two halves of `initialize`: who the client is and what it can do, and what it is told of this server.

Plain JSON and the standard library only, so that `start` can answer before the LSP library is loaded. Knows no document.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lsp_server import __version__
from lsp_server.positions import ENCODINGS, Encoding
from lsp_server.protocol import ACCEPT_COMMAND, DID_SHOW_INLINE_EDIT, INLINE_EDIT, REJECT_COMMAND, REVIEW_COMMANDS

POPUP_TRIGGERS = (".", " ", "(", "=", ",", "[")
"""Where a suggestion may begin that no word character asks for. Only for clients that have nothing but the popup: in the
others it would open at every blank."""

NEXT_EDIT = {"request": INLINE_EDIT, "shown": DID_SHOW_INLINE_EDIT, "accept": ACCEPT_COMMAND, "reject": REJECT_COMMAND}
"""For a client that looks for next edits under ``experimental``: the method names are not LSP's own."""


@dataclass(frozen=True)
class Client:
    """What this server looks at in the parameters of `initialize`; ``folders`` are URIs, ``options`` any JSON.

    ``is_copilots``: it introduces itself as to Copilot's server; such clients count utf-16 whatever they offer, and show
    an edit of another document in the wrong one. ``opens_files``: it can show an edit of a file that is not open.
    """

    name: str = ""
    version: str = ""
    encoding: Encoding = "utf-16"
    inline: bool = False
    notebooks: bool = False
    progress: bool = False
    pulls: bool = False
    registers: bool = False
    resolves: bool = False
    relates: bool = False
    versions: bool = False
    applies: bool = False
    pulls_diagnostics: bool = False
    is_copilots: bool = False
    opens_files: bool = False
    folders: tuple[str, ...] = ()
    options: Any = None


def read(params: Mapping[str, Any]) -> Client:
    """Everything else in ``params`` may be as it likes: an unknown capability must not fail the handshake."""
    return Client(
        name=_text(params, "clientInfo", "name"),
        version=_text(params, "clientInfo", "version"),
        encoding="utf-16" if _is_copilots(params) else _encoding(_at(params, "capabilities", "general", "positionEncodings")),
        inline=_at(params, "capabilities", "textDocument", "inlineCompletion") is not None,
        notebooks=_at(params, "capabilities", "notebookDocument") is not None,
        progress=_at(params, "capabilities", "window", "workDoneProgress") is True,
        pulls=_at(params, "capabilities", "workspace", "configuration") is True,
        registers=_at(params, "capabilities", "workspace", "didChangeConfiguration", "dynamicRegistration") is True,
        resolves="location.range" in _list(params, "capabilities", "workspace", "symbol", "resolveSupport", "properties"),
        relates=_at(params, "capabilities", "textDocument", "publishDiagnostics", "relatedInformation") is True,
        versions=_at(params, "capabilities", "workspace", "workspaceEdit", "documentChanges") is True,
        applies=_at(params, "capabilities", "workspace", "applyEdit") is True,
        pulls_diagnostics=_at(params, "capabilities", "textDocument", "diagnostic") is not None
        and _at(params, "capabilities", "workspace", "diagnostics", "refreshSupport") is True,
        is_copilots=_is_copilots(params),
        opens_files=_at(params, "capabilities", "experimental", "nextEdit", "opensFiles") is True,
        folders=tuple(folder_uris(params.get("workspaceFolders"))) or _root(params),
        options=params.get("initializationOptions"),
    )


def answer(client: Client) -> dict[str, Any]:
    """The result of `initialize`."""
    capabilities: dict[str, Any] = {
        "positionEncoding": client.encoding,
        "textDocumentSync": {"openClose": True, "change": 2, "save": True},  # incremental
        "inlineCompletionProvider": {},
        "completionProvider": {} if client.inline else {"triggerCharacters": list(POPUP_TRIGGERS)},
        "executeCommandProvider": {"commands": [ACCEPT_COMMAND, REJECT_COMMAND, *REVIEW_COMMANDS]},
        "codeActionProvider": {"codeActionKinds": ["quickfix", "refactor.rewrite"]},
        "workspaceSymbolProvider": {"resolveProvider": True},
        "workspace": {"workspaceFolders": {"supported": True, "changeNotifications": True}},
    }
    if client.pulls_diagnostics:  # others are told; a client that cannot be asked to pull again would show what is past
        capabilities["diagnosticProvider"] = {
            "identifier": "sotto",
            "interFileDependencies": True,
            "workspaceDiagnostics": False,
        }
    capabilities["experimental"] = {"nextEdit": NEXT_EDIT}
    if client.notebooks:  # every notebook, every cell: which languages get suggestions is a setting
        capabilities["notebookDocumentSync"] = {"notebookSelector": [{"notebook": "*"}]}
    return {"capabilities": capabilities, "serverInfo": {"name": "sotto", "version": __version__}}


def _is_copilots(params: Mapping[str, Any]) -> bool:
    return _at(params, "initializationOptions", "editorPluginInfo") is not None


def folder_uris(folders: object) -> list[str]:
    """The URIs of a list of workspace folders."""
    entries = folders if isinstance(folders, list) else []
    return [uri for entry in entries if isinstance(uri := _at(entry, "uri"), str)]


def _root(params: Mapping[str, Any]) -> tuple[str, ...]:
    """The one folder of clients that know no workspace folders."""
    uri = _text(params, "rootUri")
    return (uri,) if uri else ()


def _encoding(offered: object) -> Encoding:
    """The client's first choice among those known here; utf-16 is what every client knows."""
    names = offered if isinstance(offered, list) else []
    return next((known for name in names for known in ENCODINGS if known == name), "utf-16")


def _at(value: Any, *path: str) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _list(params: Mapping[str, Any], *path: str) -> list[Any]:
    value = _at(params, *path)
    return value if isinstance(value, list) else []


def _text(params: Mapping[str, Any], *path: str) -> str:
    value = _at(params, *path)
    return value if isinstance(value, str) else ""
