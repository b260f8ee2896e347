"""What the ranker knows of a candidate: numbers from the scene, the candidate and the model's judgement.

A completion's own probability is among its numbers; a judgement of it would say the same in another way, and is left out.

Pure and cheap (a few tenths of a millisecond for a scene, then microseconds a candidate). Knows neither weights nor what was
decided. A name that begins with "rule:" or "also:" is 1 for the rule that says the edit, and for those that say it too; one
that begins with "gain:" is the gain of an edit of that rule.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from functools import lru_cache

from assistant.next_edit.complete import RULE as COMPLETE
from assistant.next_edit.locate import Judgement
from assistant.next_edit.place import Edit, canonical, smallest
from assistant.next_edit.types import Candidate, Change, Document, Scene

WORD = re.compile(r"[^\W\d]\w*")
RECENT = 8
"""Changes whose words count."""
NEAR = 4
"""Lines above and below a place that say what kind of place it is."""
BLOCK = 20_000
"""Characters between two places that are looked at to see whether they are in one block."""
IMPORT = re.compile(r"\s*(?:import\b|from\b|export\b.*\bfrom\b|(?:const|let|var)\b.*\brequire\()")
FAR = 5000.0
"""Lines to a place in another file."""


def gathered(scene: Scene, candidates: Sequence[Candidate]) -> list[Candidate]:
    """One candidate for each resulting text, the first that says it; what the others know is kept among its features.

    Adds what only the whole set tells: how many different edits the rules say, how many the same rule, and which of these is
    nearest to the cursor. What the line would be completed to is no edit of theirs: not every client has it.
    """
    found: dict[tuple[str, Edit], list[Candidate]] = {}
    for candidate in candidates:
        document = scene.find(candidate.uri)
        if document is not None:
            edit = canonical(Edit(candidate.start, candidate.end, candidate.text), document.text)
            found.setdefault((candidate.uri, edit), []).append(candidate)
    heads = [said[0] for said in found.values()]
    nearest = {rule: min(_away(scene, one) for one in heads if one.rule == rule) for rule in {one.rule for one in heads}}
    of_rule = Counter(one.rule for one in heads)
    merged = []
    for said in found.values():
        head = said[0]
        numbers = {name: value for one in reversed(said) for name, value in one.features.items()}
        numbers |= {f"also:{one.rule}": 1.0 for one in said[1:] if one.rule != head.rule}
        numbers |= {"edits": float(len(found) - of_rule[COMPLETE]), "of_rule": float(of_rule[head.rule])}
        numbers["nearest"] = float(_away(scene, head) <= nearest[head.rule])
        merged.append(_with(head, said, numbers))
    return merged


def counts(candidate: Candidate, score: Judgement | None) -> bool:
    """Whether the model's word on a candidate counts: it has judged it, or made it for the user to judge."""
    return candidate.rule == "model" or (score is not None and candidate.rule != COMPLETE)


def features(scene: Scene, candidate: Candidate, score: Judgement | None) -> dict[str, float]:
    """Names to finite numbers; what is not known is left out."""
    document = scene.find(candidate.uri)
    if document is None:
        return {}
    found = {f"own:{name}" if ":" not in name else name: float(value) for name, value in candidate.features.items()}
    found |= {f"rule:{candidate.rule}": 1.0, "support": _log(candidate.support), "matches": _log(candidate.matches)}
    found |= _place(scene, document, candidate)
    found |= _shape(document, candidate)
    found |= _words(scene, document, candidate)
    found |= _likeness(scene, document, candidate)
    found |= _kind(scene, document, candidate)
    found |= _history(scene)
    if score is not None and counts(candidate, score):
        found |= {"gain": score.gain, "chance": score.chance, f"gain:{candidate.rule}": score.gain}
    return {name: value for name, value in found.items() if math.isfinite(value)}


def _with(head: Candidate, said: Sequence[Candidate], numbers: Mapping[str, float]) -> Candidate:
    support, matches = max(one.support for one in said), min(one.matches for one in said)
    return Candidate(head.uri, head.start, head.end, head.text, head.rule, support, matches, numbers, head.why)


def _away(scene: Scene, candidate: Candidate) -> float:
    """Lines between the cursor and the candidate; far in another file."""
    if candidate.uri != scene.document.uri:
        return FAR
    low, high = sorted((candidate.start, scene.offset))
    return float(scene.document.text.count("\n", low, high))


def _place(scene: Scene, document: Document, candidate: Candidate) -> dict[str, float]:
    here = document.uri == scene.document.uri
    touched = [change for change in scene.changes[-RECENT:] if change.uri == document.uri]
    away = min((_lines_between(document.text, change.start, candidate.start) for change in touched), default=FAR)
    last = scene.changes[-1] if scene.changes else None
    starts = [change.start for change in touched]
    moved = starts[-1] - starts[-2] if len(starts) > 1 else 0
    return {
        "skipped": float(bool(starts) and min(starts) < candidate.start < max(starts)),
        "onward": float(moved * (candidate.start - starts[-1]) > 0) if moved else -1.0,
        "touched": float(len(touched)),
        "test": float("test" in document.path.lower()),
        "here": float(here),
        "away": _log(_away(scene, candidate)),
        "below": float(here and candidate.start > scene.offset),
        "on_line": float(here and _away(scene, candidate) == 0),
        "at_cursor": float(here and candidate.start <= scene.offset <= candidate.end),
        "from_change": _log(away),
        "file_of_last": float(last is not None and last.uri == document.uri),
        "lines": _log(document.text.count("\n")),
        "python": float(document.language == "python"),
    }


def _lines_between(text: str, one: int, other: int) -> float:
    low, high = sorted((one, other))
    return float(text.count("\n", low, high))


def _shape(document: Document, candidate: Candidate) -> dict[str, float]:
    """What goes and what comes, in characters, lines and words, and whether the history did the like."""
    edit = smallest(Edit(candidate.start, candidate.end, candidate.text), document.text)
    old, new = document.text[edit.start : edit.end], edit.text
    begin = document.text.rfind("\n", 0, candidate.start) + 1
    return {
        "old": _log(len(old)),
        "new": _log(len(new)),
        "old_lines": float(old.count("\n")),
        "new_lines": float(new.count("\n")),
        "adds": float(not old.strip()),
        "takes": float(not new.strip()),
        "indent": float(len(document.text[begin : candidate.start]) - len(document.text[begin : candidate.start].lstrip())),
        "closing": float(old.strip() in ")]}" or new.strip() in ")]}"),
    }


def _words(scene: Scene, document: Document, candidate: Candidate) -> dict[str, float]:
    """Whether the words that go are those that the user took away, and those that come those that the user brought."""
    begin = document.text.rfind("\n", 0, candidate.start) + 1
    stop = (document.text + "\n").find("\n", candidate.end)
    old = words(document.text[begin:stop])
    new = words(document.text[begin : candidate.start] + candidate.text + document.text[candidate.end : stop])
    took, gave = old - new, new - old
    pairs = [changed_words(change) for change in scene.changes[-RECENT:]]
    lost = frozenset().union(*(pair[0] for pair in pairs))
    gained = frozenset().union(*(pair[1] for pair in pairs))
    alike = [bool(took | gave) and took <= lost_ and gave <= gained_ for lost_, gained_ in pairs]
    return {
        "streak": float(next((at for at, is_alike in enumerate(reversed(alike)) if not is_alike), len(alike))),
        "alike": sum(alike) / max(1, len(alike)),
        "done": candidate.support / max(1, candidate.support + candidate.matches),
        "took_lost": len(took & lost) / max(1, len(took)),
        "gave_gained": len(gave & gained) / max(1, len(gave)),
        "gave_lost": len(gave & lost) / max(1, len(gave)),
        "took_gained": len(took & gained) / max(1, len(took)),
        "gave_unknown": sum(word not in document.text for word in gave) / max(1, len(gave)),
        "gave_used": sum(_is_elsewhere(document.text, word, begin, stop) for word in gave) / max(1, len(gave)),
        "took_used": sum(_is_elsewhere(document.text, word, begin, stop) for word in took) / max(1, len(took)),
        "took": float(len(took)),
        "gave": float(len(gave)),
    }


def _is_elsewhere(text: str, word: str, begin: int, stop: int) -> bool:
    """Whether a word stands outside of ``[begin, stop)``, as a whole one."""
    at = text.find(word)
    while at != -1:
        end = at + len(word)
        is_whole = not (
            text[at - 1 : at].isalnum()
            or text[at - 1 : at] == "_"
            or text[end : end + 1].isalnum()
            or text[end : end + 1] == "_"
        )
        if is_whole and not begin <= at < stop:
            return True
        at = text.find(word, end)
    return False


def _kind(scene: Scene, document: Document, candidate: Candidate) -> dict[str, float]:
    """What kind of thing changes: a number, what is in quotes, an import; and how far out of the last change's block it is."""
    core = smallest(Edit(candidate.start, candidate.end, candidate.text), document.text)
    old, new = document.text[core.start : core.end], core.text
    begin = document.text.rfind("\n", 0, core.start) + 1
    line = document.text[begin : (document.text + "\n").find("\n", core.end)]
    before = document.text[begin : core.start]
    last = next((change for change in reversed(scene.changes) if change.uri == document.uri), None)
    return {
        "number": float(bool(old + new) and all(sign.isdigit() or sign in ".-" for sign in old + new)),
        "quoted": float(any(before.count(quote) % 2 for quote in "\"'`")),
        "import_line": float(IMPORT.match(line) is not None),
        "out": float(_steps_out(document.text, last.start, core.start)) if last is not None else -1.0,
        "folder": float(any(_folder(change.uri) == _folder(document.uri) for change in scene.changes)),
    }


def _steps_out(text: str, one: int, other: int) -> int:
    """How many columns the indentation between two places falls below both of theirs; 0 in one block."""
    low, high = sorted((one, other))
    first = text.rfind("\n", 0, low) + 1
    lines = text[first : min((text + "\n").find("\n", high), first + BLOCK)].split("\n")
    depths = [len(line) - len(line.lstrip()) for line in lines if line.strip()]
    return min(depths[0], depths[-1]) - min(depths) if depths else 0


def _folder(uri: str) -> str:
    return uri.rpartition("/")[0]


def _likeness(scene: Scene, document: Document, candidate: Candidate) -> dict[str, float]:
    """How much the lines that go, come and stand around resemble those of the last changes: shares of common words."""
    text = document.text
    begin = text.rfind("\n", 0, candidate.start) + 1
    stop = (text + "\n").find("\n", candidate.end)
    old = words(text[begin:stop])
    new = words(text[begin : candidate.start] + candidate.text + text[candidate.end : stop])
    above = words(text[text.rfind("\n", 0, max(0, begin - 1)) + 1 : max(0, begin - 1)])
    below = words(text[stop + 1 : (text + "\n").find("\n", stop + 1)] if stop + 1 < len(text) else "")
    views = [_view(change) for change in scene.changes[-RECENT:]]
    line = text[begin:stop].lstrip()
    near = _near(text, begin, stop)
    return {
        "near_like": max((_alike(near, view[5]) for view in views), default=0.0),
        "last_like": _alike(near, views[-1][5]) if views else 0.0,
        "old_like": max((_alike(old, view[0]) for view in views), default=0.0),
        "new_like": max((_alike(new, view[1]) for view in views), default=0.0),
        "around_like": max((_alike(above, view[2]) + _alike(below, view[3]) for view in views), default=0.0),
        "indent_like": float(any(view[4] == begin + len(line) - stop for view in views)),
        "comment": float(line.startswith(("#", "//", "*", "/*", '"""'))),
        "words": float(min(20, len(old))),
    }


@lru_cache(maxsize=64)
def _view(change: Change) -> tuple[frozenset[str], frozenset[str], frozenset[str], frozenset[str], int, frozenset[str]]:
    """A change's words: of the lines it took, gave, of the line above and the one below; minus the first one's indent; and the
    words of some lines around.
    """
    text = change.before
    end = change.start + len(change.removed)
    begin = text.rfind("\n", 0, change.start) + 1
    stop = (text + "\n").find("\n", end)
    after = text[begin : change.start] + change.inserted + text[end:stop]
    above = text[text.rfind("\n", 0, max(0, begin - 1)) + 1 : max(0, begin - 1)]
    below = text[stop + 1 : (text + "\n").find("\n", stop + 1)] if stop + 1 < len(text) else ""
    sets = tuple(frozenset(words(piece)) for piece in (text[begin:stop], after, above, below))
    line = text[begin:stop]
    return (*sets, len(line.lstrip()) - len(line), _near(text, begin, stop))  # type: ignore[return-value]


def _near(text: str, begin: int, stop: int) -> frozenset[str]:
    """The words of `NEAR` lines above and below the lines that begin and end there."""
    first, last = begin, stop
    for _ in range(NEAR):
        first = text.rfind("\n", 0, max(0, first - 1)) + 1
        last = text.find("\n", last + 1) if last < len(text) else last
        last = len(text) if last < 0 else last
    return frozenset(words(text[first:begin]) | words(text[stop:last]))


def _alike(a: Set[str], b: Set[str]) -> float:
    return len(a & b) / len(a | b) if a and b else 0.0


def _history(scene: Scene) -> dict[str, float]:
    if not scene.changes:
        return {"changes": 0.0}
    last = scene.changes[-1]
    line = scene.document.text[scene.document.text.rfind("\n", 0, scene.offset) + 1 : scene.offset]
    rest = scene.document.text[scene.offset : (scene.document.text + "\n").find("\n", scene.offset)]
    inside = bool(rest) and (rest[0].isalnum() or rest[0] == "_")
    return {
        "changes": float(min(len(scene.changes), 10)),
        "last_took": _log(len(last.removed)),
        "last_gave": _log(len(last.inserted)),
        "last_lines": float(min(20, last.inserted.count("\n") + last.removed.count("\n"))),
        "line_rest": _log(len(rest)),
        "line_open": float(bool(line.strip()) and line.rstrip()[-1:] in "([{,.=:+-*/<>&|\\"),
        "mid_word": float(inside),
        "switched": float(last.uri != scene.document.uri),
    }


def words(text: str) -> set[str]:
    return set(WORD.findall(text))


@lru_cache(maxsize=64)
def changed_words(change: Change) -> tuple[frozenset[str], frozenset[str]]:
    """The words that the lines of a change lost and gained."""
    begin = change.before.rfind("\n", 0, change.start) + 1
    stop = (change.before + "\n").find("\n", change.start + len(change.removed))
    old = words(change.before[begin:stop])
    after = change.before[begin : change.start] + change.inserted + change.before[change.start + len(change.removed) : stop]
    return frozenset(old - words(after)), frozenset(words(after) - old)


def _log(value: float) -> float:
    return math.log1p(max(0.0, value))
