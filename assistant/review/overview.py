"""A change in a few sentences: how large it is, what a person must read, what may be skimmed, what was left out.

Names definitions that the change touches, those named in most other files first. A template: it makes no judgement.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from assistant.review.changes import changed_lines
from assistant.review.places import is_test
from assistant.review.types import ChangeSet, FileChange, Project, Skipped
from assistant.workspace.extract import extract
from assistant.workspace.symbols import Definition

MUST_READ = 3
NAMES = 3
TELLING = 6
"""A shorter name (``run``, ``load``) stands in many files that mean another one."""

FILES_ASKED, NAMES_ASKED = 6, 2
"""For so many of the largest files and names in each their uses elsewhere are looked up: 15 ms a name in 30 MB."""


@dataclass(frozen=True)
class Touched:
    """One changed file: its lines, the definitions that changed, and how many other files name one of them."""

    change: FileChange
    size: int
    names: tuple[str, ...]
    users: int


def overview(changes: ChangeSet, project: Project, skipped: Sequence[Skipped]) -> str:
    """Two to four sentences; one for a change without anything to read."""
    title = changes.title[:1].upper() + changes.title[1:]
    files = [one for one in changes.files if one.hunks]
    if not files and not skipped:
        return f"{title}: nothing has changed."
    added = sum(h.new_end - h.new_start for one in files for h in one.hunks)
    removed = sum(h.old_end - h.old_start for one in files for h in one.hunks)
    said = [f"{title}: {_count(len(files), 'file')} to read, {_count(added, 'line')} added, {removed:,} removed."]
    must = list(_must_read(files, project))
    if must:
        said.append(f"Read first: {'; '.join(map(_described, must))}.")
    renamed = sum(1 for one in changes.files if not one.hunks and one.old_path not in ("", one.path))
    safe = Counter(_group(one.why) for one in skipped)
    if renamed:
        safe["renamed only"] += renamed
    if safe:
        said.append("Not reviewed: " + ", ".join(f"{n} {why}" for why, n in safe.most_common()) + ".")
    return " ".join(said)


def _must_read(files: Iterable[FileChange], project: Project) -> Iterator[Touched]:
    largest = sorted(files, key=lambda one: (is_test(one.path), -changed_lines(one), one.path))[:FILES_ASKED]
    touched = [_touched(one, project) for one in largest]
    touched.sort(key=lambda one: (is_test(one.change.path), -(one.size * (1 + one.users))))
    yield from touched[:MUST_READ]


def _touched(change: FileChange, project: Project) -> Touched:
    names = [one.qualified for one in changed_definitions(change)]
    users: set[str] = set()
    last = dict.fromkeys(name.rpartition(".")[2] for name in names)
    for name in [name for name in last if len(name) >= TELLING and not name.startswith("_")][:NAMES_ASKED]:
        users.update(path for path in project.naming(name, 20) if path != change.path)
    return Touched(change, changed_lines(change), tuple(names), len(users))


def changed_definitions(change: FileChange) -> list[Definition]:
    """The innermost functions and classes that hold changed lines, most changed lines first."""
    text = change.new if change.new is not None else change.old or ""
    symbols = extract(text, change.language, change.path)
    starts = [0]
    for line in text.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    spans = [(h.new_start, h.new_end) if change.new is not None else (h.old_start, h.old_end) for h in change.hunks]
    definitions = [d for d in symbols.definitions if d.kind in ("function", "method", "class", "struct", "interface", "enum")]
    changed = _sums(((start, end) if end > start else (start - 1, start + 1) for start, end in spans), len(starts))
    counts = []
    for one in definitions:
        first, last = bisect_right(starts, one.start) - 1, bisect_right(starts, max(one.start, one.end - 1)) - 1
        counts.append(changed[last + 1] - changed[first])
    inner = [k for k in range(len(definitions)) if counts[k] and not _is_in_one_part(definitions, counts, k)]
    return [definitions[k] for k in sorted(inner, key=lambda k: (-counts[k], definitions[k].start))]


def _sums(spans: Iterable[tuple[int, int]], lines: int) -> list[int]:
    """How many changed lines stand in front of each line."""
    steps = [0] * (lines + 2)
    for start, end in spans:
        steps[min(max(0, start), lines)] += 1
        steps[min(end, lines)] -= 1
    return list(accumulate(accumulate(steps), initial=0))


def _is_in_one_part(definitions: Sequence[Definition], counts: Sequence[int], k: int) -> bool:
    """Whether all that changed in a definition did in one inside of it. They come in the order of the text."""
    for other in range(k + 1, len(definitions)):
        if definitions[other].start >= definitions[k].end:
            return False
        if counts[other] == counts[k] and definitions[other].end <= definitions[k].end:
            return True
    return False


def _described(one: Touched) -> str:
    names = ", ".join(one.names[:NAMES]) + (f" and {len(one.names) - NAMES} more" if len(one.names) > NAMES else "")
    parts = [names] if names else []
    parts.append("deleted" if one.change.new is None else "new" if one.change.old is None else _count(one.size, "line"))
    if one.users:
        parts.append(f"named in {one.users} other file{'s' if one.users > 1 else ''}")
    path = "".join(character if character.isprintable() else "?" for character in one.change.path)
    return f"{path} ({'; '.join(parts)})"


def _group(why: str) -> str:
    """Reasons that differ in a number only are one."""
    return "too large" if "changed lines" in why or "larger than" in why else why.partition(" (")[0]


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"
