"""Changes to measure a review with, out of git histories: ordinary commits, and bug fixes turned round.

A fix is a commit whose message says so and that changes one function of one source file by a few lines; turned round it is a
change that brings the bug in, and the lines it writes are where a review should speak. Reads bare git directories, working
trees, QuixBugs and its own files (one JSON object a line, see `Row`). Whether a bug is one that a rule could see is told by the
shape of the fix alone, see ``shapes``.
"""

from __future__ import annotations

import json
import os
import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from assistant.review import changes, mechanical
from assistant.review.diff import hunks
from assistant.review.git import Git, GitError
from assistant.review.rules.page import page_of
from assistant.review.shapes import shape_of
from assistant.review.types import ChangeSet, FileChange, Project
from assistant.workspace import languages

MOST_LINES = 10
"""Lines of a fix, on either side."""

MOST_FILES, MOST_CHANGED = 40, 2_000
"""A commit with more is a merge of many things."""

KEPT_BLOBS = 4_000
LOOKED_AT = 10
"""Commits that are looked at for fixes, for each ordinary one that is taken."""

_FIX = re.compile(
    r"\b(?:fix(?:es|ed)?|bug(?:fix)?|crash|regression|wrong(?:ly)?|incorrect(?:ly)?|broken|typo in code)\b", re.IGNORECASE
)
_NO_FIX = re.compile(
    r"\b(?:typos?|lint|flake8|mypy|pylint|docs?|docstrings?|spelling|warnings?|tests?|ci|typing|types?)\b", re.IGNORECASE
)
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass
class Row:
    """One change. ``kind``: ``ordinary`` (an accepted commit) or ``bug`` (a fix turned round).

    ``files``: path -> [text before, text after], ``None`` for no file. ``lines``: of a bug, the lines (from 0, of the text
    after) of ``path`` that the fix had replaced, and the line before which it had added something. ``shape``: what the bug
    looks like. ``others``: texts of other files of the project, where they are given. ``git`` and ``tree`` name the
    repository's folder and the commit that the rest of the project is read from; "" for none.
    """

    id: str
    kind: str
    title: str
    files: dict[str, list[str | None]]
    path: str = ""
    lines: list[int] = field(default_factory=list)
    shape: str = ""
    others: dict[str, str] = field(default_factory=dict)
    git: str = ""
    tree: str = ""

    @property
    def changed_lines(self) -> int:
        """Lines that are new."""
        return sum(one.new_end - one.new_start for old, new in self.files.values() for one in hunks(old or "", new or ""))

    def change_set(self) -> ChangeSet:
        """As a review sees it: what only moved or was formatted is left out."""
        return changes.of_texts({path: (old, new) for path, (old, new) in self.files.items()}, "", self.title)

    def project(self, blobs: Blobs | None = None) -> Project:
        """The code around it."""
        texts = {**self.others, **{path: new for path, (_, new) in self.files.items() if new is not None}}
        gone = {path for path, (_, new) in self.files.items() if new is None}
        return _Around(texts, gone, blobs or Blobs(self.git), self.tree) if self.git else _Around(texts, gone, None, "")


def read_rows(path: Path, commits: int) -> Iterator[Row]:
    """The changes of a file or of a folder; ``commits``: the newest so many ordinary ones of each history; more are looked
    at for fixes.

    Raises ``ValueError`` with one sentence for what is neither.
    """
    if path.is_file():
        yield from _from_file(path)
        return
    found = list(_histories(path))
    if not found:
        raise ValueError(f"{path} holds no git history and is no .jsonl file; name a repository, or a folder of repositories")
    for folder in found:
        git = Git(str(folder))
        quix = list(quixbugs(git, folder.parent.name if folder.name == "repo" else folder.name))
        yield from quix or mined(git, commits)


def _from_file(path: Path) -> Iterator[Row]:
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                yield Row(**json.loads(line))
            except (ValueError, TypeError) as error:
                raise ValueError(f"{path}:{number} is no row of a review bench: {error}") from error


def to_json(row: Row) -> str:
    """One line of a file that `read_rows` reads."""
    return json.dumps(asdict(row), ensure_ascii=False)


def _histories(path: Path) -> Iterator[Path]:
    """Git directories: the folder itself, or those in it."""
    if (path / ".git").exists() or (path / "HEAD").exists():
        yield path
        return
    for inner in sorted(path.iterdir()) if path.is_dir() else ():
        for folder in (inner, inner / "repo"):
            if (folder / ".git").exists() or ((folder / "HEAD").exists() and (folder / "objects").exists()):
                yield folder
                break


def quixbugs(git: Git, name: str) -> Iterator[Row]:
    """The programs that QuixBugs has twice, right and wrong."""
    try:
        listed = git.files("HEAD")
    except GitError:
        return
    blobs = Blobs(git.root)
    for path, right in sorted(listed.items()):
        folder, _, file = path.rpartition("/")
        wrong = listed.get(f"python_programs/{file}", "")
        if folder != "correct_python_programs" or not wrong or not file.endswith(".py"):
            continue
        texts = [_program(blobs.text(id) or "") for id in (right, wrong)]
        if texts[0] != texts[1] and not file.endswith("_test.py"):
            yield _bug(f"{name}:{file}", f"QuixBugs {file}", f"python_programs/{file}", texts[0], texts[1])


def _program(text: str) -> str:
    """A program of QuixBugs without the description, or the other solutions, behind it."""
    return "\n".join(line.rstrip() for line in text.split('\n"""')[0].strip().split("\n")) + "\n"


def mined(git: Git, commits: int) -> Iterator[Row]:
    """Ordinary commits and turned-round fixes of one history."""
    name = _name(git.root)
    blobs = Blobs(git.root)
    log = git.run("log", "--no-merges", f"-n{LOOKED_AT * commits}", "--format=%H %s").decode("utf-8", "replace").splitlines()
    ordinary = 0
    for line in log:
        commit, _, title = line.partition(" ")
        wants = ordinary < commits
        if not _COMMIT.fullmatch(commit) or not (wants or _says_fix(title)):
            continue
        row = _commit(git, blobs, commit, title, name)
        if row is None:
            continue
        if wants:
            ordinary += 1
            yield row
        bug = turned(row) if _says_fix(title) else None
        if bug is not None:
            yield bug


def _name(root: str) -> str:
    folder = Path(root)
    return folder.parent.name if folder.name in ("repo", ".git") else folder.name


def _says_fix(title: str) -> bool:
    return _FIX.search(title) is not None and _NO_FIX.search(title) is None


def _commit(git: Git, blobs: Blobs, commit: str, title: str, name: str) -> Row | None:
    """One commit's source files; ``None`` for one without any, or too large."""
    try:
        entries = git.entries(f"{commit}^", commit)
    except GitError:  # the first commit, or one whose parent is not here
        return None
    files: dict[str, list[str | None]] = {}
    for one in entries:
        if not languages.language_of(one.path) or one.status not in "AMDR":
            continue
        old = None if one.status == "A" else blobs.text(one.old_id)
        new = None if one.status == "D" else blobs.text(one.new_id)
        if (old is None and one.status != "A") or (new is None and one.status != "D"):
            return None
        if mechanical.why_not(one.path, new if new is not None else old or "") is None:
            files[one.path] = [old, new]
    row = Row(f"{name}@{commit[:12]}", "ordinary", title, files, git=git.root, tree=commit)
    return row if files and len(files) <= MOST_FILES and row.changed_lines <= MOST_CHANGED else None


def turned(row: Row) -> Row | None:
    """The bug that a fix took away, as a change that brings it in; ``None`` where the fix is not one function's."""
    sources = [path for path in row.files if not changes.is_test(path)]
    if len(sources) != 1:
        return None
    path = sources[0]
    wrong, right = row.files[path]
    language = languages.language_of(path)
    if wrong is None or right is None or language not in ("python", "javascript", "typescript", "tsx"):
        return None
    change = changes.of_texts({path: (right, wrong)}).files
    if not change or not _is_small(change[0]) or not _is_one_function(change[0], language):
        return None
    return _bug(f"{row.id}~", row.title, path, right, wrong, row)


def _is_small(change: FileChange) -> bool:
    old = sum(one.old_end - one.old_start for one in change.hunks)
    new = sum(one.new_end - one.new_start for one in change.hunks)
    return old <= MOST_LINES and new <= MOST_LINES


def _is_one_function(change: FileChange, language: str) -> bool:
    """Whether all that changed is inside of one function that is there before and after, imports apart."""
    old, new = page_of(change.old or "", language), page_of(change.new or "", language)
    if old is None or new is None or old.root.has_error or new.root.has_error:
        return False
    touched = set()
    for page, spans in (
        (old, [(h.old_start, h.old_end) for h in change.hunks]),
        (new, [(h.new_start, h.new_end) for h in change.hunks]),
    ):
        for start, end in spans:
            if all(not line.strip() or line.lstrip().startswith(("import ", "from ", "#")) for line in page.lines[start:end]):
                continue
            around = [f for f in page.functions if f.node.start_point[0] <= start and end - 1 <= f.node.end_point[0]]
            touched.add(around[-1].qualified if around else "")
    return len(touched) == 1 and "" not in touched


def _bug(id: str, title: str, path: str, right: str, wrong: str, row: Row | None = None) -> Row:
    lines = sorted({line for one in hunks(right, wrong) for line in range(one.new_start, max(one.new_end, one.new_start + 1))})
    shape = shape_of(right, wrong, languages.language_of(path))
    made = Row(id, "bug", title, {path: [right, wrong]}, path, lines, shape)
    return made if row is None else Row(**{**asdict(made), "git": row.git, "tree": row.tree})


class Blobs:
    """Texts of one repository by object name, the latest ones kept."""

    def __init__(self, root: str) -> None:
        self._git = Git(root)
        self._kept: OrderedDict[str, str | None] = OrderedDict()
        self._trees: OrderedDict[str, dict[str, str]] = OrderedDict()

    def text(self, id: str) -> str | None:
        """A blob's text; ``None`` for what is no text or too large."""
        if id not in self._kept:
            try:
                data = next(iter(self._git.blobs([id])))[1]
            except (GitError, StopIteration):
                data = None
            self._kept[id] = _decoded(data)
            while len(self._kept) > KEPT_BLOBS:
                self._kept.popitem(last=False)
        return self._kept[id]

    def tree(self, commit: str) -> dict[str, str]:
        """Path -> object name."""
        if commit not in self._trees:
            try:
                self._trees[commit] = self._git.files(commit)
            except GitError:
                self._trees[commit] = {}
            while len(self._trees) > 4:
                self._trees.popitem(last=False)
        return self._trees[commit]

    def naming(self, commit: str, identifier: str) -> list[str]:
        """Files of a commit that hold the word."""
        found = self._git.ask("grep", "-lwF", "-e", identifier, commit) or ""
        return [line.partition(":")[2] for line in found.splitlines() if languages.language_of(line)]


def _decoded(data: bytes | None) -> str | None:
    if data is None or len(data) > changes.MAX_BYTES or b"\0" in data[:8_000]:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None


class _Around:
    """A project out of given texts and one commit."""

    def __init__(self, texts: dict[str, str], gone: Iterable[str], blobs: Blobs | None, tree: str) -> None:
        self._texts, self._gone, self._blobs, self._tree = texts, set(gone), blobs, tree
        self.complete = blobs is not None

    def read(self, path: str) -> str | None:
        path = os.path.normpath(path).replace(os.sep, "/")
        if path in self._texts or path in self._gone or self._blobs is None:
            return self._texts.get(path)
        id = self._blobs.tree(self._tree).get(path)
        return self._blobs.text(id) if id is not None else None

    def naming(self, identifier: str, limit: int = 64) -> Iterable[str]:
        word = re.compile(rf"\b{re.escape(identifier)}\b")
        found = [path for path, text in self._texts.items() if identifier in text and word.search(text)]
        if self._blobs is not None:
            found += [p for p in self._blobs.naming(self._tree, identifier) if p not in self._texts and p not in self._gone]
        return found[:limit]
