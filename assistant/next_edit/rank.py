"""Candidates in order: one for each resulting text, each with its document, its place and its probability; and how probable is
probable enough.

Knows the ranker's verdict as a number. Does not know how candidates are found or what is never shown.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from assistant.next_edit.features import counts, gathered
from assistant.next_edit.locate import Judgement
from assistant.next_edit.memory import STEP, Memory
from assistant.next_edit.place import Edit, fitted
from assistant.next_edit.types import Candidate, Document, Scene
from assistant.workspace.ignore import path_of

NEAR_ROWS = 1  # an edit on the cursor's line or one beside it is seen without a jump
EXACT = {"eager": (0.5, 0.6), "balanced": (0.6, 0.75), "quiet": (0.8, 0.8)}
"""By the setting `eagerness`: the share of exactly right edits among those shown, at the cursor and of jumps. A jump costs a
look elsewhere, so more of them have to be right; and the place is to be right 85 times in 100. On repositories that were not
learned from, `balanced` has the place right 89 times in 100 where the line is completed too, else 87; with 0.7 for jumps 86 and
83."""
ENOUGH = 0.8
"""So probable an edit is shown whatever share was asked for, caution apart."""

MOST_REFUSED = 2
"""So often of late the user may have refused edits of a rule, and what it proves is shown all the same."""


class Weigher(Protocol):
    """The side of `ranker.Ranker` that is used here."""

    def probability(self, scene: Scene, candidate: Candidate, score: Judgement | None) -> float:
        """That the user would make exactly this edit next."""

    def threshold(self, exact: float, judged: bool = True) -> float:
        """From which probability on this share of what is shown is exactly right."""


@dataclass(frozen=True)
class Placed:
    """A candidate as an edit of a document's text. ``rows``: lines from the cursor, ``None`` in another document."""

    candidate: Candidate
    document: Document
    edit: Edit
    rows: int | None
    is_proven: bool = False
    probability: float = 0.0
    judgement: Judgement | None = None

    @property
    def at_cursor(self) -> bool:
        return self.rows is not None and self.rows <= NEAR_ROWS


def placed(scene: Scene, candidates: Iterable[Candidate]) -> list[Placed]:
    """Each possible edit once, in the order of their first candidates; what lies outside of its document is left out."""
    documents = {one.uri: one for one in (*scene.others, scene.document)}
    inside = [one for one in candidates if one.uri in documents and _edit(one).fits(documents[one.uri].text)]
    found = []
    for one in gathered(scene, inside):
        document = documents[one.uri]
        edit = fitted(_edit(one), document.text)
        found.append(Placed(one, document, edit, _rows(scene, document, edit)))
    return found


def widened(scene: Scene, candidates: Iterable[Candidate]) -> Scene:
    """The scene with the indexed files that candidates speak of among its documents; these have no version."""
    uris = dict.fromkeys(one.uri for one in candidates if scene.find(one.uri) is None)
    read = (scene.files.read(path_of(uri)) for uri in uris) if scene.files is not None else ()
    found = tuple(one for one in read if one is not None and one.uri in uris)
    return replace(scene, others=(*scene.others, *found)) if found else scene


def is_proven(candidate: Candidate, is_whole: bool) -> bool:
    """Whether a name was changed where it is declared, by itself or as the latest thing: its other uses mean nothing now; nor
    does what a file beside it imports under it, where both is so. ``is_whole``: the line of the latest change can be read.

    In replayed commits of 46 repositories, between two changes, the author changed 89 of 109 lines that still had the old name
    where it was both, but only 46 of them to exactly this: commits are no keystrokes, and a ranker learned from them alone
    would be too shy to follow a rename. It is no different where something else was changed since (33 of 38 lines) or in the
    same line (23 of 30), but is where both happened (12 of 27). A line that cannot be read, after a snippet was put behind the
    new name say, proves nothing if it has lost anything; one that only grew still declares what it did. Nor is anything proven
    of a line in which the user has worked since and left the old name.
    """
    told = candidate.features
    alone, latest = told.get("kept") == 1.0, told.get("recent") == 1.0
    if candidate.rule == "rename_file":
        return is_whole and alone and latest and told.get("certain") == 1.0 and told.get("taken") == 0.0
    is_declared = candidate.rule == "rename" and told.get("binding") == 1.0 and told.get("left_bound") == 0.0
    if told.get("left_here"):
        return False
    is_read = is_whole or (latest and told.get("grown") == 1.0)
    return is_declared and is_read and (alone or latest)


def passes(weigher: Weigher, one: Placed, eagerness: str, memory: Memory, now: float) -> bool:
    """Whether an edit is probable enough to be shown; or proven, and its own rule refused no more than twice of late.

    What the user does to guesses says nothing of a name that means nothing any more. Passing it over is no refusal either:
    one may rename first and follow later. So only words of the user's silence a rule that is right by proof, the third time.
    """
    if one.is_proven and memory.caution(now, one.candidate.rule) <= MOST_REFUSED * STEP:
        return True
    return one.probability >= threshold(weigher, one, eagerness, memory.caution(now))


def threshold(weigher: Weigher, one: Placed, eagerness: str, caution: float = 0.0) -> float:
    """The least probability with which an edit is shown; ``caution`` is what the last refusals add."""
    near, far = EXACT.get(eagerness, EXACT["balanced"])
    is_judged = counts(one.candidate, one.judgement)
    return min(ENOUGH, weigher.threshold(near if one.at_cursor else far, is_judged)) + caution


def rows_between(text: str, a: int, b: int) -> int:
    return text.count("\n", min(a, b), max(a, b))


def _rows(scene: Scene, document: Document, edit: Edit) -> int | None:
    if document.uri != scene.document.uri:
        return None
    if edit.start <= scene.offset <= edit.end:
        return 0
    return rows_between(document.text, scene.offset, edit.start if edit.start > scene.offset else edit.end)


def _edit(candidate: Candidate) -> Edit:
    return Edit(candidate.start, candidate.end, candidate.text)
