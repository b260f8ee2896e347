"""Edits that people made: the commits of the manifest's projects, read with git from bare copies that lie in the cache.

Knows `git log -p` and the manifest. Nothing is fetched: put ``git clone --bare`` of each project (OWNER/NAME) at
CACHE/histories/OWNER+NAME; one that is missing is passed over and named. A commit's hunks come with 20 lines of context, which
is all that an example shows.
"""

from __future__ import annotations

import logging
import re
import subprocess
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from assistant.edit_format import Change
from assistant.training import filters
from assistant.training.edits import Segment, Session
from assistant.training.sources import History

log = logging.getLogger(__name__)

CONTEXT = 20
COMMITS = 6000  # of each project, the newest that its revision knows
MOST_CHANGES, MOST_CHANGED_LINES, LONGEST_LINE = 12, 120, 200
TEST_SHARE = 0.4
_WORD = re.compile(r"[A-Za-z_]\w+")
_COMMIT = "\x01commit"


def sessions(
    histories: Iterable[History], folder: Path, forbidden: Callable[[str], bool], reserved: frozenset[str]
) -> Iterator[Session]:
    """The commits worth learning from. ``forbidden`` says whether a text resembles what evaluation holds out."""
    for history in histories:
        place = folder / history.name.replace("/", "+")
        if not place.exists():
            log.info("no history of %s at %s: passed over", history.name, place)
            continue
        for files in _commits(_log(place, history.revision)):
            session = _session(history.name, files, forbidden, reserved)
            if session is not None:
                yield session


def _log(place: Path, revision: str) -> Iterator[str]:
    """Lines of the log, without their newlines."""
    command = ["git", "-C", str(place), "log", revision, f"-n{COMMITS}", "--no-merges", "--no-color", "--no-ext-diff", "-p"]
    command += [f"-U{CONTEXT}", "--no-renames", "--diff-filter=M", f"--format=tformat:{_COMMIT}", "--", "*.py"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as git:
        assert git.stdout is not None
        for line in git.stdout:
            yield line.decode("utf-8", "replace").rstrip("\n")
    if git.returncode:
        log.info("git cannot read %s at %s: is it a bare clone?", place, revision)


def _commits(lines: Iterable[str]) -> Iterator[list[tuple[str, list[str]]]]:
    """Each commit as its files' pieces: (path, lines of one hunk with their first column)."""
    files: list[tuple[str, list[str]]] = []
    path = ""
    inside = False
    for line in lines:
        if line == _COMMIT:
            if files:
                yield files
            files, inside = [], False
        elif line.startswith("+++ ") and not inside:
            path = line[6:]
        elif line.startswith("diff --git "):
            inside = False
        elif line.startswith("@@ "):
            inside = True
            files.append((path, []))
        elif inside and line[:1] in (" ", "+", "-"):
            files[-1][1].append(line)
    if files:
        yield files


def _session(
    project: str, files: list[tuple[str, list[str]]], forbidden: Callable[[str], bool], reserved: frozenset[str]
) -> Session | None:
    """The commit's changes, where they are few, small, of one kin and fit to be learnt from."""
    segments = []
    for path, hunk in files:
        if filters.is_vendored(path, reserved) or (filters.is_test(path) and zlib.crc32(path.encode()) % 10 >= 10 * TEST_SHARE):
            continue
        segment = _segment(f"{project.partition('/')[2]}/{path}", hunk)
        if segment is not None:
            segments.append(segment)
    changes = [change for segment in segments for change in segment.changes]
    size = sum(change.end - change.start + change.text.count("\n") for change in changes)
    if not 1 <= len(changes) <= MOST_CHANGES or size > MOST_CHANGED_LINES or not _akin(segments):
        return None
    texts = ["".join(segment.lines) + "".join(change.text for change in segment.changes) for segment in segments]
    if any(filters.has_secret(text) or forbidden(text) for text in texts):
        return None
    return Session("commit", tuple(segments))


def _segment(path: str, hunk: list[str]) -> Segment | None:
    """One hunk with its context, addresses made anonymous; None for long lines and for a change of white space alone."""
    old: list[str] = []
    changes: list[Change] = []
    gone: list[str] = []
    new: list[str] = []
    for line in [*hunk, " "]:
        text = filters.anonymous(line[1:].rstrip("\r")) + "\n"
        if len(text) > LONGEST_LINE:
            return None
        if line[0] == "-":
            gone.append(text)
        elif line[0] == "+":
            new.append(text)
        else:
            if gone or new:
                if "".join("".join(gone).split()) == "".join("".join(new).split()):
                    return None
                changes.append(Change(len(old), len(old) + len(gone), "".join(new)))
                old += gone
                gone, new = [], []
            old.append(text)
    return Segment(path, tuple(old[:-1]), tuple(changes)) if changes else None


def _akin(segments: list[Segment]) -> bool:
    """Whether the changes have to do with each other: most share a word with what another one adds or takes away."""
    words = [_changed_words(segment, change) for segment in segments for change in segment.changes]
    if len(words) < 2:
        return True
    linked = sum(any(mine & other for j, other in enumerate(words) if i != j) for i, mine in enumerate(words))
    return linked >= 0.7 * len(words)


def _changed_words(segment: Segment, change: Change) -> set[str]:
    old = set(_WORD.findall("".join(segment.lines[change.start : change.end])))
    return old ^ set(_WORD.findall(change.text))
