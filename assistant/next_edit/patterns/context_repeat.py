"""Tokens that were replaced by others are replaced where the same tokens stand between the same neighbours. Any language.

The more neighbours are the same, the surer; rare tokens need none. Names that are
variables are `rename`'s, whole lines `line_repeat`'s.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from assistant.next_edit.patterns.context import Context, Site
from assistant.next_edit.patterns.edits import Edit
from assistant.next_edit.patterns.tokens import KEYWORDS, is_word, line_end, line_start, openness, tokens
from assistant.next_edit.types import Candidate, Document

LEFT, RIGHT = 3, 2  # neighbours that are looked at
MIN_SAME = 4  # tokens that are the same: replaced ones and neighbours
KEPT = 0.4  # of the line; in one that was written anew, tokens only happen to be in one place
MAX_SITES = 200
FEW, MANY = 8, 24  # places that are as much alike; with more, it takes two examples, or three
RARE = 3  # places of what was replaced: with no more, its neighbours need not be the same
RARE_KEPT = 0.75  # of the line, then
BEST = 2  # how many degrees of likeness are proposed
MAX_TOKENS = 24


class _Change(NamedTuple):
    edit: Edit
    old: tuple[str, ...]
    new: str
    left: tuple[str, ...]
    right: tuple[str, ...]
    in_code: bool


def find(context: Context) -> Iterator[Candidate]:
    groups: dict[tuple[tuple[str, ...], str], list[_Change]] = {}
    for edit in context.edits:
        context.cancel.check()
        change = _change(context, edit)
        if change is not None and context.kept(edit) >= KEPT and not _is_variable(context, edit):
            groups.setdefault((change.old, change.new), []).append(change)
    for changes in groups.values():
        for document in context.documents:
            context.cancel.check()
            yield from _repeated(context, document, changes)


def _change(context: Context, edit: Edit) -> _Change | None:
    new = edit.inserted
    if not edit.removed and new.strip()[:1] == ",":  # another item of a list, on its own line or not
        new = " ".join(new.split())
    if "\n" in edit.removed or "\n" in new or openness(edit.removed) != openness(new):
        return None
    base, start, end = edit.base, edit.old_start, edit.old_end
    before = [t.text for t in tokens(base, line_start(base, start), start)][-LEFT:]
    after = [t.text for t in tokens(base, end, line_end(base, end))][:RIGHT]
    old = tuple(t.text for t in tokens(base, start, end))
    if (
        len(old) > MAX_TOKENS
        or len(old) + len(before) + len(after) < MIN_SAME
        or not any(map(is_word, (*before, *old, *after)))
    ):
        return None
    document = context.scene.find(edit.uri)
    in_code = document is not None and context.before(document).is_code(start, max(start + 1, end))
    if not old:  # with its neighbour, so that there is something to look for
        if not before or base[start - 1 : start] in "\n ":
            new_left = base[line_start(base, start) : start].rfind(before[-1]) if before else -1
            if new_left < 0:
                return None
            gap = base[line_start(base, start) + new_left : start]
            return _Change(edit, (before[-1],), gap + new, tuple(before[:-1]), tuple(after), in_code)
        return _Change(edit, (before[-1],), before[-1] + new, tuple(before[:-1]), tuple(after), in_code)
    return _Change(edit, old, new, tuple(before), tuple(after), in_code)


def _is_variable(context: Context, edit: Edit) -> bool:
    """Whether a declared name was changed: its scope says more than neighbours do."""
    document = context.scene.find(edit.uri)
    if document is None or not is_word(edit.removed) or not is_word(edit.inserted):
        return False
    same = context.before(document).same_variable(edit.removed, edit.old_start)
    return same is not None and any(o.kind != "read" and o.start == edit.old_start for o in same)


def _repeated(context: Context, document: Document, changes: Sequence[_Change]) -> Iterator[Candidate]:
    change = max(changes, key=lambda c: c.edit.order)
    text = document.text
    rarest = max(change.old, key=len)
    if rarest not in text:
        return
    by_score: dict[tuple[int, int], list[Site]] = {}
    places = list(islice(_found(text, change.old), MAX_SITES + 1))
    count = len(places)
    if count > MAX_SITES:
        return
    speaks = len(change.old) > 1 or _says_much(change.old[0])
    kept = context.kept(change.edit)
    least = 0 if count <= RARE and speaks and kept >= RARE_KEPT else 2 if len(changes) > 1 else 3
    for start, end in places:
        if context.is_touched(document, start, end) or _is_done(text, start, end, change.new):
            continue
        left, right = _same(text, start, end, changes)
        enough = left + right >= least and (least == 0 or left + right + len(change.old) >= MIN_SAME)
        if enough and (context.now(document).is_code(start, end) == change.in_code or (least == 0 and left + right == 0)):
            by_score.setdefault((left, right), []).append(Site(start, end, change.new))
    best = sorted(by_score.items(), key=lambda item: (sum(item[0]), item[0]), reverse=True)
    alike = 0
    for (left, right), sites in best[:BEST]:
        alike += len(sites)
        if (alike > FEW and len(changes) < 2) or (alike > MANY and len(changes) < 3):
            return
        features = {
            "tokens": float(len(change.old)),
            "left": float(left),
            "right": float(right),
            "sites": float(count),
            "alike": float(alike),
            "said": float(sum(len(token) for token in change.old)),
            "item": float(text[sites[0].end :].lstrip(" \t")[:1] in (*",)]}>;:=", "\n", "")),
            "grown": float(len(change.new)),
            "kept": kept,
            "in_code": float(change.in_code),
            "typing": float(context.is_typing(change.edit.uri, change.edit.start, change.edit.end)),
            "recent": float(change.edit.order == context.last_order),
        }
        old = document.text[sites[0].start : sites[0].end]
        why = f"'{old[:30]}' became '{change.new.strip()[:30]}' in a place like this"
        yield from context.candidates("context_repeat", document, sites, why, len(changes), features)


def _found(text: str, old: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Where the tokens stand one behind the other."""
    first = old[0]
    rest = re.compile(r"[ \t]*".join(["", *(re.escape(t) for t in old[1:])]))
    ends_in_word = is_word(old[-1])
    at = text.find(first)
    while at != -1:
        match = rest.match(text, at + len(first))
        is_whole = not (is_word(first) and (_in_word(text, at) or _in_word(text, at + len(first))))
        if match is not None and is_whole and not (ends_in_word and _in_word(text, match.end())):
            yield at, match.end()
        at = text.find(first, at + len(first))


def _in_word(text: str, at: int) -> bool:
    """Whether a word goes on across an offset."""
    return 0 < at < len(text) and (text[at - 1].isalnum() or text[at - 1] in "_$") and (text[at].isalnum() or text[at] in "_$")


def _says_much(token: str) -> bool:
    """Whether a token alone is a thing of its own: a number of two digits, a name that is no common word."""
    return len(token) > 1 if token[0].isdigit() else is_word(token) and len(token) > 2 and token not in KEYWORDS


def _is_done(text: str, start: int, end: int, new: str) -> bool:
    """Whether the longer text stands there already, in whatever lines."""
    wanted = [t.text for t in tokens(new)]
    stop = end + 3 * len(new) + 80
    return len(new) > end - start and [t.text for t in tokens(text, start, stop)][: len(wanted)] == wanted


def _same(text: str, start: int, end: int, changes: Sequence[_Change]) -> tuple[int, int]:
    """How many neighbours are those of one of the changes, at most."""
    before = [t.text for t in tokens(text, line_start(text, start), start)]
    after = [t.text for t in tokens(text, end, line_end(text, end))]
    return max((_run(before[::-1], c.left[::-1]), _run(after, c.right)) for c in changes)


def _run(found: Sequence[str], wanted: Sequence[str]) -> int:
    count = 0
    for a, b in zip(found, wanted, strict=False):
        if a != b:
            break
        count += 1
    return count
