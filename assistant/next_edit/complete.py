"""What the model would write at the cursor, as a next edit: the rest of the line, rule "complete".

For clients that ask for next edits and never for completions: the others have the text already. Knows what completion
answers and says in numbers where it stands; does not know the model, nor whether it is probable enough to be shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from assistant.cancel import Cancel
from assistant.config import Config
from assistant.gate.features import PAST
from assistant.next_edit.patterns import Trees
from assistant.next_edit.place import Edit
from assistant.next_edit.types import Candidate, Change, Document, Scene
from assistant.types import Completion, Snapshot

RULE = "complete"
BUDGET_MS = 110
"""For the model, of the 140 in which candidates have to be there."""
MOST_TOKENS, DOUBT = 20, 0.1
"""A line is not asked to its end once it has so many tokens, or one this unlikely: in commits of 85 repositories 1 of 109 texts
that were longer was exactly right, and 1 of 186 with such a token; 197 of the 589 others in the middle of a line were."""
PERSONAL = frozenset(
    (
        *("invoked", "popup", "several_lines", "cached", "age", "entropy", "exit_depth", "stop_head"),
        *PAST,
        *("moved", "same_line", "keys_per_second", "since_key", "text_refused", "text_taken", "text_common", "text_longer"),
    )
)
"""Features of a completion that say nothing here: they tell of the request, of the user or of this one run of the model."""
OVERLAP, MARKS = 4, " ,;:=.&|+-*/"  # characters
MOST_LOOKED = 500
MOST = 5  # errors: more are as good as so many
CLOSERS = ")]}>\"'`;"


class Writer(Protocol):
    """The side of `assistant.service.Completer` that is used here."""

    async def write(self, snapshot: Snapshot, config: Config, cancel: Cancel) -> Completion:
        """What it would suggest at the snapshot's cursor. Raises only `asyncio.CancelledError`."""


class Completions(Protocol):
    """A producer of next edits at the cursor. Raises only `asyncio.CancelledError`."""

    async def __call__(self, scene: Scene, config: Config, cancel: Cancel) -> list[Candidate]:
        """At most one candidate; none where the client has completions of its own."""


def as_snapshot(scene: Scene) -> Snapshot:
    """The document with the cursor, of a file that nothing else is known of."""
    one = scene.document
    return Snapshot(one.uri, one.language, one.text, scene.offset, one.version, one.path or None)


class AtCursor:
    """`Completions` of a writer. ``snapshot`` says how a scene's document is called where the writer looks."""

    def __init__(self, writer: Writer, snapshot: Callable[[Scene], Snapshot] = as_snapshot, budget_ms: int = BUDGET_MS) -> None:
        self._writer, self._snapshot, self._budget_ms = writer, snapshot, budget_ms

    async def __call__(self, scene: Scene, config: Config, cancel: Cancel) -> list[Candidate]:
        """See `Completions`. The text ends with the line, and how probable the line is, is the ranker's to find."""
        if not scene.changes:
            return []
        here = replace(self._snapshot(scene), offset=cursor(scene), selected=None)
        asked = replace(
            config,
            multi_line="never",
            max_tokens=min(config.max_tokens, MOST_TOKENS),
            stop_below=DOUBT,
            min_confidence=0.0,
            look_ahead=False,
            budget_ms=self._budget_ms,
        )
        said = await self._writer.write(here, asked, cancel)
        made = said.suggestion
        if made is None or cancel.is_set():
            return []
        text = made.text if made.end > made.start else fitted(made.text, here.suffix)
        if not text.strip():
            return []
        inserted = made.inserted if made.end > made.start else text
        numbers = {f"{RULE}:{name}": value for name, value in features(scene, here.offset, inserted, said.features).items()}
        return [Candidate(here.uri, made.start, made.end, text, RULE, features=numbers, why="the rest of this line")]


def read(scene: Scene, candidates: Sequence[Candidate], trees: Trees) -> list[Candidate]:
    """The candidates; a completion with what the grammar says: whether the cursor's line can be read as it is, and how many
    errors the text mends or, below 0, brings.
    """
    return [_read(one, scene.document, trees) if one.rule == RULE else one for one in candidates]


def _read(one: Candidate, document: Document, trees: Trees) -> Candidate:
    was = trees.parsed(document)
    if was.tree is None or one.uri != document.uri:
        return one
    errors, broken = len(was.errors), was.is_broken(one.start, one.end)
    mends = errors - len(trees.parsed(document, Edit(one.start, one.end, one.text).apply(document.text)).errors)
    found = {"whole": float(not broken), "errors": float(min(MOST, errors)), "mends": float(max(-MOST, min(MOST, mends)))}
    return replace(one, features={**one.features, **{f"{RULE}:{name}": value for name, value in found.items()}})


def fitted(text: str, suffix: str) -> str:
    """A text without what it says of the code behind the cursor: cut where it comes to the first characters of that, or where
    it ends with the marks that it begins with. Completion leaves so little, for it may be chance.
    """
    follow = suffix.partition("\n")[0].rstrip()
    found = text.find(follow[:OVERLAP], 1) if len(follow) >= OVERLAP else -1
    if found != -1:
        return text[:found].rstrip()
    begins = follow[: len(follow) - len(follow.lstrip(MARKS))]
    marks = next((n for n in range(len(begins), 0, -1) if text.endswith(begins[:n])), 0)
    return text[: len(text) - marks].rstrip() if begins[:marks].strip() else text


def cursor(scene: Scene) -> int:
    """Where the user would write on. When Vim leaves insert mode, its cursor goes back on the last character that was typed:
    then it is behind that one, unless the editor has put it there to close a bracket or a quote.
    """
    text, at, last = scene.document.text, scene.offset, scene.changes[-1]
    stands_on = text[at : at + 1]
    line_end = len(last.inserted) - len(last.inserted.rstrip("\r\n"))  # of a line that was opened for it
    is_behind = any(ends_at(last, scene, at + 1 + more) for more in (0, line_end))
    return at + 1 if is_behind and stands_on not in ("", "\n", "\r", *CLOSERS) else at


def ends_at(change: Change, scene: Scene, offset: int) -> bool:
    """Whether a change has put in text that ends there, and its document is as it left it."""
    if change.uri != scene.document.uri or not change.inserted or change.start + len(change.inserted) != offset:
        return False
    return len(change.before) - len(change.removed) + len(change.inserted) == len(scene.document.text)


def features(scene: Scene, offset: int, inserted: str, said: Mapping[str, float]) -> dict[str, float]:
    """What completion knows of the place and the text, and whether the user was writing there, or has written such a line."""
    text = scene.document.text
    begin, stop = text.rfind("\n", 0, offset) + 1, (text + "\n").find("\n", offset)
    line = (text[begin:offset] + inserted).strip()
    last = scene.changes[-1]
    numbers = {name: value for name, value in said.items() if name not in PERSONAL}
    return {
        **numbers,
        "typed": float(ends_at(last, scene, offset)),
        "grew": float(not last.removed.strip()),
        "gives_back": float(len(inserted.strip()) > 1 and inserted.strip() in last.removed),
        "typed_lines": float(min(20, last.inserted.count("\n"))),
        "seen_line": float(_stands(line, text[:begin]) or _stands(line, text[stop:])),
        "seen_change": float(any(_stands(line, change.inserted) for change in scene.changes[:-1])),
        "seen_removed": float(any(_stands(line, change.removed) for change in scene.changes)),
        "seen_elsewhere": float(any(_stands(line, one.text) for one in scene.others)),
    }


def _stands(line: str, text: str) -> bool:
    """Whether a line, without its indentation, is one of a text; a line as short as a bracket is looked for a while."""
    at, looked = (text.find(line) if line else -1), 0
    while at != -1 and looked < MOST_LOOKED:
        begin, stop = text.rfind("\n", 0, at) + 1, text.find("\n", at)
        if text[begin : stop if stop != -1 else len(text)].strip() == line:
            return True
        at, looked = text.find(line, at + 1), looked + 1
    return False
