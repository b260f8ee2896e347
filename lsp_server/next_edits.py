"""Next-edit prediction in the server: the open documents as it sees them, when one is trusted, and which request carries what.

Documents that are excluded never get here, nor do those of which the client has told something impossible. Knows the app's
settings and the workspace's index; nothing of LSP messages or of how a prediction is made.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.cancel import Cancel
from assistant.config import Config
from assistant.ghost import is_keystroke
from assistant.next_edit.answer import Answer, Prediction, Reach, Step
from assistant.next_edit.complete import RULE, AtCursor, Writer, as_snapshot
from assistant.next_edit.locate import EditModel, Judgement
from assistant.next_edit.prompted import PATIENCE, Arbiter
from assistant.next_edit.rank import Weigher
from assistant.next_edit.ranker import Ranker, RankerError
from assistant.next_edit.service import NextEditor
from assistant.next_edit.types import Candidate, Change, Document, Files, Scene
from assistant.types import Completion, Reason, Ruling, Snapshot, Suggestion, Timings, Trigger
from lsp_server.background import Background
from lsp_server.client import Client
from lsp_server.from_lsp import path_of
from lsp_server.indexed_files import IndexedFiles

if TYPE_CHECKING:
    from lsp_server.buffers import Buffer
    from lsp_server.workspace import Workspace

log = logging.getLogger("sotto.next_edit")

MOST_OTHERS = 12  # open documents besides the one with the cursor, the last used first
MOST_CHARACTERS = 2_000_000  # of them together, and of the one with the cursor
PROOF = 3
"""Texts of which a client that knows inline completion asks for next edits alone, before it is believed to do without: one that
does not will have asked for both by then. Neovim 0.12 says that it knows it whether or not the user has it on."""
KIND = "next_edit"
RANKER = Path(KIND) / "ranker.json"
"""The user's own, in the data folder: where `sotto train --edits` puts it."""


class Silent:
    """A `Weigher` for whom nothing is probable."""

    def probability(self, scene: Scene, candidate: Candidate, score: Judgement | None) -> float:
        return 0.0

    def threshold(self, exact: float, judged: bool = True) -> float:
        return 1.0


def ranker_of(data_dir: Path, warn: Callable[[str], None]) -> Weigher:
    """The user's own ranker (`sotto train --edits`), else the one that comes with Sotto. A broken one is told and left."""
    own = data_dir / RANKER
    try:
        return Ranker.load(own) if own.exists() else Ranker.load()
    except RankerError as error:
        warn(f"Sotto: {error}")
    try:
        return Ranker.load()
    except RankerError:
        log.exception("the shipped ranker cannot be read; there are no next edits")
        return Silent()


class NextEdits:
    """One client's. Call it inside the event loop."""

    def __init__(
        self,
        workspace: Workspace,
        config: Callable[[], Config],
        excluded: Callable[[str], str | None],
        new_id: Callable[[], str],
        clock: Callable[[], float] = time.monotonic,
        ranker: Weigher | None = None,
    ) -> None:
        """``excluded`` says why a path or uri is out of sight. Without a ``ranker`` nothing is ever shown."""
        self._workspace, self._config, self._excluded, self._clock = workspace, config, excluded, clock
        self._work = Background("sotto-edits")
        self._ranker = ranker or Silent()
        self._editor = NextEditor(new_id=new_id, ranker=self._ranker, run=self._work.run, clock=clock)
        self._documents: dict[str, Document] = {}
        self._doubted: set[str] = set()
        self._targets: dict[str, str] = {}
        self._asked: tuple[str, str] = "", ""
        self._carried: tuple[str, str, int] | None = None
        self.client = Client()
        self._completions: AtCursor | None = None
        self._place: Snapshot | None = None
        self._alone, self._completes = 0, False

    def write_with(self, writer: Writer) -> None:
        """Who is asked how the cursor's line goes on, where the client asks for no completions."""
        self._completions = AtCursor(writer, self._snapshot)

    def use(self, model: EditModel, is_sottos: bool = True) -> None:
        """The model that is asked from now on. One that is not Sotto's own writes edits and is given the time for it."""
        if is_sottos:
            self._editor.use(model)
        else:
            self._editor.use(model, Arbiter(self._ranker), PATIENCE)

    @property
    def changes(self) -> tuple[Change, ...]:
        """What the user did last, the oldest first."""
        return self._editor.history.changes

    # News of the documents

    def opened(self, buffer: Buffer) -> None:
        """A document, as its client has just described it whole."""
        self._doubted.discard(buffer.uri)
        document = _document(buffer)
        if self._is_welcome(document):
            self._documents[buffer.uri] = document
            self._editor.opened(document)
        else:
            self.closed(buffer.uri, forget=True)

    def changed(self, buffer: Buffer, steps: Sequence[Step], trust: bool | None = None) -> None:
        """A document after one or several edits. ``trust`` False: they cannot all be as the client meant them, and its text may
        differ from ours until it sends the whole; True: it has sent the whole.
        """
        if trust is False:
            self._doubted.add(buffer.uri)
            self.closed(buffer.uri)
        elif trust and buffer.uri in self._doubted:
            self.opened(buffer)
        before = self._documents.get(buffer.uri)
        if before is None:
            if buffer.uri not in self._doubted:
                self.opened(buffer)  # it may be welcome since the settings have changed
            return
        after = replace(before, text=buffer.text, version=buffer.version)
        self._documents.pop(buffer.uri)
        self._documents[buffer.uri] = after  # the last used comes last
        target = self._targets.pop(buffer.uri, None)
        taken = target == buffer.text and not is_keystroke(before.text, after.text)
        self._editor.changed(before, after, self._clock(), steps, taken)

    def refit(self) -> None:
        """Settings or folders have changed: what is excluded now is forgotten."""
        for document in list(self._documents.values()):
            if not self._is_welcome(document):
                self.closed(document.uri, forget=True)

    def closed(self, uri: str, forget: bool = False) -> None:
        """A document was closed. ``forget``: it has to be out of sight."""
        if self._documents.pop(uri, None) is not None:
            self._editor.closed(uri, forget)
        self._targets.pop(uri, None)

    def offered(self, snapshot: Snapshot, suggestion: Suggestion) -> None:
        """A completion is on show: the change that takes it is not typing."""
        text = snapshot.text
        self._targets[snapshot.uri] = text[: suggestion.start] + suggestion.text + text[suggestion.end :]

    # Questions

    def completes(self, snapshot: Snapshot) -> bool:
        """The client asks for a completion, so from now on no next edit says how the line goes on. False where one has just
        said it: then completion must not say it again.
        """
        self._completes, self._editor.completions = True, None
        shown = self._editor.shown
        return shown is None or shown.rule != RULE or (shown.document.uri, shown.document.text) != (snapshot.uri, snapshot.text)

    async def answer(self, snapshot: Snapshot, cancel: Cancel, reach: Reach = Reach.OPEN) -> Answer:
        """The next edit for a document and its cursor. Raises only `asyncio.CancelledError`."""
        document = self._documents.get(snapshot.uri)
        if document is None or snapshot.uri in self._doubted:
            return Answer(Reason.EXCLUDED if self._excluded(snapshot.path or snapshot.uri) else Reason.SKIPPED)
        if not self._is_welcome(document):  # the settings or the ignore files say so now
            self.closed(snapshot.uri, forget=True)
            return Answer(Reason.EXCLUDED if self._excluded(snapshot.path or snapshot.uri) else Reason.SKIPPED)
        scene = Scene(document, snapshot.offset, self._others(document), (), self._files())
        self._alone += self._asked != (snapshot.uri, snapshot.text)
        self._asked, self._place = (snapshot.uri, snapshot.text), snapshot
        self._editor.completions = self._completions if self._says_line() else None
        answer = await self._editor.answer(scene, self._config(), cancel, reach)
        made, place = answer.prediction, (snapshot.uri, snapshot.text, snapshot.offset)
        is_told = made is not None and self._carried == place and made.insertion(snapshot) is not None
        is_told |= made is not None and made.rule == RULE and self._completes  # meanwhile
        return Answer(Reason.EMPTY, total_ms=answer.total_ms) if is_told else answer

    async def at_cursor(self, snapshot: Snapshot, cancel: Cancel) -> Answer:
        """A next edit that only inserts at the cursor, for a request that can carry no other. A client that asks for next edits
        too must not show it twice: of one text, the first of the two kinds of request has it.
        """
        document = self._documents.get(snapshot.uri)
        text, place = (snapshot.uri, snapshot.text), (snapshot.uri, snapshot.text, snapshot.offset)
        if document is None or document.text != snapshot.text or (self._asked == text and self._carried != place):
            return Answer(Reason.EMPTY)
        scene = Scene(document, snapshot.offset, self._others(document), (), self._files())
        answer = await self._editor.answer(scene, self._config(), cancel, Reach.CURSOR)
        if answer.prediction is None:
            return answer
        if self._asked == text and self._carried != place:  # meanwhile
            return Answer(Reason.EMPTY, total_ms=answer.total_ms)
        self._carried = place
        return answer

    def stands(self, made: Prediction) -> bool:
        """Whether the document of a prediction still has the text it was made for."""
        document = self._documents.get(made.document.uri)
        if document is None:
            is_known = made.document.uri in self._doubted or made.document.version is not None
            return not is_known and _on_disk(made.document)
        return document.text == made.document.text and document.version == made.document.version

    def accepted(self, id: str) -> None:
        self._editor.accepted(id)

    def rejected(self, id: str) -> None:
        self._editor.rejected(id)

    def close(self) -> None:
        self._editor.close()
        self._work.end()

    def _says_line(self) -> bool:
        """Whether next edits say how the cursor's line goes on. Sotto's own extension has it from completion, or its user has
        switched completions off.
        """
        return not (self._completes or self.client.opens_files) and self._alone > (PROOF if self.client.inline else 0)

    def _snapshot(self, scene: Scene) -> Snapshot:
        """A scene's cursor as completion is asked about it; what the client said of the document itself is kept."""
        place, here = self._place, as_snapshot(scene)
        if place is None or place.uri != here.uri:
            return here
        return replace(place, text=here.text, offset=here.offset, version=here.version, trigger=Trigger.AUTOMATIC)

    def _others(self, document: Document) -> tuple[Document, ...]:
        found: list[Document] = []
        room = MOST_CHARACTERS
        for other in reversed(self._documents.values()):
            if other.uri != document.uri and len(other.text) <= room and len(found) < MOST_OTHERS:
                found.append(other)
                room -= len(other.text)
        return tuple(found)

    def _files(self) -> Files | None:
        index = self._workspace.index
        return None if index is None else IndexedFiles(index, self._workspace.given)

    def _is_welcome(self, document: Document) -> bool:
        return len(document.text) <= MOST_CHARACTERS and self._excluded(document.path or document.uri) is None


def as_completion(answer: Answer) -> Completion:
    """An answer as the journal writes it down."""
    made = answer.prediction
    features = dict(answer.features)
    if made is not None:
        features |= {f"rule:{made.rule}": 1.0, "at_cursor": float(made.at_cursor)}
    ruling = Ruling(p2=answer.p, threshold=answer.threshold, stage=2 if answer.p is not None else 0)
    shown = made.suggestion() if made is not None else None
    return Completion(answer.reason, shown, Timings(total=answer.total_ms), features=features, ruling=ruling)


def place_of(snapshot: Snapshot, made: Prediction | None) -> Snapshot:
    """Where a prediction stands: the snapshot of its document, the cursor where the edit begins."""
    if made is None:
        return snapshot
    document = made.document
    same = document.uri == snapshot.uri
    path = snapshot.path if same else path_of(document.uri)
    return replace(
        snapshot, uri=document.uri, path=path, language=document.language, text=document.text, offset=made.edit.start
    )


def _document(buffer: Buffer) -> Document:
    path = path_of(buffer.uri) or path_of(buffer.notebook or "") or ""
    return Document(buffer.uri, path, buffer.language, buffer.text, buffer.version)


def _on_disk(document: Document) -> bool:
    """Whether a file that is not open holds exactly this text."""
    try:
        if os.path.getsize(document.path) > 4 * len(document.text) + 4:
            return False
        with open(document.path, encoding="utf-8", newline="") as file:
            return file.read() == document.text
    except (OSError, ValueError):
        return False
