"""Moments of work, made from commits: some changes done, the cursor after the last one, the others still to come.

A commit does not say in which order it was written, so several are tried: down the files, up, to what lies nearest, another
file first. Knows texts and hunks; does not know predictions (`replay_truth` judges them).
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from assistant.next_edit.replay_diff import LineHunk
from assistant.next_edit.replay_git import LANGUAGES, Commit
from assistant.next_edit.types import Change, Document, Scene
from assistant.text import common_suffix, first_difference

ORDERS = ("down", "up", "near", "files")
PAUSE_S = 5.7
"""Between two changes: the median of a recorded session."""
REMEMBERED = 10
Site = tuple[int, int]  # number of the file, number of the hunk in it


@dataclass(frozen=True)
class Moment:
    """A scene, and how it goes on: the text that each document has in the end, by uri.

    ``kind``: "between" two changes; "switched": between two, the next file already in front; "typing": in the middle of a line;
    "finished": nothing follows. ``order`` is one of `ORDERS`, or how a session was recorded.
    """

    repository: str
    name: str
    kind: str
    order: str
    scene: Scene
    final: dict[str, str]


@dataclass(frozen=True)
class Stored:
    """Files, (path, text), that are not open: an `assistant.next_edit.types.Files`."""

    files: tuple[tuple[str, str], ...]

    def naming(self, identifier: str, limit: int = 32) -> Iterator[str]:
        return islice((path for path, text in self.files if identifier in text), limit)

    def read(self, path: str) -> Document | None:
        text = next((text for name, text in self.files if name == path), None)
        return None if text is None else Document(_uri(path), path, LANGUAGES.get(path[path.rfind(".") :], ""), text)


class _Work:
    """A commit with some of its hunks made, in the order of ``done``."""

    def __init__(self, commit: Commit) -> None:
        self.commit = commit
        self.done: list[Site] = []
        self.changes: list[Change] = []
        self.texts = [file.before for file in commit.files]
        self.cursor = (0, 0)

    def hunk(self, site: Site) -> LineHunk:
        return self.commit.files[site[0]].hunks[site[1]]

    def make(self, site: Site, lines: Sequence[str] | None = None, cursor: tuple[int, int] | None = None) -> None:
        """Make a hunk, or as much of it as ``lines`` are; ``cursor`` is (row, column) in them, else at the change's end."""
        file = self.commit.files[site[0]]
        hunk = self.hunk(site)
        moved = sum(
            self.hunk(other).new_end - self.hunk(other).new_start - (self.hunk(other).end - self.hunk(other).start)
            for other in self.done
            if other[0] == site[0] and other[1] < site[1]
        )
        old = self.texts[site[0]].split("\n")
        new = file.after.split("\n")[hunk.new_start : hunk.new_end] if lines is None else list(lines)
        start = hunk.start + moved
        after = [*old[:start], *new, *old[start + hunk.end - hunk.start :]]
        change = _change(_uri(file.path), self.texts[site[0]], "\n".join(after), len(self.changes) * PAUSE_S)
        self.texts[site[0]] = change.after
        self.changes.append(change)
        self.done.append(site)
        offset = change.start + len(change.inserted)
        if cursor is not None:
            offset = sum(len(line) + 1 for line in after[: start + cursor[0]]) + cursor[1]
        self.cursor = site[0], offset

    def scene(self, front: int | None = None) -> Scene:
        """The file of the last change in front, the cursor at its end; or another file, the cursor at its top."""
        documents = [
            Document(_uri(file.path), file.path, file.language, text, len(self.done))
            for file, text in zip(self.commit.files, self.texts, strict=True)
        ]
        number, offset = self.cursor if front is None else (front, 0)
        beside = [
            Document(_uri(path), path, LANGUAGES.get(path[path.rfind(".") :], ""), text, 1) for path, text in self.commit.beside
        ]
        others = [one for index, one in enumerate(documents) if index != number] + beside
        files = Stored(self.commit.stored)
        return Scene(documents[number], offset, tuple(others), tuple(self.changes[-REMEMBERED:]), files)


def moments(commit: Commit, seed: int = 0) -> Iterator[Moment]:
    """The moments of a commit: after each change but the last, in an order drawn anew; one while typing, one when finished."""
    rng = random.Random(f"{seed}:{commit.name}")
    sites = [(f, h) for f, file in enumerate(commit.files) for h in range(len(file.hunks))]
    for made in range(1, len(sites)):
        order = rng.choice(ORDERS if len(commit.files) > 1 else ORDERS[:3])
        yield _between(commit, order, _ordered(commit, order, sites, rng), made, rng)
    order = rng.choice(ORDERS[:3])
    path = _ordered(commit, order, sites, rng)
    typing = _typing(commit, order, path, rng)
    if typing is not None:
        yield typing
    work = _Work(commit)
    for site in path:
        work.make(site)
    yield _moment(work, "finished", order, work.scene())


def _between(commit: Commit, order: str, path: Sequence[Site], made: int, rng: random.Random) -> Moment:
    work = _Work(commit)
    if order == "files":  # stop where the file changes
        stops = [at for at in range(1, len(path)) if path[at][0] != path[at - 1][0]]
        made = rng.choice(stops)
    for site in path[:made]:
        work.make(site)
    switched = path[made][0] != path[made - 1][0] and rng.random() < 0.5
    scene = work.scene(path[made][0]) if switched else work.scene()
    return _moment(work, "switched" if switched else "between", order, scene)


def _typing(commit: Commit, order: str, path: Sequence[Site], rng: random.Random) -> Moment | None:
    """A change broken off at the border of a word in one of its lines."""
    work = _Work(commit)
    made = rng.randrange(len(path))
    for site in path[:made]:
        work.make(site)
    site = path[made]
    hunk, file = work.hunk(site), commit.files[site[0]]
    new = file.after.split("\n")[hunk.new_start : hunk.new_end]
    old = file.before.split("\n")[hunk.start : hunk.end]
    rows = [row for row, line in enumerate(new) if line.strip() and not (len(old) == len(new) and old[row] == line)]
    if not rows:
        return None
    row = rng.choice(rows)
    line, was = new[row], old[row] if len(old) == len(new) else ""
    borders = _borders(line, was)
    if not borders:
        return None
    cut = rng.choice(borders)
    tail = _common_end(line, was)
    rest = line[len(line) - tail :] if tail and cut <= len(line) - tail else ""
    kept = old[row + 1 :] if len(old) == len(new) else []
    work.make(site, [*new[:row], line[:cut] + rest, *kept], (row, cut))
    return _moment(work, "typing", order, work.scene())


def _borders(line: str, was: str) -> list[int]:
    """Columns where a word ends inside what is new in the line."""
    start = max(first_difference(line, was), len(line) - len(line.lstrip())) + 1
    stop = len(line) - _common_end(line, was)
    return [at for at in range(start, stop) if not (line[at - 1].isalnum() and line[at].isalnum())]


def _common_end(line: str, was: str) -> int:
    return common_suffix(line, was, first_difference(line, was))


def _moment(work: _Work, kind: str, order: str, scene: Scene) -> Moment:
    final = {_uri(file.path): file.after for file in work.commit.files}
    return Moment(work.commit.repository, work.commit.name, kind, order, scene, final)


def _ordered(commit: Commit, order: str, sites: Sequence[Site], rng: random.Random) -> list[Site]:
    files = list(range(len(commit.files)))
    rng.shuffle(files)
    by_file = [[site for site in sites if site[0] == file] for file in files]
    if order == "down" or order == "files":
        return [site for file in by_file for site in file]
    if order == "up":
        return [site for file in by_file for site in reversed(file)]
    return [site for file in by_file for site in _nearest(commit, file, rng)]


def _nearest(commit: Commit, sites: list[Site], rng: random.Random) -> list[Site]:
    """From any hunk to the nearest one that is left, and so on."""
    left = list(sites)
    path = [left.pop(rng.randrange(len(left)))]
    hunks = commit.files[path[0][0]].hunks
    while left:
        here = hunks[path[-1][1]].start
        path.append(left.pop(min(range(len(left)), key=lambda at: abs(hunks[left[at][1]].start - here))))
    return path


def _uri(path: str) -> str:
    return f"replay:///{path}"


def _change(uri: str, before: str, after: str, at: float) -> Change:
    """The change between two texts, without what both begin and end with."""
    start = first_difference(before, after)
    end = common_suffix(before, after, start)
    return Change(uri, before, start, before[start : len(before) - end], after[start : len(after) - end], at)
