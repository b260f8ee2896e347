"""Which files of a workspace deserve indexing: walks the folders, keeps out what is excluded, ignored, vendored or not text.

Gives the same answer as asking `ignore.Excluder` about every file, at a twentieth of the cost: a folder's rules are
compiled once and an ignored folder is never entered. Links are not followed (as in git), so no loop is possible. Knows
nothing of what a file says.
"""

from __future__ import annotations

import codecs
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pathspec import GitIgnoreSpec

from assistant.cancel import Cancel
from assistant.config import Config
from assistant.workspace.ignore import Excluder, _git_folder
from assistant.workspace.languages import language_of

OTHER_LANGUAGES = {
    suffix: language
    for language, suffixes in {
        "csharp": ".cs",
        "css": ".css .scss .less",
        "elixir": ".ex .exs",
        "graphql": ".graphql .gql",
        "haskell": ".hs",
        "html": ".html .htm .jinja .j2 .vue .svelte",
        "julia": ".jl",
        "kotlin": ".kt .kts",
        "lua": ".lua",
        "makefile": ".mk .cmake",
        "markdown": ".md .rst .txt",
        "ocaml": ".ml .mli",
        "perl": ".pl .pm",
        "php": ".php",
        "proto": ".proto",
        "r": ".r",
        "ruby": ".rb",
        "scala": ".scala",
        "shellscript": ".sh .bash .zsh",
        "sql": ".sql",
        "swift": ".swift",
        "toml": ".toml .cfg .ini",
        "yaml": ".yaml .yml",
        "zig": ".zig",
    }.items()
    for suffix in suffixes.split()
}
"""Languages without a grammar that are worth their words. Data files (json, csv, svg, lock files) are not."""

SKIPPED_FOLDERS = frozenset((".git", ".hg", ".svn", ".jj", "node_modules", "__pycache__", "bower_components", "site-packages"))
SKIPPED_ENDINGS = (".min.js", ".min.css", ".bundle.js", ".lock", "_pb2.py", ".pb.go")
_MARKERS = frozenset(("pyvenv.cfg", "CACHEDIR.TAG"))  # a virtual environment; a cache that says so itself
_LONG_LINE = 1_000
_MINIFIED = 20_000  # characters; a file of so many, most of them in long lines, was written by a program
_PAUSE_EVERY = 64  # directory entries, about a millisecond


@dataclass(frozen=True)
class Limits:
    """``max_bytes`` of one file, ``max_files`` of one workspace."""

    max_bytes: int = 1_000_000
    max_files: int = 100_000


class Stamp(NamedTuple):
    """What `os.stat` says of a file's content without reading it; times in nanoseconds."""

    mtime: int
    ctime: int
    size: int

    @classmethod
    def of(cls, status: os.stat_result) -> Stamp:
        return cls(status.st_mtime_ns, status.st_ctime_ns, status.st_size)


class Found(NamedTuple):
    path: str
    stamp: Stamp


def language_by_name(path: str) -> str:
    """The language of a file by its name, grammar or not; "" for a file that is not indexed."""
    name = os.path.basename(path).lower()
    if name.endswith(SKIPPED_ENDINGS):
        return ""
    if name in ("makefile", "dockerfile"):
        return name
    return language_of(name) or OTHER_LANGUAGES.get(os.path.splitext(name)[1], "")


def decode(data: bytes) -> str | None:
    """The text of a file, or ``None`` for one that is not text: a NUL byte, or more than two bytes
    and one in 50 that are no UTF-8.

    UTF-16 with a byte order mark is text. A few bytes of an older encoding become replacement characters.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            return data.decode("utf-16")
        except UnicodeDecodeError:
            return None
    if b"\0" in data:
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("utf-8-sig", "replace")
        return text if text.count("\ufffd") <= 2 + len(text) // 50 else None


def is_written_by_hand(text: str) -> bool:
    """Whether most of the text stands in lines that a person would write."""
    if len(text) < _MINIFIED:
        return True
    return 2 * sum(len(line) for line in text.split("\n") if len(line) > _LONG_LINE) <= len(text)


def read(path: str, limits: Limits) -> tuple[Stamp, bytes] | None:
    """A file's stamp and bytes, taken from one open file; ``None`` if it is gone, not a plain file, or too large.

    Raises `PermissionError` for one that may not be read.
    """
    try:
        with open(path, "rb", opener=_opener) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_size > limits.max_bytes:
                return None
            return Stamp.of(status), file.read(limits.max_bytes + 1)
    except PermissionError:
        raise
    except OSError:
        return None


def _opener(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # a named pipe must not hold us


class Judge:
    """Says of one path what `walk` would: for the few files that change."""

    def __init__(self, roots: Iterable[str], config: Config, limits: Limits | None = None) -> None:
        self._roots = sorted(set(roots), key=len)  # the outermost first: its walk finds the file
        self._excluder = Excluder(self._roots)
        self._config = config
        self._limits = limits or Limits()

    def is_indexed(self, path: str) -> bool:
        """Whether `walk` would yield the file now (its size apart from emptiness and the limit is not looked at)."""
        root = next((root for root in self._roots if path.startswith(root.rstrip(os.sep) + os.sep)), None)
        if root is None or not language_by_name(path) or not _has_plain_name(path):
            return False
        folder = root
        for name in os.path.relpath(os.path.dirname(path), root).split(os.sep):
            if name == ".":
                continue
            folder = os.path.join(folder, name)
            if (
                name in SKIPPED_FOLDERS
                or os.path.islink(folder)
                or any(os.path.exists(os.path.join(folder, m)) for m in _MARKERS)
            ):
                return False
        try:
            status = os.lstat(path)
        except OSError:
            return False
        if not stat.S_ISREG(status.st_mode) or not 0 < status.st_size <= self._limits.max_bytes:
            return False
        return self._excluder.reason(path, self._config) is None


class _Rules(Excluder):
    """One root's rules, made for asking folder by folder."""

    def __init__(self, root: str, config: Config) -> None:
        super().__init__([root])
        self.root = Path(root)
        self._config = config
        lower = [pattern.lower() for pattern in config.exclude]
        folders = [pattern for pattern in lower if pattern.endswith(("/", "/**"))]
        self._folders = GitIgnoreSpec.from_lines(p for p in folders if p)
        self._names = GitIgnoreSpec.from_lines(p for p in lower if not p.endswith(("/", "/**")))

    def is_hidden(self) -> bool:
        """Whether the whole root is ignored by the repository around it."""
        top = self._repository(self.root / "x")
        if top is None or not self._config.respect_gitignore:
            return False
        parts = self.root.relative_to(top).parts
        return any(self._verdict(top, parts[:depth], True) for depth in range(1, len(parts) + 1))

    def first_sources(self) -> list[tuple[GitIgnoreSpec, Path]]:
        """Ignore files above the root, the weightiest first, each with the folder its patterns start from."""
        top = self._repository(self.root / "x")
        if top is None or not self._config.respect_gitignore:
            return []
        parts = self.root.relative_to(top).parts
        above = ((spec, top.joinpath(*parts[:depth])) for spec, depth in self._sources(top, parts))
        return list(above)

    def sources(
        self, folder: Path, names: frozenset[str], above: list[tuple[GitIgnoreSpec, Path]]
    ) -> list[tuple[GitIgnoreSpec, Path]]:
        """The same inside ``folder``, which has entries called ``names``. A repository of its own starts afresh."""
        if not self._config.respect_gitignore:
            return []
        if ".git" in names and folder != self.root:
            info = self._read(_git_folder(folder) / "info" / "exclude")
            above = [(info, folder)] if info is not None else []
        own = self._read(folder / ".gitignore") if ".gitignore" in names else None
        return [(own, folder), *above] if own is not None else above

    def needs_care(self, folder: Path) -> bool:
        """Whether an exclude pattern speaks of the folder, so that each file in it must be asked about by itself."""
        return self._folders.check_file(folder.as_posix().lower().lstrip("/") + "/x").include is not None

    def is_excluded(self, path: Path, inner: str, careful: bool) -> bool:
        """``inner``: the path below the root in lower case, with slashes."""
        if not careful and self._names.check_file(inner).include is None:
            return False
        return self._excluded(path, self._config.exclude) is not None


def _is_ignored(sources: list[tuple[GitIgnoreSpec, Path]], path: str, is_folder: bool) -> bool:
    for spec, start in sources:
        name = path[len(str(start)) :].replace(os.sep, "/").lstrip("/") + ("/" if is_folder else "")
        include = spec.check_file(name).include
        if include is not None:
            return include
    return False


def walk(
    roots: Iterable[str],
    config: Config,
    limits: Limits | None = None,
    cancel: Cancel | None = None,
    on_skip: Callable[[str, str], None] = lambda kind, path: None,
    pause: Callable[[], None] = lambda: time.sleep(0),
) -> Iterator[Found]:
    """Every file to index below ``roots`` (real paths), folder by folder in the order of their names, each once.

    ``on_skip(kind, path)`` hears of ``"permission"`` (a folder that may not be read) and ``"files"`` (there are more than
    ``limits.max_files``; the walk ends). ``pause`` is called about once a millisecond. Raises `Cancelled`.
    """
    limits = limits or Limits()
    cancel = cancel or Cancel()
    count = 0
    distinct = sorted(set(roots))
    for root in distinct:
        if any(root != other and root.startswith(other.rstrip(os.sep) + os.sep) for other in distinct):
            continue  # inside another root: found there
        for found in _walk_root(root, config, limits, cancel, on_skip, pause):
            if count == limits.max_files:
                on_skip("files", root)
                return
            count += 1
            yield found


def _walk_root(
    root: str,
    config: Config,
    limits: Limits,
    cancel: Cancel,
    on_skip: Callable[[str, str], None],
    pause: Callable[[], None],
) -> Iterator[Found]:
    rules = _Rules(root, config)
    if rules.is_hidden():
        return
    todo = [(root, rules.first_sources())]
    seen = 0
    while todo:
        folder, above = todo.pop()
        cancel.check()
        try:
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except PermissionError:
            on_skip("permission", folder)
            continue
        except OSError:
            continue
        names = frozenset(entry.name for entry in entries)
        if names & _MARKERS and folder != root:
            continue
        sources = rules.sources(Path(folder), names, above)
        careful = rules.needs_care(Path(folder))
        below = []
        for entry in entries:
            seen += 1
            if seen % _PAUSE_EVERY == 0:
                cancel.check()
                pause()
            if _is_folder(entry):
                if entry.name not in SKIPPED_FOLDERS and not _is_ignored(sources, entry.path, True):
                    below.append((entry.path, sources))
            elif (stamp := _wanted(entry, limits)) and not _is_ignored(sources, entry.path, False):
                inner = entry.path[len(root) :].replace(os.sep, "/").lstrip("/").lower()
                if not rules.is_excluded(Path(entry.path), inner, careful):
                    yield Found(entry.path, stamp)
        todo.extend(reversed(below))


def _has_plain_name(path: str) -> bool:
    """Whether the path is text: a file system may hold names that are in no encoding, and SQLite cannot."""
    return path.isascii() or not any("\ud800" <= character <= "\udfff" for character in path)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def _wanted(entry: os.DirEntry[str], limits: Limits) -> Stamp | None:
    """The stamp of a plain file of a language that is indexed, small enough; else ``None``."""
    if not language_by_name(entry.name) or not _has_plain_name(entry.path):
        return None
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:
        return None
    if not stat.S_ISREG(status.st_mode) or not 0 < status.st_size <= limits.max_bytes:
        return None
    return Stamp.of(status)
