"""The filter itself: a suggestion in, a verdict out: it stays, it is repaired, it is cut, or it is dropped.

Never raises; whatever is not known is no objection. Python, JavaScript and TypeScript: every other language stays silent.
Serves any thread, one check at a time (a lock); modules are read in other threads, and unknown until then.
"""

from __future__ import annotations

import logging
import os
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Protocol

from assistant.types import Snapshot
from assistant.workspace import languages
from assistant.workspace.existence import known
from assistant.workspace.existence.buffer import Buffer, Reparsed
from assistant.workspace.existence.cutting import before
from assistant.workspace.existence.environment import Environment, Place, search_path
from assistant.workspace.existence.findings import Finding, Findings
from assistant.workspace.existence.infer import Infer
from assistant.workspace.existence.javascript.files import Files
from assistant.workspace.existence.javascript.findings import Findings as JavaScriptFindings
from assistant.workspace.existence.javascript.sheet import Sheet
from assistant.workspace.existence.modules import Modules, Namespace
from assistant.workspace.existence.nearest import nearest
from assistant.workspace.existence.resolve import Resolver
from assistant.workspace.existence.unwritten import Unwritten
from assistant.workspace.existence.verdict import Edit, Kind, Verdict
from assistant.workspace.existence.vocabulary import Vocabulary
from assistant.workspace.source import Source

_log = logging.getLogger(__name__)
MAX_BUFFERS = 8
MAX_SUGGESTION = 4_000
LANGUAGES = ("python", "javascript", "typescript", "tsx")
_CODE = re.compile(r"[^\W\d]\w*")


class _Read(Protocol):
    """A text with a suggestion in it, read in any language. ``hole``: the bytes that the suggestion takes."""

    @property
    def source(self) -> Source: ...

    @property
    def hole(self) -> tuple[int, int]: ...


class Existence:
    """Judges by what exists. ``buffer(path)`` gives the text of an open file, ``is_defined(name)`` says whether any file of the
    workspace defines the name: it is not invented then, only not imported; ``is_written(name)`` whether any has the word, true
    while nobody can say; ``None`` without an index; ``imported()`` the outermost modules that Python files of the workspace
    import. ``inline``: modules are read at once.
    """

    def __init__(
        self,
        *,
        buffer: Callable[[str], str | None] = lambda path: None,
        is_defined: Callable[[str], bool] = lambda name: False,
        is_written: Callable[[str], bool] | None = None,
        imported: Callable[[], Iterable[str]] = tuple,
        clock: Callable[[], float] = time.monotonic,
        inline: bool = False,
    ) -> None:
        self._environment = Environment(clock)
        self.modules = Modules(buffer, inline=inline)
        self._files = Files(buffer, inline=inline)
        self.vocabulary = Vocabulary(inline=inline)
        self._is_defined, self._is_written, self._imported, self._clock = is_defined, is_written, imported, clock
        self._buffers: OrderedDict[str, Buffer | Reparsed] = OrderedDict()
        self._lock = threading.Lock()

    def close(self) -> None:
        """Stop reading modules."""
        self.modules.close()
        self.vocabulary.close()

    def forget(self, uri: str) -> None:
        """The document was closed."""
        with self._lock:
            self._buffers.pop(uri, None)

    def check(self, snapshot: Snapshot, start: int, end: int, text: str) -> Verdict:
        """Judge ``text`` in place of ``[start, end)`` of the snapshot's text. Never raises."""
        fine = Verdict(Kind.OK, text)
        try:
            if not self._is_checked(snapshot, text):
                return fine
            with self._lock:
                return self._judge(snapshot, start, end, text)
        except Exception:
            _log.exception("a suggestion could not be checked; it stays")
            return fine

    def _is_checked(self, snapshot: Snapshot, text: str) -> bool:
        if _language(snapshot) not in LANGUAGES or len(text) > MAX_SUGGESTION:
            return False
        return _CODE.search(text) is not None or "(" in text or ")" in text

    def _judge(self, snapshot: Snapshot, start: int, end: int, text: str) -> Verdict:
        page, found = self._look(snapshot, start, end, text)
        if page is None or not found:
            return Verdict(Kind.OK, text)
        reasons = tuple(_sentence(finding) for finding in found)
        kinds = tuple(finding.kind for finding in found)
        edits = [_edit(finding, page, start) for finding in found]
        known_edits = tuple(sorted((edit for edit in edits if edit is not None), key=lambda edit: edit.start))
        if len(known_edits) == len(found):
            repaired = apply(text, known_edits)
            if not self._look(snapshot, start, end, repaired)[1]:
                return Verdict(Kind.REPAIRED, repaired, reasons, kinds, known_edits)
        left = self._cut(snapshot, start, end, text, min(page.source.char(finding.start) for finding in found) - start)
        if left:
            return Verdict(Kind.CUT, left, reasons, kinds, (Edit(len(left), len(text), ""),))
        return Verdict(Kind.DROPPED, "", reasons, kinds)

    def _cut(self, snapshot: Snapshot, start: int, end: int, text: str, at: int) -> str:
        """What stands before ``at`` and can be shown, "" for nothing."""
        is_begun = start > 0 and _CODE.match(snapshot.text[start - 1]) is not None
        left = before(text, at, snapshot.language, is_begun)
        return left if left and not self._look(snapshot, start, end, left)[1] else ""

    def _look(self, snapshot: Snapshot, start: int, end: int, text: str) -> tuple[_Read | None, list[Finding]]:
        whole = snapshot.text[:start] + text + snapshot.text[end:]
        look = self._look_python if _language(snapshot) == "python" else self._look_javascript
        page, all_found = look(snapshot, whole, start, start + len(text))
        if page is None:
            return None, []
        found = [finding for finding in all_found if self._counts(finding, page, snapshot)]
        return page, list({(finding.start, finding.kind): finding for finding in found}.values())

    def _look_python(self, snapshot: Snapshot, text: str, start: int, end: int) -> tuple[_Read | None, Iterable[Finding]]:
        buffer = self._buffer_of(snapshot.uri, "python")
        page = buffer.page(text, start, end) if isinstance(buffer, Buffer) else None
        if page is None:
            return None, ()
        here = Namespace(_name(snapshot.path), snapshot.path or "", _folder(snapshot.path), page.outline)
        resolver = Resolver(self.modules, self._environment, here, snapshot.root, self._clock())
        return page, Findings(Infer(page, resolver), self._unwritten(snapshot)).all()

    def _unwritten(self, snapshot: Snapshot) -> Unwritten | None:
        if self._is_written is None or not snapshot.root:
            return None
        python = self._environment.python(snapshot.root)
        folders = search_path(snapshot.path, snapshot.root, python, self._clock())

        def find(name: str) -> Place | None:
            return self._environment.find(name, folders)

        library = python.library if python.ours else ""
        return Unwritten(self.vocabulary, self._is_written, find, library, (snapshot.root,), self._imported)

    def _look_javascript(self, snapshot: Snapshot, text: str, start: int, end: int) -> tuple[_Read | None, Iterable[Finding]]:
        language = _language(snapshot)
        buffer = self._buffer_of(snapshot.uri, language)
        read = buffer.read(text) if isinstance(buffer, Reparsed) else None
        if read is None:
            return None, ()
        source, tree = read
        hole = source.byte(start), source.byte(end)
        sheet = Sheet(source, tree, hole, snapshot.path or "", language != "javascript")
        return sheet, JavaScriptFindings(sheet, self._files, self._is_written).all()

    def _counts(self, finding: Finding, page: _Read, snapshot: Snapshot) -> bool:
        """Whether a finding is an objection: not for a word that may go on, nor for a name that exists elsewhere.
        A last word that is near the one name it begins counts: the repair completes it.
        """
        if finding.end == page.hole[1] and any(name.startswith(finding.name) for name in finding.names):
            best = nearest(finding.name, finding.names)
            return best is not None and best.startswith(finding.name)
        if finding.ahead and nearest(finding.name, finding.names) is None:
            return False
        if finding.kind != "name":
            return True
        if _is_cell(snapshot) or self._is_defined(finding.name):
            return False
        return _language(snapshot) != "python" or not (
            finding.name in known.STANDARD or self._is_module(finding.name, snapshot)
        )

    def _is_module(self, name: str, snapshot: Snapshot) -> bool:
        folders = search_path(snapshot.path, snapshot.root, self._environment.python(snapshot.root), self._clock())
        return self._environment.find(name, folders) is not None

    def _buffer_of(self, uri: str, language: str) -> Buffer | Reparsed:
        buffer = self._buffers.pop(uri, None)
        if buffer is None or buffer.language != language:
            buffer = Buffer() if language == "python" else Reparsed(language)
        self._buffers[uri] = buffer
        while len(self._buffers) > MAX_BUFFERS:
            self._buffers.popitem(last=False)
        return buffer


def apply(text: str, edits: tuple[Edit, ...]) -> str:
    """The text after the edits, which are in order and apart."""
    for edit in reversed(edits):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def _language(snapshot: Snapshot) -> str:
    return languages.resolve(snapshot.language, snapshot.path or "")


def _edit(finding: Finding, page: _Read, start: int) -> Edit | None:
    """The repair of a finding, in offsets of the suggestion's text; ``None`` if there is none for sure."""
    first, last = page.source.char(finding.start), page.source.char(finding.end)
    end = page.source.char(page.hole[1])
    if finding.kind == "arity" or last > end:
        return None
    typed = page.source.text[first:start] if first < start else ""
    best = nearest(finding.name, finding.names, typed)
    if best is None:
        return None
    return Edit(max(first, start) - start, last - start, best[len(typed) :])


def _sentence(finding: Finding) -> str:
    if finding.kind == "arity":
        return f"{finding.where} takes another number of arguments"
    return f"{finding.where or 'the code'} has no {'attribute' if finding.kind == 'self' else finding.kind} {finding.name}"


def _is_cell(snapshot: Snapshot) -> bool:
    """Whether the document is a cell of a notebook, whose names may come from other cells."""
    return (
        "notebook" in snapshot.uri.partition(":")[0]
        or (snapshot.path or snapshot.uri).endswith(".ipynb")
        or "#" in snapshot.uri
    )


def _name(path: str | None) -> str:
    return re.split(r"[\\/]", path)[-1].partition(".")[0] if path else ""


def _folder(path: str | None) -> str:
    return os.path.dirname(path) if path and os.path.basename(path).startswith("__init__.") else ""
