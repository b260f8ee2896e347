"""What changed, as values: a repository's working tree, index, revision or range, or texts that somebody holds.

Reads both sides of every file once, says what is left out and why, and leaves out what is no one's to review. Knows git only
through `git.Git`; knows no rules.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from assistant.review import mechanical
from assistant.review.diff import hunks
from assistant.review.git import SUBMODULE, SYMLINK, Entry, Git, GitError, on_disk
from assistant.review.places import is_test as is_test
from assistant.review.types import ChangeSet, FileChange, Hunk, Skipped
from assistant.workspace import languages

MAX_FILES = 400
MAX_LINES = 30_000
MAX_FILE_LINES = 8_000
MAX_BYTES = 1_000_000
MAX_UNTRACKED = 200
"""How much of one change is read: files, changed lines in all and in one file, bytes of a file, files new to git."""

_RANGE = re.compile(r"(?P<left>.*?)(?P<dots>\.{2,3})(?P<right>.*)", re.DOTALL)


@dataclass(frozen=True)
class Scope:
    """What is compared: ``before`` (a tree) with ``after`` (a tree; "" for the index or the disk), as ``side`` says."""

    before: str
    after: str
    side: Literal["disk", "index", "tree"]
    title: str


def scope(git: Git, what: str = "", staged: bool = False) -> Scope:
    """Read what the user named: nothing, a revision (the disk against it), ``A..B``, ``A...B``, ``A^!``. Raises `GitError`."""
    if what.startswith("-"):
        raise GitError(f"{what} is no revision; a revision or range looks like HEAD~1, main... or HEAD~3..HEAD")
    if staged:
        if ".." in what or what.endswith("^!"):
            raise GitError("--staged compares the index with one revision; leave the range out")
        before = git.commit(what) if what else _head_or_nothing(git)
        return Scope(before, "", "index", f"the index against {what or 'HEAD'}")
    if what.endswith("^!"):
        after = git.commit(what[:-2])
        before = git.ask("rev-parse", "--verify", "--quiet", f"{after}^1") or git.empty_tree()
        return Scope(before, after, "tree", f"commit {what[:-2]}")
    found = _RANGE.fullmatch(what)
    if found is None:
        before = git.commit(what) if what else _head_or_nothing(git)
        return Scope(before, "", "disk", f"the working tree against {what or 'HEAD'}")
    left, right = git.commit(found["left"] or "HEAD"), git.commit(found["right"] or "HEAD")
    if found["dots"] == "...":
        base = git.ask("merge-base", left, right)
        if not base:
            raise GitError(f"{found['left'] or 'HEAD'} and {found['right'] or 'HEAD'} have no common ancestor; use two dots")
        left = base
    return Scope(left, right, "tree", what)


def _head_or_nothing(git: Git) -> str:
    return git.head() or git.empty_tree()


def read(
    git: Git,
    where: Scope,
    buffers: Mapping[str, str] | None = None,
    excluded: Callable[[str], str | None] = lambda path: None,
    only: Iterable[str] | None = None,
) -> ChangeSet:
    """The change. ``buffers`` are texts that stand for the disk's, by path; ``excluded`` says why a path is not to be read.

    ``only``: paths to look at, all others are as if they had not changed. Raises `GitError`.
    """
    reader = _Reader(git, where, buffers or {}, excluded, set(only) if only is not None else None)
    return reader.read()


def of_texts(
    texts: Mapping[str, tuple[str | None, str | None]], root: str = "", title: str = "", skipped: Iterable[Skipped] = ()
) -> ChangeSet:
    """The change that turns the first text of each path into the second; ``None`` for a file that is not there."""
    made = [_change(path, path, old, new) for path, (old, new) in texts.items() if old != new]
    return gather(root, title, [one for one in made if one.hunks], list(skipped))


def gather(root: str, title: str, files: list[FileChange], skipped: list[Skipped]) -> ChangeSet:
    """What is left when all that is mechanical has been taken out, within the bounds; sources before tests."""
    files = sorted(files, key=lambda one: (is_test(one.path), one.path))
    kept: set[str] = set()
    total = 0
    for size, path in sorted((changed_lines(one), one.path) for one in files):  # a large file must not push out ten small ones
        if size > MAX_FILE_LINES:
            skipped.append(Skipped(path, f"{size:,} changed lines in one file"))
        elif len(kept) >= MAX_FILES or total + size > MAX_LINES:
            skipped.append(Skipped(path, f"the change is larger than {MAX_FILES} files or {MAX_LINES:,} lines"))
        else:
            kept.add(path)
            total += size
    files = [one for one in files if one.path in kept]
    bare = [mechanical.without_formatting(one) for one in mechanical.without_moves(files)]
    for before, after in zip(files, bare, strict=True):
        if before.hunks and not after.hunks:
            skipped.append(Skipped(before.path, "moved or formatted, nothing else"))
    return ChangeSet(root, title, tuple(bare), tuple(skipped))


def changed_lines(change: FileChange) -> int:
    """Lines that came or went, the larger of the two for each hunk."""
    return sum(max(one.old_end - one.old_start, one.new_end - one.new_start) for one in change.hunks)


def _change(path: str, old_path: str, old: str | None, new: str | None) -> FileChange:
    language = languages.language_of(path)
    return FileChange(path, language, old, new, hunks(old or "", new or ""), old_path)


class _Reader:
    def __init__(
        self, git: Git, where: Scope, buffers: Mapping[str, str], excluded: Callable[[str], str | None], only: set[str] | None
    ) -> None:
        self._git, self._where, self._buffers, self._excluded, self._only = git, where, buffers, excluded, only
        self._skipped: list[Skipped] = []

    def read(self) -> ChangeSet:
        """Both sides of every file that is worth reading."""
        git, where = self._git, self._where
        sides = {"disk": [where.before], "index": ["--cached", where.before], "tree": [where.before, where.after]}
        entries = [one for one in git.entries(*sides[where.side]) if self._is_wanted(one.path)]
        torn = git.unmerged() if where.side != "tree" else set()
        self._skipped += [Skipped(path, "has merge conflicts") for path in sorted(torn) if self._is_wanted(path)]
        entries = [one for one in entries if one.path not in torn]
        entries += self._unsaved(entries)
        generated = git.generated(one.path for one in entries)
        wanted = [one for one in entries if self._is_readable(one, generated)]
        blobs = self._blobs(wanted)
        files = [made for one in wanted if (made := self._file(one, blobs)) is not None]
        title = where.title + (" (a merge or rebase is not finished)" if git.is_merging() and where.side != "tree" else "")
        return gather(git.root, title, files, self._skipped)

    def _is_wanted(self, path: str) -> bool:
        return self._only is None or path in self._only

    def _unsaved(self, known: list[Entry]) -> list[Entry]:
        """Files that only the disk or an editor has changed: new to git, or clean on disk with an unsaved buffer."""
        if self._where.side != "disk":
            return []
        have = {one.path for one in known}
        new = [path for path in self._git.untracked() if self._is_wanted(path) and languages.language_of(path)]
        for path in new[MAX_UNTRACKED:]:
            self._skipped.append(Skipped(path, f"more than {MAX_UNTRACKED} files are new to git"))
        found = [Entry("A", "0", "100644", "", "", path, path) for path in new[:MAX_UNTRACKED]]
        open_now = [path for path in self._buffers if path not in have and path not in new and self._is_wanted(path)]
        if open_now:
            tracked = self._git.files(self._where.before)
            for path in open_now:
                id = tracked.get(path, "")
                found.append(Entry("M" if id else "A", "100644", "100644", id, "", path, path))
        return found

    def _is_readable(self, one: Entry, generated: set[str]) -> bool:
        why = self._why_not(one, generated)
        if why is not None:
            self._skipped.append(Skipped(one.path, why))
        return why is None

    def _why_not(self, one: Entry, generated: set[str]) -> str | None:
        if SUBMODULE in (one.old_mode, one.new_mode):
            return "a submodule"
        if SYMLINK in (one.old_mode, one.new_mode):
            return "a symbolic link"
        if one.path in generated:
            return "generated or vendored, says .gitattributes"
        excluded = self._excluded(one.path)
        if excluded is not None:
            return f"excluded ({excluded})"
        if not languages.language_of(one.path) and not languages.language_of(one.old_path):
            return mechanical.why_not(one.path, "") or "not source code"
        return mechanical.why_not(one.path, "")

    def _blobs(self, entries: list[Entry]) -> dict[str, bytes | None]:
        ids = {one.old_id for one in entries if one.status != "A"}
        if self._where.side != "disk":
            ids |= {one.new_id for one in entries if one.status != "D"}
        return dict(self._git.blobs(sorted(id for id in ids if id.strip("0"))))

    def _file(self, one: Entry, blobs: Mapping[str, bytes | None]) -> FileChange | None:
        try:
            old = None if one.status == "A" else self._text(one, blobs.get(one.old_id))
            new = None if one.status == "D" else self._new(one, blobs)
        except _UnreadableError as error:
            self._skipped.append(Skipped(one.path, str(error)))
            return None
        why = mechanical.why_not(one.path, new if new is not None else old or "")
        if why is not None:
            self._skipped.append(Skipped(one.path, why))
            return None
        if one.status == "C":  # a copy is a new file
            return _change(one.path, one.path, None, new)
        made = _change(one.path, one.old_path, old, new)
        return made if made.hunks or one.status in "RD" else None

    def _new(self, one: Entry, blobs: Mapping[str, bytes | None]) -> str:
        buffer = self._buffers.get(one.path)
        if self._where.side == "disk" and buffer is not None:
            return buffer
        if self._where.side == "disk":
            return self._text(one, on_disk(self._git.root, one.path, MAX_BYTES))
        return self._text(one, blobs.get(one.new_id))

    @staticmethod
    def _text(one: Entry, data: bytes | None) -> str:
        if data is None:
            raise _UnreadableError("cannot be read")
        if len(data) > MAX_BYTES:
            raise _UnreadableError("larger than 1 MB")
        if b"\0" in data[:8_000]:
            raise _UnreadableError("binary")
        try:
            text = data.decode("utf-8-sig" if data.startswith(b"\xef\xbb\xbf") else "utf-8")
        except UnicodeDecodeError:
            raise _UnreadableError("not UTF-8 text") from None
        if "\r" in text and re.search(r"\r(?!\n)", text):
            raise _UnreadableError("has lone carriage returns")
        return text


class _UnreadableError(Exception):
    """One side of a file is no text; the message is the reason to give."""


def as_new(change: FileChange) -> FileChange:
    """The same file as if all of it were new: every line is looked at."""
    end = len((change.new or "").split("\n"))
    return replace(change, old=None, hunks=(Hunk(0, 0, 0, end),))
