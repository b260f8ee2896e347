"""How good a review is: recall on bugs that are known, noise on commits that were accepted, and precision by reading.

Rules and ranking run as in the product, without a model and without a user's memory. Precision counts only comments that a
person has read and judged; the rest are unread, not wrong. A bug counts as named when a comment begins on one of its lines or
next to one.
"""

from __future__ import annotations

import json
import math
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple

from assistant.cancel import Cancel
from assistant.review.dismissed import Memory
from assistant.review.mine import Blobs, Row
from assistant.review.rank import Comment
from assistant.review.rules import ALL
from assistant.review.service import Reviewer
from assistant.review.shapes import SEEN
from assistant.review.types import Rule

NEAR = 1
"""Lines between a bug and a comment that still names it."""

VERDICTS = ("right", "wrong")

SHIPPED = Path(__file__).parent / "verdicts.jsonl"
"""Comments on ordinary commits of eight repositories that no rule was tuned on, each read against the code."""


class Verdict(NamedTuple):
    """What a person thinks of a comment, ``right`` or ``wrong``, and one sentence of reason."""

    verdict: str
    why: str = ""


Key = tuple[str, str, str, int]
"""Whose comment it is: the commit (all of the id where that names none), the rule, the path, the line from 1."""


@dataclass(frozen=True)
class Said:
    """One comment on one change. ``p``: the ranking's probability. ``code``: the line it is on. ``names``: of a bug, it is on
    the right line. ``verdict`` and ``why``: of a person, "" before.
    """

    id: str
    kind: str
    rule: str
    path: str
    line: int
    severity: str
    message: str
    code: str
    p: float
    shown: bool
    names: bool = False
    verdict: str = ""
    why: str = ""
    title: str = ""


@dataclass
class Tally:
    """One rule, or all: on ordinary commits comments raised and shown and their verdicts; bugs named, raised and shown."""

    raised: int = 0
    shown: int = 0
    right: int = 0
    wrong: int = 0
    named: int = 0
    named_shown: int = 0
    on_bugs: int = 0


@dataclass
class Report:
    """Everything measured. ``seen`` and ``seen_named``: bugs of a shape that a rule could see, and those of them named."""

    commits: int = 0
    changed_lines: int = 0
    bugs: int = 0
    seen: int = 0
    named: int = 0
    seen_named: int = 0
    named_shown: int = 0
    seen_named_shown: int = 0
    seconds: float = 0.0
    slowest_s: float = 0.0
    rules: dict[str, Tally] = field(default_factory=dict)
    shapes: dict[str, list[int]] = field(default_factory=dict)
    said: list[Said] = field(default_factory=list)

    @property
    def shown(self) -> int:
        """Comments on ordinary commits."""
        return sum(tally.shown for tally in self.rules.values())

    def verdicts(self) -> tuple[int, int]:
        """Of the comments shown on ordinary commits: right and wrong by reading."""
        asked = [one for one in self.said if one.kind == "ordinary" and one.shown]
        return sum(one.verdict == "right" for one in asked), sum(one.verdict == "wrong" for one in asked)

    def to_json(self) -> dict[str, object]:
        """What ``--json`` prints."""
        right, wrong = self.verdicts()
        return {
            "commits": self.commits,
            "changed_lines": self.changed_lines,
            "comments": self.shown,
            "comments_per_commit": ratio(self.shown, self.commits),
            "comments_per_100_changed_lines": ratio(100 * self.shown, self.changed_lines),
            "read": right + wrong,
            "precision": ratio(right, right + wrong),
            "precision_interval": list(interval(right, right + wrong)),
            "bugs": self.bugs,
            "bugs_named": self.named_shown,
            "bugs_named_before_ranking": self.named,
            "bugs_a_rule_could_see": self.seen,
            "of_these_named": self.seen_named_shown,
            "of_these_named_before_ranking": self.seen_named,
            "shapes": {name: {"bugs": total, "named": hit} for name, (total, hit) in sorted(self.shapes.items())},
            "cpu_s": round(self.seconds, 3),
            "slowest_change_cpu_s": round(self.slowest_s, 3),
            "rules": {name: asdict(tally) for name, tally in sorted(self.rules.items())},
            "list": [asdict(one) for one in self.said],
        }


def measure(
    rows: Iterable[Row],
    rules: Sequence[Rule] = ALL,
    verdicts: Mapping[Key, Verdict] | None = None,
    everything: bool = False,
) -> Report:
    """Review every row. ``verdicts``: as `read_verdicts` gives them. ``everything``: list what ranking hides too."""
    report = Report(rules={rule.name: Tally() for rule in rules})
    blobs: dict[str, Blobs] = {}
    for row in rows:
        if row.git and row.git not in blobs:
            blobs[row.git] = Blobs(row.git)
        started = time.process_time()
        comments = list(_review(row, rules, blobs.get(row.git)))
        spent = time.process_time() - started
        report.seconds += spent
        report.slowest_s = max(report.slowest_s, spent)
        said = [_said(row, comment, shown, verdicts or {}) for comment, shown in comments]
        (_count_bug if row.kind == "bug" else _count_ordinary)(report, row, said)
        report.said += [one for one in said if one.shown or everything]
    return report


def _review(row: Row, rules: Sequence[Rule], blobs: Blobs | None) -> Iterator[tuple[Comment, bool]]:
    """All comments, and whether each is shown."""
    reviewer = Reviewer(row.change_set(), row.project(blobs), rules, Memory(None), Cancel())
    for _ in reviewer.stream():
        pass
    review = reviewer.finish()
    yield from ((comment, True) for comment in review.comments)
    yield from ((comment, False) for comment in review.hidden)


def _said(row: Row, comment: Comment, shown: bool, verdicts: Mapping[Key, Verdict]) -> Said:
    finding = comment.finding
    verdict = verdicts.get((_change(row.id), finding.rule, finding.path, finding.line + 1), Verdict(""))
    text = (row.files.get(finding.path, [None, None])[1] or "").split("\n")
    code = text[finding.line].strip()[:120] if finding.line < len(text) else ""
    near = any(abs(finding.line - line) <= NEAR for line in row.lines)
    return Said(
        row.id,
        row.kind,
        finding.rule,
        finding.path,
        finding.line + 1,
        finding.severity,
        finding.message,
        code,
        round(comment.probability, 3),
        shown,
        row.kind == "bug" and finding.path == row.path and near,
        verdict.verdict,
        verdict.why,
        row.title[:100],
    )


def _change(id: str) -> str:
    """A commit's name is the same in every clone, whatever its folder is called."""
    return id.rpartition("@")[2]


def _count_ordinary(report: Report, row: Row, said: list[Said]) -> None:
    report.commits += 1
    report.changed_lines += row.changed_lines
    for one in said:
        tally = report.rules.setdefault(one.rule, Tally())
        tally.raised += 1
        tally.shown += one.shown
        tally.right += one.verdict == "right"
        tally.wrong += one.verdict == "wrong"


def _count_bug(report: Report, row: Row, said: list[Said]) -> None:
    report.bugs += 1
    named = any(one.names for one in said)
    named_shown = any(one.names and one.shown for one in said)
    report.named += named
    report.named_shown += named_shown
    if row.shape in SEEN:
        report.seen += 1
        report.seen_named += named
        report.seen_named_shown += named_shown
    shape = report.shapes.setdefault(row.shape or "unknown", [0, 0])
    shape[0] += 1
    shape[1] += named
    for rule in {one.rule for one in said}:
        tally = report.rules.setdefault(rule, Tally())
        tally.on_bugs += 1
        tally.named += any(one.names for one in said if one.rule == rule)
        tally.named_shown += any(one.names and one.shown for one in said if one.rule == rule)


def read_verdicts(path: Path) -> dict[Key, Verdict]:
    """Verdicts of a JSONL file with ``id``, ``rule``, ``path``, ``line`` (from 1), ``verdict`` (right or wrong) and ``why``.

    Raises ``ValueError`` with one sentence for a line that is none.
    """
    found = {}
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                row = json.loads(line)
                key = (_change(str(row["id"])), row["rule"], row["path"], int(row["line"]))
            except (ValueError, TypeError, KeyError) as error:
                raise ValueError(f"{path}:{number} is no verdict: {error}") from error
            if row.get("verdict") in VERDICTS:
                found[key] = Verdict(row["verdict"], str(row.get("why", "")))
    return found


def counts(report: Report) -> dict[str, tuple[int, int]]:
    """(right, wrong) of each rule whose comments somebody read: the ranking's prior."""
    found: Counter[tuple[str, str]] = Counter((one.rule, one.verdict) for one in report.said if one.kind == "ordinary")
    return {name: (found[name, "right"], found[name, "wrong"]) for name in sorted({rule for rule, verdict in found if verdict})}


def ratio(part: float, whole: float) -> float:
    """Four decimals; 0 of nothing is 0."""
    return round(part / whole, 4) if whole else 0.0


def interval(hits: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's interval of a share, 95 % by default."""
    if n == 0:
        return 0.0, 1.0
    share = hits / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return round(max(0.0, middle - half), 3), round(min(1.0, middle + half), 3)
