"""Notebooks: each cell is a document of its own, which knows the notebook it belongs to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from assistant.types import JsonObject
from lsp_server.from_lsp import uri_of
from lsp_server.handlers.documents import change_document, close_document, open_document

if TYPE_CHECKING:
    from lsp_server.server import AssistantServer

NOTEBOOK = "notebookDocument"


def did_open(server: AssistantServer, params: JsonObject) -> None:
    for cell in _objects(params.get("cellTextDocuments")):
        open_document(server, cell, uri_of(params, NOTEBOOK))


def did_change(server: AssistantServer, params: JsonObject) -> None:
    """Cells come, go, and change their text; what else changes in a notebook does not matter here."""
    cells = _at(params, "change", "cells")
    structure = _at(cells, "structure")
    for cell in _objects(_at(structure, "didOpen")):
        open_document(server, cell, uri_of(params, NOTEBOOK))
    for cell in _objects(_at(structure, "didClose")):
        close_document(server, str(cell.get("uri")))
    for text in _objects(_at(cells, "textContent")):
        change_document(server, text.get("document"), text.get("changes"))


def did_close(server: AssistantServer, params: JsonObject) -> None:
    """Also those cells that the client forgot to name."""
    named = [str(cell.get("uri")) for cell in _objects(params.get("cellTextDocuments"))]
    for uri in {*named, *server.buffers.cells(uri_of(params, NOTEBOOK) or "")}:
        close_document(server, uri)


def _at(value: Any, *path: str) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    return (entry for entry in (value if isinstance(value, list) else []) if isinstance(entry, Mapping))
