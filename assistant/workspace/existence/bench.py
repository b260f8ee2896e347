"""How much of what does not exist the filter catches, and how often it objects to real code, on any tree of files.

`measure` is what a command prints. Modules are read at once here; the time of a check is taken on its second run.
"""

from __future__ import annotations

import builtins
import re
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from assistant.types import Snapshot
from assistant.workspace import languages
from assistant.workspace.existence.checker import Existence
from assistant.workspace.existence.javascript.unwritten import MIN_WORDS
from assistant.workspace.existence.known import STANDARD, compiled_outline
from assistant.workspace.existence.planting import COMMON, Case, Tree, mentioned, planted_cases, real_cases
from assistant.workspace.existence.unwritten import imported
from assistant.workspace.existence.verdict import Kind, Verdict


@dataclass
class Report:
    """Counts over cases. ``caught``: dropped or repaired. ``restored``: repaired to exactly what stood there. ``by``: for each
    kind (and kind/how) of planted case (caught, all). ``alarms``: objections to real code by kind. ``ms``: a warm check.
    """

    real: int = 0
    flagged: int = 0
    planted: int = 0
    caught: int = 0
    repaired: int = 0
    restored: int = 0
    by: dict[str, tuple[int, int]] = field(default_factory=dict)
    alarms: Counter[str] = field(default_factory=Counter)
    ms: list[float] = field(default_factory=list)
    examples: list[tuple[Case, Verdict]] = field(default_factory=list)

    def json(self) -> dict[str, object]:
        """Shares and times, with stable keys."""
        ordered = sorted(self.ms) or [0.0]
        return {
            "caught": self.caught / max(1, self.planted),
            "false_alarms": self.flagged / max(1, self.real),
            "planted": self.planted,
            "real": self.real,
            "repaired": self.repaired / max(1, self.planted),
            "restored": self.restored / max(1, self.repaired),
            "by_kind": {kind: [caught, total] for kind, (caught, total) in sorted(self.by.items())},
            "alarms_by_kind": dict(self.alarms),
            "check_ms": {"p50": ordered[len(ordered) // 2], "p95": ordered[int(len(ordered) * 0.95)]},
        }


def snapshot(tree: Tree, case: Case) -> Snapshot:
    """The file of a case as its user sees it."""
    language = languages.language_of(case.path)
    return Snapshot(Path(case.path).as_uri(), language, case.text, case.offset, path=case.path, root=str(tree.root))


def ask(checker: Existence, tree: Tree, case: Case) -> Verdict:
    """The verdict on a case. What the case leaves out of its file is written nowhere, unless it stands elsewhere, too."""
    tree.hide(case)
    return checker.check(snapshot(tree, case), case.offset, case.offset, case.rest)


def checker_of(tree: Tree) -> Existence:
    """A filter for a tree."""

    def is_written(word: str) -> bool:
        return len(tree.counts) < MIN_WORDS or tree.is_written(word)

    outermost = frozenset(name for text in tree.files.values() for name in imported(text.encode()))
    return Existence(is_defined=tree.defined.__contains__, is_written=is_written, imported=lambda: outermost, inline=True)


def on_real(report: Report, checker: Existence, tree: Tree, cases: Iterable[Case]) -> None:
    """Count objections to code that is right, and time the checks."""
    for case in cases:
        verdict = ask(checker, tree, case)
        began = time.thread_time()
        ask(checker, tree, case)
        report.ms.append((time.thread_time() - began) * 1000)
        report.real += 1
        if verdict.kind is not Kind.OK:
            report.flagged += 1
            report.alarms.update(set(verdict.kinds))
            report.examples.append((case, verdict))


def on_planted(report: Report, checker: Existence, tree: Tree, cases: Iterable[Case]) -> None:
    """Count what is caught of code with a mistake; where the real code is objected to, a case proves nothing."""
    for case in cases:
        verdict = ask(checker, tree, case)
        caught = verdict.kind is not Kind.OK
        report.planted += 1
        report.caught += caught
        if verdict.kind is Kind.REPAIRED:
            report.repaired += 1
            report.restored += case.name in verdict.text and any(
                edit.text and case.name.endswith(edit.text) for edit in verdict.edits
            )
        for key in (case.kind, f"{case.kind}/{case.how}"):
            hit, total = report.by.get(key, (0, 0))
            report.by[key] = hit + caught, total + 1
        if not caught:
            report.examples.append((case, verdict))


@dataclass(frozen=True)
class Said:
    """A model's completion at a case's place, as the pipeline would show it."""

    case: Case
    start: int
    end: int
    text: str


@dataclass
class Natural:
    """Counts over a model's completions. ``right``: the same as the real code, and how many of these were objected to;
    ``invented``: wrong, with a name that is nowhere in the tree or the libraries, and how many of these were caught; ``other``:
    all others, and how many were objected to (a name out of its scope, an attribute of another class).
    """

    right: tuple[int, int] = (0, 0)
    invented: tuple[int, int] = (0, 0)
    other: tuple[int, int] = (0, 0)
    examples: list[tuple[str, Said, Verdict]] = field(default_factory=list)


def on_completions(checker: Existence, tree: Tree, said: Iterable[Said], library: frozenset[str]) -> Natural:
    """Judge completions. ``library``: every word of the libraries that the tree uses, see `library_words`; the tree's own are
    added. The oracle is that list of words alone.
    """
    result = Natural()
    for one in said:
        tree.hide(one.case)
        verdict = checker.check(snapshot(tree, one.case), one.start, one.end, one.text)
        objected = int(verdict.kind is not Kind.OK)
        if one.text.strip() == one.case.rest.strip():
            kind = "right"
        else:
            names = mentioned(
                one.case.path,
                one.case.text[: one.start] + one.text + one.case.text[one.end :],
                one.start,
                one.start + len(one.text),
            )
            kind = "invented" if names - library - tree.words - COMMON else "other"
        total, caught = getattr(result, kind)
        setattr(result, kind, (total + 1, caught + objected))
        result.examples.append((kind, one, verdict))
    return result


def library_words(folders: Iterable[Path]) -> frozenset[str]:
    """Every word in the Python files and stubs under some folders, and every name of compiled standard modules."""
    found = {name for module in STANDARD if (made := compiled_outline(module)) is not None for name in made.members}
    for folder in folders:
        for path in [*folder.rglob("*.py"), *folder.rglob("*.pyi")]:
            if not {"test", "tests", "idlelib", "site-packages"} & set(path.relative_to(folder).parts):
                found.update(re.findall(r"[^\W\d]\w*", path.read_text("utf-8", "replace")))
    return frozenset(found | set(dir(builtins)))


def measure(root: Path, real: int = 300, planted: int = 150, seed: int = 0, kind: str = "python") -> Report:
    """Both measurements on the files of a kind (`planting.KINDS`) under ``root``."""
    tree, report = Tree(root, kind), Report()
    checker = checker_of(tree)
    on_real(report, checker, tree, real_cases(tree, real, seed))
    on_planted(report, checker, tree, planted_cases(tree, planted, seed))
    return report
