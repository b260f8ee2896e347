"""Commits of a git history as sets of changes that belong together: each file before and after, and some files beside them.

Reads objects with plain git commands (`log --raw`, `ls-tree`, `cat-file --batch`); writes nothing and asks no network. Knows
no states and no predictions.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from assistant.next_edit.replay_diff import LineHunk, TooDifferent, hunks

LANGUAGES = {
    ".py": "python",
    ".js": "javascript",
    ".mjs": "javascript",
    ".cjs": "javascript",
    ".jsx": "javascriptreact",
    ".ts": "typescript",
    ".tsx": "typescriptreact",
}
COMMITS = 6000
"""Of a history, the newest; commits are drawn from all of them."""
MOST_HUNKS, MOST_CHANGED_LINES, LONGEST_LINE, LARGEST_FILE = 12, 120, 400, 200_000
BESIDE = 3
"""Files that the commit does not touch and that are open too: which files change must not be given away."""
STORED, LARGEST_STORED = 40, 100_000
"""Files that are not open and known all the same, as those of an indexed project are, and the characters of one at most."""


class HistoryError(Exception):
    """A folder holds no git history that can be read. The text is fit for the user."""


@dataclass(frozen=True)
class FileEdit:
    """One file of a commit; ``hunks`` lead from the lines of ``before`` to those of ``after``."""

    path: str
    language: str
    before: str
    after: str
    hunks: tuple[LineHunk, ...]


@dataclass(frozen=True)
class Commit:
    """Changes that were committed together; ``beside`` and ``stored`` are (path, text) of files that stayed as they were, open
    ones and others.
    """

    repository: str
    name: str
    files: tuple[FileEdit, ...]
    beside: tuple[tuple[str, str], ...] = ()
    stored: tuple[tuple[str, str], ...] = ()


def is_history(folder: Path) -> bool:
    """Whether a folder is a git repository, bare or with its files."""
    return (folder / ".git").exists() or ((folder / "objects").is_dir() and (folder / "HEAD").exists())


def repositories(folder: Path) -> list[Path]:
    """The git histories at ``folder``: itself, or the folders in it (or their folder ``repo``). Raises `HistoryError`."""
    if is_history(folder):
        return [folder]
    inside = sorted(one for one in folder.iterdir() if one.is_dir()) if folder.is_dir() else []
    found = [place for one in inside for place in (one, one / "repo") if is_history(place)]
    if not found:
        raise HistoryError(f"{folder} holds no git history: name a clone, bare or not, or a folder of clones")
    return found


def repository_name(folder: Path) -> str:
    return (folder.parent if folder.name in ("repo", ".git") else folder).name.removesuffix(".git")


def commits(folder: Path, count: int, seed: int = 0, newest: int = COMMITS) -> Iterator[Commit]:
    """Up to ``count`` commits that fit, drawn from the newest ones in an order that the seed fixes. Raises `HistoryError`."""
    found = _raw(folder, newest)
    random.Random(f"{seed}:{repository_name(folder)}").shuffle(found)
    with _Objects(folder) as objects:
        made = 0
        for name, files in found:
            if made == count:
                return
            commit = _commit(folder, name, files, objects)
            if commit is not None:
                made += 1
                yield commit


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    environment = {**os.environ, "GIT_NO_LAZY_FETCH": "1", "GIT_OPTIONAL_LOCKS": "0"}
    try:
        done = subprocess.run(command, capture_output=True, env=environment, check=False)
    except OSError as error:
        raise HistoryError(f"git cannot be run: {error}") from error
    if done.returncode:
        reason = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or ["no reason given"]
        raise HistoryError(f"git cannot read {folder}: {reason[0]}")
    return done.stdout.decode("utf-8", "replace")


def _raw(folder: Path, newest: int) -> list[tuple[str, list[tuple[str, str, str]]]]:
    """(commit, [(path, old blob, new blob)]) of commits that change source files and add or delete none."""
    patterns = [f"*{ending}" for ending in LANGUAGES]
    options = ["--raw", "--no-abbrev", "--no-renames", "--no-merges", f"-n{newest}", "--format=%x01%H"]
    found: list[tuple[str, list[tuple[str, str, str]]]] = []
    for line in _git(folder, "log", *options, "--", *patterns).split("\n"):
        if line.startswith("\x01"):
            found.append((line[1:], []))
        elif line.startswith(":") and "\t" in line:
            head, path = line.split("\t", 1)
            _, mode, old, new, kind = head.split()
            if kind == "M" and mode.startswith("100"):
                found[-1][1].append((path, old, new))
    return [(name, files) for name, files in found if 1 <= len(files) <= MOST_HUNKS]


def _commit(folder: Path, name: str, files: Sequence[tuple[str, str, str]], objects: _Objects) -> Commit | None:
    edits = []
    room = MOST_CHANGED_LINES
    for path, old, new in files:
        before, after = objects.text(old), objects.text(new)
        edit = _edit(path, before, after, room) if before is not None and after is not None else None
        if edit is None:
            return None
        room -= sum(one.end - one.start + one.new_end - one.new_start for one in edit.hunks)
        edits.append(edit)
    if not 1 <= sum(len(edit.hunks) for edit in edits) <= MOST_HUNKS or room < 0 or all(map(_only_space, edits)):
        return None
    tree = [one for one in _tree(folder, name) if one[0] not in {edit.path for edit in edits}]
    beside = _beside(name, edits, tree, objects)
    stored = _stored(name, edits, [one for one in tree if one[0] not in dict(beside)], objects)
    return Commit(repository_name(folder), name, tuple(edits), beside, stored)


def _edit(path: str, before: str, after: str, room: int) -> FileEdit | None:
    if max(len(before), len(after)) > LARGEST_FILE or "\r" in before + after:
        return None
    old, new = before.split("\n"), after.split("\n")
    if max(map(len, (*old, *new))) > LONGEST_LINE:
        return None
    try:
        found = tuple(hunks(old, new, max(0, room)))
    except TooDifferent:
        return None
    return FileEdit(path, LANGUAGES[PurePosixPath(path).suffix], before, after, found) if found else None


def _only_space(edit: FileEdit) -> bool:
    return "".join(edit.before.split()) == "".join(edit.after.split())


def _tree(folder: Path, name: str) -> list[tuple[str, str]]:
    """(path, blob) of the source files of a commit."""
    found = []
    for row in _git(folder, "ls-tree", "-r", name).split("\n"):
        head, _, path = row.partition("\t")
        if " blob " in head and PurePosixPath(path).suffix in LANGUAGES:
            found.append((path, head.split()[2]))
    return found


def _beside(
    name: str, edits: Sequence[FileEdit], tree: Sequence[tuple[str, str]], objects: _Objects
) -> tuple[tuple[str, str], ...]:
    """Source files of the same folders that the commit leaves alone; which ones, its name decides."""
    folders = {PurePosixPath(edit.path).parent for edit in edits}
    found = [one for one in tree if PurePosixPath(one[0]).parent in folders]
    random.Random(name).shuffle(found)
    return _texts(found[:BESIDE], LARGEST_FILE, objects)


def _stored(
    name: str, edits: Sequence[FileEdit], tree: Sequence[tuple[str, str]], objects: _Objects
) -> tuple[tuple[str, str], ...]:
    """What an index of the project would be asked for: files whose names the changed ones had in them before, say in an import,
    then files of the same folders, then any.
    """
    spoken = {word for edit in edits for word in re.findall(r"[\w-]+", edit.before)}
    folders = {PurePosixPath(edit.path).parent for edit in edits}
    found = list(tree)
    random.Random(name).shuffle(found)

    def distance(path: PurePosixPath) -> tuple[bool, bool]:
        stem = path.parent.name if path.stem in ("__init__", "index") else path.stem
        return stem not in spoken, path.parent not in folders

    return _texts(sorted(found, key=lambda one: distance(PurePosixPath(one[0])))[:STORED], LARGEST_STORED, objects)


def _texts(found: Sequence[tuple[str, str]], largest: int, objects: _Objects) -> tuple[tuple[str, str], ...]:
    texts = [(path, objects.text(blob)) for path, blob in found]
    return tuple((path, text) for path, text in texts if text is not None and len(text) <= largest and "\r" not in text)


class _Objects:
    """One `git cat-file --batch` for many blobs."""

    def __init__(self, folder: Path) -> None:
        environment = {**os.environ, "GIT_NO_LAZY_FETCH": "1"}
        command = ["git", "-C", str(folder), "cat-file", "--batch"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
        )

    def __enter__(self) -> _Objects:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def text(self, blob: str) -> str | None:
        """The blob's text; ``None`` for one that is missing or no UTF-8."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(blob.encode() + b"\n")
        self._process.stdin.flush()
        head = self._process.stdout.readline().split()
        if len(head) != 3:
            return None
        body = self._process.stdout.read(int(head[2]) + 1)[:-1]
        try:
            return body.decode("utf-8")
        except UnicodeDecodeError:
            return None
