"""Which files stay out of sight: exclude globs, .gitignore and .git/info/exclude, for paths and for editors' URIs.

Reads ignore files once and again only when they change; knows nothing of what a file holds. The user's global git
excludes are not read.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path, PurePath
from urllib.parse import unquote, urlsplit

from pathspec import GitIgnoreSpec

from assistant.config import Config

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")  # two characters or more: C: is a drive
_DRIVE = re.compile(r"/[A-Za-z]:")


def path_of(path_or_uri: str) -> str:
    """The path of a ``file:`` or notebook-cell URI, what stands in the path's place in others (``untitled:``), a path
    as it is.
    """
    if not _SCHEME.match(path_or_uri):
        return path_or_uri
    try:
        parts = urlsplit(path_or_uri)
    except ValueError:
        return path_or_uri
    path = unquote(parts.path)
    if parts.scheme == "file" and parts.netloc not in ("", "localhost"):
        return f"//{parts.netloc}{path}"
    return path[1:] if _DRIVE.match(path) else path


def _is_on_disk(path_or_uri: str) -> bool:
    """Whether the text names a file that may have a folder, so that git's rules apply."""
    scheme = _SCHEME.match(path_or_uri)
    local = scheme is None or scheme.group().lower() in ("file:", "vscode-notebook-cell:")
    return local and os.path.isabs(path_of(path_or_uri))


@lru_cache(maxsize=16)
def _globs(patterns: tuple[str, ...]) -> tuple[tuple[str, GitIgnoreSpec, bool], ...]:
    """Each pattern with its matcher, in lower case, and whether it names a whole folder."""
    return tuple((p, _spec([p.lower()]), p.endswith(("/", "/**"))) for p in patterns)


def _names(path_or_uri: str) -> tuple[PurePath, ...]:
    """The file's own name and what it links to, both absolute; for what is not on disk, what stands in the path's place."""
    path = path_of(path_or_uri)
    try:
        if _is_on_disk(path_or_uri):
            return tuple(dict.fromkeys((Path(os.path.abspath(path)), Path(os.path.realpath(path)))))
    except (OSError, ValueError):
        pass  # no path that this system knows
    return (PurePath(path),)


class Excluder:
    """Answers for files in and outside the workspace folders ``roots``."""

    def __init__(self, roots: Iterable[str | Path]) -> None:
        self._roots = [Path(os.path.abspath(root)) for root in roots]
        self._roots += [real for root in self._roots if (real := Path(os.path.realpath(root))) != root]
        self._specs: dict[Path, tuple[tuple[int, int], GitIgnoreSpec]] = {}

    def reason(self, path_or_uri: str, config: Config) -> str | None:
        """One sentence that says why the file is excluded, or ``None``. A link is judged by its own name and by what it
        points to.
        """
        for name in _names(path_or_uri):
            found = self._excluded(name, config.exclude)
            if found is None and isinstance(name, Path) and config.respect_gitignore:
                found = self._ignored(name)
            if found:
                return found
        return None

    def _root(self, path: PurePath) -> Path | None:
        """The innermost workspace folder that holds ``path``."""
        holding = [root for root in self._roots if path.is_relative_to(root)]
        return max(holding, key=lambda root: len(root.parts), default=None)

    def _excluded(self, path: PurePath, patterns: tuple[str, ...]) -> str | None:
        """The last pattern that speaks of the path decides, so ``!`` can take a file out again. Names count inside the
        workspace folder only (a project may be called *secret santa*); folder patterns such as ``**/.ssh/**`` count
        above it too.
        """
        root = self._root(path)
        whole = path.as_posix().lower().lstrip("/")
        inner = path.relative_to(root).as_posix().lower() if root else whole
        decisive: str | None = None
        for pattern, spec, is_folder in _globs(patterns):
            verdict = spec.check_file(whole if is_folder else inner).include
            if verdict is not None:
                decisive = pattern if verdict else None
        return f"{path.name} matches the exclude pattern {decisive}" if decisive else None

    def _ignored(self, path: Path) -> str | None:
        """Git's own rule: the nearest ignore file that speaks of the path decides, and nothing inside an ignored folder
        comes back.
        """
        top = self._repository(path)
        if top is None:
            return None
        below = path.relative_to(top).parts
        for depth in range(1, len(below) + 1):
            is_folder = depth < len(below)
            if self._verdict(top, below[:depth], is_folder):
                what = f"its folder {below[depth - 1]}" if is_folder else "it"
                return f"{path.name} stays out of sight because .gitignore names {what}"
        return None

    def _repository(self, path: Path) -> Path | None:
        """The folder whose ignore files count: the repository's top, else the workspace folder. A workspace that the repository
        ignores as a whole (a project below a home directory under git) was opened on purpose and has its own rules only."""
        root = self._root(path)
        top = next((folder for folder in path.parents if os.path.exists(folder / ".git")), None)
        if root is None or root == path:
            return top
        if top is None or not root.is_relative_to(top):
            return root if top is None else top
        above = root.relative_to(top).parts
        ignored = any(self._verdict(top, above[:depth], True) for depth in range(1, len(above) + 1))
        return root if ignored else top

    def _verdict(self, top: Path, parts: tuple[str, ...], is_folder: bool) -> bool:
        for spec, depth in self._sources(top, parts):
            name = "/".join(parts[depth:]) + ("/" if is_folder else "")
            include = spec.check_file(name).include
            if include is not None:
                return include
        return False

    def _sources(self, top: Path, parts: tuple[str, ...]) -> Iterator[tuple[GitIgnoreSpec, int]]:
        """Ignore files that may speak of ``top / parts``, the weightiest first, and how many of ``parts`` lie above each."""
        for depth in range(len(parts) - 1, -1, -1):
            spec = self._read(top.joinpath(*parts[:depth], ".gitignore"))
            if spec is not None:
                yield spec, depth
        spec = self._read(_git_folder(top) / "info" / "exclude")
        if spec is not None:
            yield spec, 0

    def _read(self, file: Path) -> GitIgnoreSpec | None:
        try:
            status = file.stat()
        except OSError:
            return None
        stamp = (status.st_mtime_ns, status.st_size)
        known = self._specs.get(file)
        if known and known[0] == stamp:
            return known[1]
        try:
            lines = file.read_text("utf-8", "replace").splitlines()
        except OSError:
            return None
        spec = _spec(lines)
        self._specs[file] = (stamp, spec)
        return spec


def _spec(lines: list[str]) -> GitIgnoreSpec:
    """A matcher of the lines that are patterns; git passes over the others in silence."""
    good = []
    for line in lines:
        try:
            GitIgnoreSpec.from_lines([line])
        except ValueError:
            continue
        good.append(line)
    return GitIgnoreSpec.from_lines(good)


@lru_cache(maxsize=64)
def _git_folder(top: Path) -> Path:
    """The repository's own data; in a worktree or submodule ``.git`` is a file that says where they are."""
    dot_git = top / ".git"
    try:
        if not dot_git.is_file():
            return dot_git
        folder = (top / dot_git.read_text("utf-8", "replace").partition("gitdir:")[2].strip()).resolve()
        common = folder / "commondir"
        return (folder / common.read_text("utf-8", "replace").strip()).resolve() if common.is_file() else folder
    except OSError:
        return dot_git
