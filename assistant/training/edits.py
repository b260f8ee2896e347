"""Training examples of the edit format: from a set of changes that belong together to `what was done -> what comes next`.

Knows lines and changes, whether a commit or a made-up edit gave them. Does not know tokens. Deterministic in its random
source. Orders are mixed (top-down, bottom-up, at random), because people edit upwards four times in ten.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from assistant.edit_format import HISTORY, HUNK_LINES, REGION_LINES, Change, Hunk, Region, split_lines

NO_EDIT_SHARE, TYPING_SHARE, NO_CURSOR_SHARE = 0.25, 0.15, 0.2
MOST_CHANGES = 4  # in one answer
MOST_CHARACTERS = 1500  # of a prompt with its answer: it must fit a row of 512 tokens


@dataclass(frozen=True)
class Segment:
    """Consecutive lines of one file before anything changed, and the changes in order of place, not overlapping."""

    path: str
    lines: tuple[str, ...]
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class Session:
    """Changes that belong together. ``ordered``: they were written in the order in which they are to be made."""

    kind: str
    segments: tuple[Segment, ...]
    ordered: bool = False


@dataclass(frozen=True)
class Example:
    """A prompt's parts and its answer; ``answers`` is empty where nothing follows; ``more``: others wait in the region."""

    kind: str
    history: tuple[Hunk, ...]
    region: Region
    cursor: tuple[int, int] | None
    answers: tuple[Change, ...]
    more: bool = False

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Example:
        """Read what `to_json` wrote. Raises TypeError or KeyError for anything else."""
        region = Region(data["region"]["path"], tuple(data["region"]["lines"]))
        history = tuple(Hunk(**hunk) for hunk in data["history"])
        cursor = None if data["cursor"] is None else (int(data["cursor"][0]), int(data["cursor"][1]))
        return cls(data["kind"], history, region, cursor, tuple(Change(**c) for c in data["answers"]), data["more"])


Site = tuple[int, int]  # a change: number of the segment, number of the change in it


class _State:
    """A session with some of its changes made."""

    def __init__(self, session: Session, done: Sequence[Site], typed: dict[Site, str] | None = None) -> None:
        self.session, self.done, self.typed = session, set(done), typed or {}

    def change(self, site: Site) -> Change:
        return self.session.segments[site[0]].changes[site[1]]

    def lay_out(self, number: int) -> tuple[list[str], dict[Site, tuple[int, int]]]:
        """The lines of a segment as they stand, and where each of its changes lies in them."""
        segment = self.session.segments[number]
        lines: list[str] = []
        spans: dict[Site, tuple[int, int]] = {}
        at = 0
        for index, change in enumerate(segment.changes):
            site = (number, index)
            lines += segment.lines[at : change.start]
            begin = len(lines)
            now = change.text if site in self.done else self.typed.get(site)
            lines += segment.lines[change.start : change.end] if now is None else split_lines(now)
            spans[site] = begin, len(lines)
            at = change.end
        return lines + list(segment.lines[at:]), spans

    def hunk(self, site: Site) -> Hunk:
        segment, change = self.session.segments[site[0]], self.change(site)
        new = self.typed.get(site, change.text)
        return Hunk(segment.path, "".join(segment.lines[change.start : change.end]), new)


def small(change: Change) -> bool:
    return change.end - change.start <= HUNK_LINES and change.text.count("\n") <= HUNK_LINES


def example(session: Session, rng: random.Random) -> Example | None:
    """One state of ``session``, or None where this draw offers none that fits the format."""
    order = _order(session, rng)
    draw = rng.random()
    if draw < NO_EDIT_SHARE:
        made = len(order) if rng.random() < 0.6 else rng.randint(1, len(order))
        return _nothing_follows(_State(session, order[:made]), order[:made], rng)
    if draw < NO_EDIT_SHARE + TYPING_SHARE or len(order) == 1:
        return _typing(session, order, rng)
    made = rng.randint(1, len(order) - 1)
    return _follows(_State(session, order[:made]), order[:made], order[made:], rng)


def _order(session: Session, rng: random.Random) -> list[Site]:
    """All changes, file by file: as listed, upwards, or anyhow."""
    sites = [(s, c) for s, segment in enumerate(session.segments) for c in range(len(segment.changes))]
    draw = rng.random()
    if session.ordered and draw < 0.6:
        return sites
    by_file = [[site for site in sites if site[0] == s] for s in range(len(session.segments))]
    rng.shuffle(by_file)
    if draw < 0.75:
        start = rng.randrange(len(sites))
        flat = [site for file in by_file for site in file]
        return flat[start:] + flat[:start]
    if draw < 0.9:
        return [site for file in by_file for site in reversed(file)]
    rng.shuffle(sites)
    return sites


def _history(state: _State, made: Sequence[Site]) -> tuple[Hunk, ...] | None:
    """The last changes; None where the newest is too large to be told."""
    if not made or not small(state.change(made[-1])):
        return None
    return tuple(state.hunk(site) for site in made[-HISTORY:] if small(state.change(site)))


def _follows(state: _State, made: Sequence[Site], waiting: Sequence[Site], rng: random.Random) -> Example | None:
    history, target = _history(state, made), waiting[0]
    if history is None or not small(state.change(target)):
        return None
    lines, spans = state.lay_out(target[0])
    window = _window(len(lines), *spans[target], rng)
    if window is None:
        return None
    return _framed(state, made, waiting, history, target[0], window, rng)


def _framed(
    state: _State,
    made: Sequence[Site],
    waiting: Sequence[Site],
    history: tuple[Hunk, ...],
    number: int,
    window: tuple[int, int],
    rng: random.Random,
) -> Example | None:
    """The example that shows lines ``window`` of a segment: what waits inside is the answer, nothing may wait half inside."""
    lines, spans = state.lay_out(number)
    first, last = window
    answers = []
    for site in waiting:
        if site[0] != number or not _touches(*spans[site], first, last):
            continue
        begin, end = spans[site]
        if begin < first or end > last or not small(state.change(site)):
            return None
        answers.append(Change(begin - first, end - first, state.change(site).text))
    region = Region(state.session.segments[number].path, tuple(lines[first:last]))
    cursor = _cursor(state, made, spans, number, window, lines) if rng.random() >= NO_CURSOR_SHARE else None
    return _fitted(state.session.kind, history, region, cursor, answers)


def _touches(begin: int, end: int, first: int, last: int) -> bool:
    """Whether a change of lines ``begin`` .. ``end`` shows in ``first`` .. ``last``; an insertion at the edge does."""
    return first <= begin <= last if begin == end else begin < last and end > first


def _fitted(
    kind: str, history: tuple[Hunk, ...], region: Region, cursor: tuple[int, int] | None, answers: Sequence[Change]
) -> Example | None:
    told = tuple(answers[:MOST_CHANGES])
    size = sum(map(len, region.lines)) + sum(len(answer.text) for answer in told)
    while history:
        if size + sum(len(hunk.old) + len(hunk.new) for hunk in history) <= MOST_CHARACTERS:
            return Example(kind, history, region, cursor, told, more=len(told) < len(answers))
        history = history[1:]
    return None


def _cursor(
    state: _State,
    made: Sequence[Site],
    spans: dict[Site, tuple[int, int]],
    number: int,
    window: tuple[int, int],
    lines: Sequence[str],
) -> tuple[int, int] | None:
    """At the end of the last change, where that lies in the region."""
    if not made or made[-1][0] != number:
        return None
    line = max(spans[made[-1]][1] - 1, 0)
    return (line - window[0], len(lines[line].rstrip("\n"))) if window[0] <= line < window[1] else None


def _window(length: int, begin: int, end: int, rng: random.Random) -> tuple[int, int] | None:
    """At most `REGION_LINES` lines with ``begin`` .. ``end`` anywhere among them."""
    size = min(length, REGION_LINES if rng.random() < 0.7 else rng.randint(6, REGION_LINES))
    if end - begin > size or not size:
        return None
    first = rng.randint(max(0, end - size), min(begin, length - size))
    return first, first + size


def _nothing_follows(state: _State, made: Sequence[Site], rng: random.Random) -> Example | None:
    """Around the last change, another one, or any place, where nothing waits."""
    history = _history(state, made)
    if history is None:
        return None
    near = made[-1] if rng.random() < 0.6 else rng.choice(made)
    lines, spans = state.lay_out(near[0])
    if rng.random() < 0.25 and lines:
        begin = end = rng.randrange(len(lines))
    else:
        begin, end = spans[near]
    window = _window(len(lines), begin, min(end, begin + HUNK_LINES), rng)
    waiting = [site for site in spans if site not in state.done]
    if window is None or any(_touches(*spans[site], *window) for site in waiting):
        return None
    return _framed(state, made, [], history, near[0], window, rng)


def _typing(session: Session, order: Sequence[Site], rng: random.Random) -> Example | None:
    """A change broken off in the middle of a line, the cursor there; the rest of it is what comes next."""
    made = rng.randint(0, len(order) - 1)
    target = order[made]
    state = _State(session, order[:made])
    change = state.change(target)
    if not small(change) or not change.text.strip():
        return None
    broken = _broken_off(state.hunk(target), rng)
    if broken is None:
        return None
    text, row, column = broken
    state = _State(session, order[:made], {target: text})
    history = (*(_history(state, order[:made]) or ()), state.hunk(target))[-HISTORY:]
    lines, spans = state.lay_out(target[0])
    window = _window(len(lines), *spans[target], rng)
    if window is None:
        return None
    found = _framed(state, order[:made], order[made:], history, target[0], window, rng)
    if found is None or not found.answers:
        return None
    line = spans[target][0] + row - window[0]
    # Only the line being written and what follows it changes: the lines above it are as they should be.
    rest = "".join(split_lines(change.text)[row:])
    first, *others = found.answers
    return Example("typing", found.history, found.region, (line, column), (Change(line, first.end, rest), *others), found.more)


def _broken_off(hunk: Hunk, rng: random.Random) -> tuple[str, int, int] | None:
    """The change's text while its line ``row`` is being written, and the cursor's row and column in it."""
    new, old = ([line[:-1] for line in split_lines(text)] for text in (hunk.new, hunk.old))
    row = rng.randrange(len(new))
    line, before = new[row], old[row] if row < len(old) else ""
    start = next((i for i, (a, b) in enumerate(zip(line, before, strict=False)) if a != b), min(len(line), len(before)))
    tail = 0
    while tail < min(len(line), len(before)) - start and line[-1 - tail] == before[-1 - tail]:
        tail += 1
    start = max(start, len(line) - len(line.lstrip()))
    borders = [i for i in range(start + 1, len(line) - tail) if _border(line, i)]
    if not borders:
        return None
    cut = rng.choice(borders)
    closing = line[len(line) - tail :] if rng.random() < 0.7 else ""
    kept = old[row + 1 :] if len(old) == len(new) else []
    return "".join(text + "\n" for text in [*new[:row], line[:cut] + closing, *kept]), row, cut


def _border(line: str, at: int) -> bool:
    """Whether a token may end at column ``at``; inside a name one place in six."""
    return not (line[at - 1].isalnum() and line[at].isalnum()) or at % 6 == 0
