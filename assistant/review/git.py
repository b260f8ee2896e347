"""Plain `git` as a subprocess: hardened, never interactive, never the network. Answers bytes and names.

Whatever a repository or a user has configured, no pager, external diff, text converter, hook or file-system monitor of theirs
runs. Knows nothing of diffs, languages or reviews.
"""

from __future__ import annotations

import os
import stat
import subprocess
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

TIMEOUT_S = 60.0
"""A diff of 100,000 lines takes two seconds; a file system that hangs must not hold a review for ever."""

_QUIET = ("core.fsmonitor=false", f"core.hooksPath={os.devnull}", "core.pager=cat", "color.ui=false", "submodule.recurse=false")
_ENVIRONMENT = {
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_PAGER": "cat",
    "LC_ALL": "C",
}
_UNSET = ("GIT_EXTERNAL_DIFF", "GIT_DIFF_OPTS", "GIT_TRACE", "GIT_CONFIG_PARAMETERS")

SYMLINK, SUBMODULE = "120000", "160000"
"""Modes of entries that hold no source text of this repository."""


_O_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_READING = os.O_RDONLY | _O_NOFOLLOW | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
"""A pipe with a source file's name must not hold anybody."""


class GitError(Exception):
    """There is nothing to review with git; the text says why, and what to do, in one sentence."""


@dataclass(frozen=True)
class Entry:
    """One line of ``git diff --raw``: modes, object names (all zeros: look at the disk) and paths; ``status`` is one letter."""

    status: str
    old_mode: str
    new_mode: str
    old_id: str
    new_id: str
    old_path: str
    path: str


class Git:
    """One repository. ``root`` is the top folder of its working tree."""

    def __init__(self, root: str) -> None:
        self.root = root
        self._lock = threading.Lock()
        self._untracked: list[str] | None = None

    @classmethod
    def around(cls, folder: str) -> Git:
        """The repository that holds ``folder``. Raises `GitError`."""
        if not os.path.isdir(folder):
            raise GitError(f"{folder} is not a folder")
        here = cls(folder)
        done = here._try("rev-parse", "--show-toplevel")
        if done.returncode == 0 and (top := _name(done.stdout.removesuffix(b"\n"))):
            return cls(os.path.normpath(top))
        said = done.stderr.decode("utf-8", "replace").strip()
        if "dubious ownership" in said:
            raise GitError(f"git does not trust {folder}, which belongs to another user; see `git help config`, safe.directory")
        if done.returncode == 0 or "must be run in a work tree" in said:
            raise GitError(f"{folder} belongs to a bare repository, which has no files to review")
        raise GitError(f"{folder} is not in a git repository; run `git init` there, or name another folder with --path")

    def run(self, *arguments: str, given: bytes | None = None) -> bytes:
        """What git prints. Raises `GitError` with git's own first line."""
        done = self._try(*arguments, given=given)
        if done.returncode != 0:
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()
            raise GitError(f"git {arguments[0]} failed: {said[0] if said else f'exit code {done.returncode}'}")
        return done.stdout

    def ask(self, *arguments: str) -> str | None:
        """One line that git prints, or ``None`` when it fails."""
        done = self._try(*arguments)
        return done.stdout.decode("utf-8", "surrogateescape").strip() if done.returncode == 0 else None

    def commit(self, revision: str) -> str:
        """The object name of a commit. Raises `GitError` for what is none."""
        found = self.ask("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        if not found:
            raise GitError(f"{revision} is not a commit of this repository; `git log` names some")
        return found

    def head(self) -> str | None:
        """The commit that is checked out; ``None`` before the first one."""
        return self.ask("rev-parse", "--verify", "--quiet", "HEAD^{commit}") or None

    def empty_tree(self) -> str:
        """The object name of a tree without files, in the hash of this repository."""
        return self.run("hash-object", "-t", "tree", "--stdin", given=b"").decode().strip()

    def is_merging(self) -> bool:
        """Whether a merge, rebase, cherry-pick or revert waits to be finished."""
        folder = self.ask("rev-parse", "--absolute-git-dir") or ""
        names = ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "rebase-merge", "rebase-apply")
        return any(os.path.exists(os.path.join(folder, name)) for name in names)

    def entries(self, *arguments: str) -> list[Entry]:
        """What differs, renames found, sorted by path. ``arguments`` say what is compared with what."""
        given = ("--raw", "-z", "--no-abbrev", "--find-renames", "-l1000", "--no-ext-diff", "--no-textconv")
        return list(_entries(self.run("diff", *given, "--ignore-submodules=dirty", *arguments, "--")))

    def untracked(self) -> list[str]:
        """Files that git does not know and does not ignore, as at the first question: it looks into every folder."""
        with self._lock:
            if self._untracked is None:
                self._untracked = _names(self.run("ls-files", "-z", "--others", "--exclude-standard"))
            return self._untracked

    def unmerged(self) -> set[str]:
        """Files with conflicts."""
        rows = self.run("ls-files", "-z", "--unmerged").split(b"\0")
        return {_name(row.partition(b"\t")[2]) for row in rows if row}

    def files(self, tree: str | None = None) -> dict[str, str]:
        """Path -> object name of every file in ``tree``, or in the index; links and submodules left out."""
        listed = self.run("ls-files", "-z", "--stage") if tree is None else self.run("ls-tree", "-r", "-z", "--full-tree", tree)
        found = {}
        for row in listed.split(b"\0"):
            head, tab, path = row.partition(b"\t")
            words = head.decode("ascii", "replace").split()
            if tab and words[0] not in (SYMLINK, SUBMODULE):
                found[_name(path)] = words[1] if tree is None else words[2]
        return found

    def dirty(self) -> set[str]:
        """Files whose text on disk may differ from the index."""
        return set(_names(self.run("diff-files", "-z", "--name-only", "--ignore-submodules=all")))

    def generated(self, paths: Iterable[str]) -> set[str]:
        """Those that .gitattributes calls ``linguist-generated`` or ``linguist-vendored``."""
        given = b"\0".join(os.fsencode(path) for path in paths)
        if not given:
            return set()
        rows = self.run("check-attr", "-z", "--stdin", "linguist-generated", "linguist-vendored", given=given).split(b"\0")
        triples = zip(rows[0::3], rows[1::3], rows[2::3], strict=False)
        return {_name(path) for path, _, value in triples if value in (b"set", b"true")}

    def blobs(self, ids: Iterable[str]) -> Iterator[tuple[str, bytes | None]]:
        """The contents of objects, in their order; ``None`` for one that is not here. One process for all."""
        wanted = list(ids)
        given = "".join(f"{id}\n" for id in wanted).encode()
        data = self.run("cat-file", "--batch", "--buffer", given=given) if wanted else b""
        at = 0
        for id in wanted:
            end = data.index(b"\n", at)
            words, at = data[at:end].split(), end + 1
            if len(words) < 3 or not words[2].isdigit():
                yield id, None
                continue
            size = int(words[2])
            yield id, data[at : at + size]
            at += size + 1

    def _try(self, *arguments: str, given: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
        command = ["git", *(word for option in _QUIET for word in ("-c", option)), *arguments]
        try:
            return subprocess.run(
                command,
                cwd=self.root,
                env=_environment(os.environ),
                input=given,
                stdin=subprocess.DEVNULL if given is None else None,
                capture_output=True,
                timeout=TIMEOUT_S,
                check=False,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except FileNotFoundError as error:
            raise GitError("git is not installed, or not on the PATH; a review compares with what git knows") from error
        except subprocess.TimeoutExpired as error:
            raise GitError(f"git {arguments[0]} took longer than {TIMEOUT_S:g} s; name a smaller range") from error
        except (OSError, ValueError) as error:
            raise GitError(f"git cannot be run: {error}") from error


def on_disk(root: str, path: str, most: int) -> bytes | None:
    """A file of the working tree, at most ``most`` + 1 bytes of it; ``None`` when it cannot be read or is a link."""
    try:
        handle = os.open(os.path.join(root, path), _READING)
    except (OSError, ValueError):  # it is not there, it is a link, its name is none
        return None
    try:
        if not _O_NOFOLLOW and os.path.islink(os.path.join(root, path)):
            return None
        status = os.fstat(handle)
        return _all_of(handle, min(status.st_size, most) + 1) if stat.S_ISREG(status.st_mode) else None
    except OSError:
        return None
    finally:
        os.close(handle)


def _all_of(handle: int, most: int) -> bytes:
    """The first ``most`` bytes; one call where the file is no longer than that, and two system calls less than `open`."""
    data = os.read(handle, most)
    while data and len(data) < most and (more := os.read(handle, most - len(data))):
        data += more
    return data


def _environment(base: Mapping[str, str]) -> dict[str, str]:
    return {**{name: value for name, value in base.items() if name not in _UNSET}, **_ENVIRONMENT}


def _names(data: bytes) -> list[str]:
    return [_name(part) for part in data.split(b"\0") if part]


def _name(data: bytes) -> str:
    """git writes paths in the file system's bytes; whatever they are, they must find the file again."""
    return os.fsdecode(data)


def _entries(data: bytes) -> Iterator[Entry]:
    parts = iter(data.split(b"\0"))
    for head in parts:
        if not head.startswith(b":"):
            continue
        old_mode, new_mode, old_id, new_id, status = head[1:].decode("ascii").split()
        old = new = _name(next(parts))
        if status[0] in "RC":
            new = _name(next(parts))
        yield Entry(status[0], old_mode, new_mode, old_id, new_id, old, new)
