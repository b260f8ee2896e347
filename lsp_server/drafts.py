"""Drafts of comments as code actions: which are offered at a line, and the edit once one is chosen.

Offering looks at one line only, for editors ask at every move of the cursor. What a draft says stands in
`assistant.review.comment`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lsprotocol import types

from assistant.cancel import Cancel
from lsp_server.buffers import Buffer
from lsp_server.from_lsp import path_of
from lsp_server.positions import Lines
from lsp_server.protocol import DRAFT_COMMAND

if TYPE_CHECKING:
    from assistant.types import TextModel
    from assistant.workspace.index import WorkspaceIndex
    from lsp_server.client import Client
    from lsp_server.workspace import Workspace

KIND = "refactor.rewrite.sotto.comment"
TITLES = {
    "what": "Draft a comment: what it does (Sotto)",
    "why": "Draft a comment: what it is for (Sotto)",
    "use": "Draft a comment: how to use it (Sotto)",
    "how": "Draft a comment: how it is done (Sotto)",
    "property": "Draft a comment: what holds of it (Sotto)",
}
LANGUAGES = frozenset(("python", "javascript", "javascriptreact", "typescript", "typescriptreact"))
_HEADER = re.compile(
    r"\s*(?:(?:async\s+)?def\s+\w|(?:export\s+)?(?:default\s+)?(?:async\s+)?function\b|(?:export\s+)?const\s+\w+\s*=.*=>"
    r"|(?:(?:public|private|protected|static|async)\s+)*\w+\s*\([^()]*\)\s*(?::\s*[^{;]+)?\{\s*$)"
)
_STATEMENT = re.compile(r"\s*(?:if|for|while|switch|catch|with|return|else)\b")


def actions(buffer: Buffer, line: int) -> list[types.CodeAction]:
    """One for each intent, where a function may begin."""
    if buffer.language not in LANGUAGES or line >= len(buffer.lines):
        return []
    start, end = buffer.lines.span(line)
    text = buffer.text[start:end]
    if not _HEADER.match(text) or _STATEMENT.match(text):
        return []
    return [
        types.CodeAction(title, KIND, command=types.Command(title, DRAFT_COMMAND, arguments=[buffer.uri, line, intent]))
        for intent, title in TITLES.items()
    ]


async def edit(
    workspace: Workspace, buffer: Buffer, line: int, intent: str, client: Client, model: TextModel | None
) -> types.WorkspaceEdit | None:
    """The edit that writes the draft, worded by ``model`` where there is one and it says what the code bears out; ``None``
    where there is nothing to say, or a comment already.
    """
    from assistant.review import comment
    from assistant.review.instructed.describe import describe

    path = path_of(buffer.uri) or ""
    bare = comment.undocumented(buffer.text, buffer.language, line, path)
    if bare is None:
        return None

    def ask(index: WorkspaceIndex | None) -> list[str]:
        return comment.facts(*bare, intent, path, index)

    said = await workspace.ask(ask) or ask(None)
    own = await describe(model, *bare, intent, said, Cancel()) if model is not None else []
    made = comment.placed(*bare, own or said)
    if made is None:
        return None
    place = types.Position(*Lines(buffer.text).position(made.offset, client.encoding))
    one = types.TextEdit(types.Range(place, place), made.text)
    if not client.versions:
        return types.WorkspaceEdit(changes={buffer.uri: [one]})
    document = types.OptionalVersionedTextDocumentIdentifier(buffer.uri, buffer.version)
    return types.WorkspaceEdit(document_changes=[types.TextDocumentEdit(document, [one])])
