"""Prompts of published next-edit models, and their answers read back: Sweep's three windows, Zeta's editable region, and an
instruct form for any chat model.

Pure: scene to text, text to candidates. Which form a model wants, its id says or a setting (`choose`). Sotto's own model uses
`assistant.edit_format`; these forms serve the one that the setting `nextEditModel` names (`assistant.next_edit.prompted`).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from assistant.next_edit.replay_diff import TooDifferent, hunks
from assistant.next_edit.told import history, line_of, lines_of, shown_path
from assistant.next_edit.types import Candidate, Change, Document, Scene
from assistant.types import Part

ABOVE, BELOW = 10, 10
"""Lines of the window: 21 with the cursor's, the size that Sweep's models were trained on."""
MOST_CHANGED = 40
GROWTH = 3
"""An answer longer than so many windows is no rewrite of one."""
AUTO, CHAT = "auto", "instruct"


@dataclass(frozen=True)
class Ask:
    """A prompt, the texts that end its answer, and lines ``first`` to ``last`` - 1 of the document that are to be rewritten.

    ``opening`` is what an answer says before the first of these lines.
    """

    parts: tuple[Part, ...]
    stop: tuple[str, ...]
    document: Document
    first: int
    last: int
    opening: str = ""

    @property
    def prompt(self) -> str:
        """The whole prompt, special tokens spelled out."""
        return "".join(f"<|{part.special}|>" if part.special else part.text for part in self.parts)

    @property
    def window(self) -> str:
        """The lines that are to be rewritten, as they are."""
        return _joined(self.document, self.first, self.last)


class Form(Protocol):
    """One way of asking about the lines around line ``at`` of a document, the cursor's if it is left out. ``render`` never
    raises; ``parse`` gives nothing for an answer that is no rewrite.
    """

    name: str

    def render(self, scene: Scene, at: tuple[Document, int] | None = None) -> Ask: ...

    def parse(self, ask: Ask, answer: str) -> list[Candidate]: ...


class Sweep:
    """Sweep's next-edit models: past edits as old and new text, then the window as it was, as it is, and as it will be."""

    name = "sweep"
    _STOP = ("<|file_sep|>", "<|endoftext|>")

    def render(self, scene: Scene, at: tuple[Document, int] | None = None) -> Ask:
        document, first, last = window(scene, at)
        path = shown_path(document.path)
        pieces = [f"{one.path}.diff\noriginal:\n{one.old}updated:\n{one.new}" for one in history(scene)]
        pieces.append(f"original/{path}\n{_was(scene, document, first, last)}")
        pieces.append(f"current/{path}\n{_joined(document, first, last)}")
        pieces.append(f"updated/{path}\n")
        parts = tuple(part for piece in pieces for part in (Part(special="file_sep"), Part(text=piece)))
        return Ask(parts, self._STOP, document, first, last)

    def parse(self, ask: Ask, answer: str) -> list[Candidate]:
        return rewritten(ask, _until(answer, self._STOP))


class Zeta:
    """Zed's Zeta: the edits as diffs, an excerpt with an editable region in it, which the answer repeats changed."""

    name = "zeta"
    _START, _END = "<|editable_region_start|>", "<|editable_region_end|>"
    _CURSOR = "<|user_cursor_is_here|>"
    _AROUND = 20

    def render(self, scene: Scene, at: tuple[Document, int] | None = None) -> Ask:
        document, first, last = window(scene, at)
        lines, path = lines_of(document), shown_path(document.path)
        above, below = max(0, first - self._AROUND), last + self._AROUND
        text = _with_cursor(scene, document, first, last, self._CURSOR)
        head = "<|start_of_file|>\n" if above == 0 else ""
        inside = f"{''.join(lines[above:first])}{self._START}\n{text}{self._END}\n{''.join(lines[last:below])}"
        edits = "\n\n".join(f'User edited "{path_}":\n\n```diff\n{diff}```' for path_, diff in _diffs(scene))
        prompt = (
            "### Instruction:\nYou are a code completion assistant and your task is to analyze user edits and then rewrite an "
            "excerpt that the user provides, suggesting the appropriate edits within the excerpt, taking into account the "
            f"cursor location.\n\n### User Edits:\n\n{edits}\n\n### User Excerpt:\n\n```{path}\n{head}{inside}```\n\n"
            "### Response:\n\n"
        )
        return Ask((Part(text=prompt),), ("### ",), document, first, last, f"```{path}\n{head}{self._START}\n")

    def parse(self, ask: Ask, answer: str) -> list[Candidate]:
        found = re.search(f"{re.escape(self._START)}\n(.*?){re.escape(self._END)}", answer, re.DOTALL)
        return rewritten(ask, found.group(1).replace(self._CURSOR, "")) if found else []


class Instruct:
    """A chat model without training for edits: told what was done, it rewrites the window or says that nothing follows."""

    name = "instruct"
    _NOTHING = "<NO_CHANGE>"

    def render(self, scene: Scene, at: tuple[Document, int] | None = None) -> Ask:
        document, first, last = window(scene, at)
        edits = "\n".join(f"--- {path}\n{diff}" for path, diff in _diffs(scene))
        prompt = (
            "A programmer edits code. From the recent edits, predict the next change inside the window. Never undo an edit. "
            f"If nothing follows, answer {self._NOTHING}. Otherwise answer with the whole window as it should be, between "
            f"<EDIT> and </EDIT>, nothing else.\n\nRecent edits, the oldest first:\n{edits}\n"
            f"Window of {shown_path(document.path)}, lines {first + 1} to {last}:\n<EDIT>\n{_joined(document, first, last)}"
            "</EDIT>\n\nAnswer:\n"
        )
        return Ask((Part(text=prompt),), (), document, first, last, "<EDIT>\n")

    def parse(self, ask: Ask, answer: str) -> list[Candidate]:
        if self._NOTHING in answer:
            return []
        found = re.search(r"<EDIT>\n?(.*?)</EDIT>", answer, re.DOTALL)
        return rewritten(ask, found.group(1)) if found else []


FORMS: dict[str, Form] = {form.name: form for form in (Sweep(), Zeta(), Instruct())}
_IDS = (("sweep", "sweep"), ("zeta", "zeta"), ("instruct", "instruct"), ("chat", "instruct"), ("-it", "instruct"))


def choose(model: str, setting: str = AUTO, chat: bool = False) -> Form:
    """The form that the setting names, else the one that the model's id tells.

    A model that says nothing of itself is asked as a chat model if it is one, and else in Sweep's form, whose pairs of old and
    new text, the user's own edits, any code model can go on with.
    """
    if setting in FORMS:
        return FORMS[setting]
    name = model.lower().replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
    return FORMS[next((form for part, form in _IDS if part in name), CHAT if chat else "sweep")]


def window(scene: Scene, at: tuple[Document, int] | None = None) -> tuple[Document, int, int]:
    """A document, and the lines around one of its lines that may be rewritten; the cursor's, if none is named."""
    document, line = at or (scene.document, line_of(scene.document.text, scene.offset))
    lines = lines_of(document)
    middle = min(line, max(0, len(lines) - 1))
    return document, max(0, middle - ABOVE), min(len(lines), middle + BELOW + 1)


def rewritten(ask: Ask, answer: str) -> list[Candidate]:
    """Each stretch of lines that an answer changes, as a candidate; nothing where it is no rewrite of the window."""
    lines = [line.removesuffix("\n") for line in lines_of(ask.document)]
    old = lines[ask.first : ask.last]
    new = answer.replace("\r\n", "\n").removesuffix("\n").split("\n") if answer.strip() else []
    if not new or "<|" in answer or len(new) > GROWTH * max(1, len(old)):
        return []
    try:
        found = hunks(old, new, MOST_CHANGED)
    except TooDifferent:
        return []
    end = "\r\n" if "\r\n" in ask.document.text else "\n"
    raw = ask.document.text.split("\n")
    starts = [0]
    for line in raw:
        starts.append(starts[-1] + len(line) + 1)
    size = len(ask.document.text)
    candidates = []
    for one in found:
        begin, stop = (min(size, starts[ask.first + at]) for at in (one.start, one.end))
        text = "".join(line + end for line in new[one.new_start : one.new_end])
        if stop == size and not ask.document.text.endswith("\n"):
            text = text.removesuffix(end) if one.start < one.end else end + text.removesuffix(end)
        candidates.append(Candidate(ask.document.uri, begin, stop, text, rule="model", why="what usually follows such changes"))
    return candidates


def _joined(document: Document, first: int, last: int) -> str:
    return "".join(lines_of(document)[first:last])


def _with_cursor(scene: Scene, document: Document, first: int, last: int, mark: str) -> str:
    lines = list(lines_of(document)[first:last])
    at = line_of(document.text, scene.offset) - first if document.uri == scene.document.uri else -1
    column = scene.offset - (document.text.rfind("\n", 0, scene.offset) + 1)
    if 0 <= at < len(lines):
        lines[at] = lines[at][:column] + mark + lines[at][column:]
    return "".join(lines)


def _was(scene: Scene, document: Document, first: int, last: int) -> str:
    """The window as it was before the changes that are told."""
    changes = [change for change in scene.changes if change.uri == document.uri]
    if not changes:
        return _joined(document, first, last)
    before = lines_of(Document(document.uri, document.path, document.language, changes[0].before))
    moved = len(lines_of(document)) - len(before)
    return "".join(before[min(first, len(before)) : max(first, min(len(before), last - moved))])


def _diffs(scene: Scene) -> list[tuple[str, str]]:
    """(path, unified diff without its head) of each change that is told, the oldest first."""
    paths = {one.uri: one.path for one in (scene.document, *scene.others)}
    return [(shown_path(paths.get(change.uri, change.uri)), _diff(change)) for change in scene.changes[-6:]]


def _diff(change: Change) -> str:
    old, new = (text.replace("\r\n", "\n").splitlines(keepends=True) for text in (change.before, change.after))
    rows = list(difflib.unified_diff(old, new, n=2))[2:]
    return "".join(row if row.endswith("\n") else row + "\n" for row in rows)


def _until(answer: str, stops: Sequence[str]) -> str:
    return answer[: min((at for stop in stops if (at := answer.find(stop)) >= 0), default=len(answer))]
