"""Whether a predicted edit was right: judged by the text that the document has in the end.

*Exact*: the edit takes away only lines that the final text lacks, and adds only lines that it has, at their places; that is,
the number of lines that still differ falls by just as many as the edit takes and adds. So any remaining change counts, in any
order, and so does a line of one that is exactly as it will be. But lines that will be replaced are not right to be deleted,
nor is it to add the new ones beside them: what only takes or only adds lines must belong to a change that makes the text
shorter or longer by as many. *Position*: every line it touches belongs to a remaining change
(a line inserted before, inside or after the lines that will change does too). White space counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from assistant.next_edit.place import Edit, smallest
from assistant.next_edit.replay_diff import LineHunk, TooDifferent, hunks
from assistant.next_edit.types import Candidate, Change, Document, Scene


@dataclass(frozen=True)
class Verdict:
    """``reversal``: the share of the edit's characters that undo what the history did, 0 to 1."""

    exact: bool
    position: bool
    reversal: float


class Truth:
    """Judges the candidates of one scene; ``final`` holds each changed document's text in the end, by uri."""

    def __init__(self, scene: Scene, final: dict[str, str]) -> None:
        self._scene = scene
        self._final = final
        self._left: dict[str, list[LineHunk]] = {}

    @property
    def anything(self) -> bool:
        """Whether something is left to do."""
        return any(self.left(one) for one in (self._scene.document, *self._scene.others))

    def left(self, document: Document) -> list[LineHunk]:
        """The changes that are still to come."""
        if document.uri not in self._left:
            final = self._final.get(document.uri)
            same = final is None or final == document.text
            old, new = _lines(document.text), _lines(document.text if same or final is None else final)
            self._left[document.uri] = [_settled(one, old, new) for one in hunks(old, new)]
        return self._left[document.uri]

    def judge(self, candidate: Candidate) -> Verdict:
        document = self._scene.find(candidate.uri)
        if document is None:
            return Verdict(False, False, 0.0)
        after = document.text[: candidate.start] + candidate.text + document.text[candidate.end :]
        old, new = _lines(document.text), _lines(after)
        try:
            made = [_settled(one, old, new) for one in hunks(old, new)]
            left = self.left(document)
            rest = hunks(new, _lines(self._final.get(document.uri, document.text)))
        except TooDifferent:
            return Verdict(False, False, 0.0)
        exact = bool(made) and _size(rest) == _size(left) - _size(made) and all(_whole(one, left) for one in made)
        position = bool(made) and all(any(_touches(one, other) for other in left) for one in made)
        core = smallest(Edit(candidate.start, candidate.end, candidate.text), document.text)
        return Verdict(exact, position, _reversal(self._scene.changes, made, old, new, core.start < core.end))


def _lines(text: str) -> list[str]:
    return text.replace("\r\n", "\n").split("\n")


def _size(found: Sequence[LineHunk]) -> int:
    return sum(one.end - one.start + one.new_end - one.new_start for one in found)


def _settled(one: LineHunk, old: Sequence[str], new: Sequence[str]) -> LineHunk:
    """Lines that come or go among equal ones could be any of them: the last ones stand for all."""
    start, end, new_start, new_end = one.start, one.end, one.new_start, one.new_end
    if start == end:
        while start < len(old) and old[start] == new[new_start]:
            start, end, new_start, new_end = start + 1, end + 1, new_start + 1, new_end + 1
    elif new_start == new_end:
        while end < len(old) and old[start] == old[end]:
            start, end, new_start, new_end = start + 1, end + 1, new_start + 1, new_end + 1
    return LineHunk(start, end, new_start, new_end)


def _whole(made: LineHunk, left: Sequence[LineHunk]) -> bool:
    """Whether an edit that only takes or only adds lines does what one of the remaining changes does in all."""
    taken, given = made.end - made.start, made.new_end - made.new_start
    growth = [one.new_end - one.new_start - (one.end - one.start) for one in left if _touches(made, one)]
    return bool(taken and given) or any(more >= given if given else -more >= taken for more in growth)


def _touches(made: LineHunk, left: LineHunk) -> bool:
    if made.start == made.end or left.start == left.end:
        return made.start <= left.end and left.start <= made.end
    return made.start < left.end and left.start < made.end


def _reversal(
    changes: Sequence[Change], made: Sequence[LineHunk], old: Sequence[str], new: Sequence[str], takes: bool
) -> float:
    """Lines that come back, and new ones that go again, by their characters. ``takes``: whether the edit takes any away; one
    that writes on in a line which the user has begun undoes nothing.
    """
    gone: set[str] = set()
    came: set[str] = set()
    for change in changes:
        before, after = set(_lines(change.before)), set(_lines(change.after))
        gone |= before - after
        came |= after - before
    took = [line.strip() for one in made for line in old[one.start : one.end] if takes]
    gave = [line.strip() for one in made for line in new[one.new_start : one.new_end]]
    gone, came = ({line.strip() for line in lines} for lines in (gone - came, came - gone))
    undone = sum(len(line) for line in gave if line in gone) + sum(len(line) for line in took if line in came)
    return undone / max(1, sum(map(len, (*took, *gave))))
