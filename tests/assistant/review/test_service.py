"""A review from a change to its comments, with rules whose findings the test decides."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import permutations

import pytest

from assistant.cancel import Cancel, Cancelled
from assistant.review import changes
from assistant.review.dismissed import Memory
from assistant.review.fixes import apply
from assistant.review.project import TextsProject, changed_texts
from assistant.review.rules.base import Across, Problem
from assistant.review.rules.view import View
from assistant.review.service import Reviewer
from assistant.review.types import ChangeSet, Evidence, FileChange, Finding, Project, Rule, TextEdit
from tests.assistant.review.findings import WordRule, finding


def made(new: str, *rules: Rule, memory: Memory | None = None, path: str = "m.py", **more: object) -> Reviewer:
    found = changes.of_texts({path: ("x = 0\n", new), "z.py": (None, "z = 1\n")})
    project = TextsProject(changed_texts(found))
    return Reviewer(found, project, rules, memory or Memory(None), Cancel(), **more)  # type: ignore[arg-type]


def lines(reviewer: Reviewer) -> list[int]:
    streamed = [one.finding.line for one in reviewer.stream()]
    review = reviewer.finish()
    assert set(streamed) <= {one.finding.line for one in review.comments}
    return sorted(one.finding.line for one in review.comments)


def test_rules_see_every_file_of_their_language_and_a_comment_comes_once() -> None:
    rule, twin, script = WordRule(), WordRule(), WordRule(languages=frozenset(("javascript",)))
    assert lines(made("x = BUG\n", rule, twin, script)) == [0]
    assert (rule.asked, script.asked) == (["m.py", "z.py"], [])


def test_a_rule_that_fails_costs_its_own_findings_only() -> None:
    assert lines(made("x = BUG\n", WordRule("bad", fails=True), WordRule())) == [0]


def test_suppressed_lines_are_silent() -> None:
    text = "a = BUG  # sotto: ignore\n" + "\n" * 20 + "b = BUG  # sotto: ignore[other]\n" + "\n" * 20
    text += "# sotto: ignore[other, r]\nc = BUG\n" + "\n" * 20 + 'd = "BUG sotto: ignore"\n'
    (comment,) = made(text, WordRule()).stream()
    assert (comment.finding.line, [one.line for one in comment.finding.evidence]) == (21, [text.count("\n") - 1])


def test_dismissed_findings_are_neither_shown_nor_hidden() -> None:
    memory, text = Memory(None), "x = BUG\n"
    memory.dismiss(finding(), text)
    reviewer = made(text, WordRule(), memory=memory)
    assert list(reviewer.stream()) == []
    review = reviewer.finish()
    assert (review.comments, review.hidden, review.dismissed) == ((), (), 1)


def test_a_fix_that_does_not_apply_is_left_out() -> None:
    for fix, kept in (
        ((TextEdit("m.py", 0, 1, "y"),), 1),
        ((TextEdit("m.py", 0, 99, "y"),), 0),
        ((TextEdit("no.py", 0, 0, ""),), 0),
    ):
        reviewer = made("x = BUG\n", WordRule(more={"fix": fix}))
        (comment,) = reviewer.stream()
        assert len(comment.finding.fix) == kept


def test_comments_on_code_that_the_change_breaks_elsewhere() -> None:
    class Elsewhere(WordRule):
        def __call__(self, change: FileChange, changes: ChangeSet, project: Project, cancel: Cancel) -> list[Finding]:
            return [
                finding("far.py", 1, evidence=(Evidence(change.path, 0, "x"),)),
                finding("gone.py", 0),
                finding("far.py", 99),
            ]

    found = changes.of_texts({"m.py": ("x = 0\n", "x = 1\n")})
    project = TextsProject({"far.py": "import m\nm.x\n", "m.py": "x = 1\n"})
    reviewer = Reviewer(found, project, [Elsewhere()], Memory(None), Cancel())
    assert [(one.finding.path, one.finding.line) for one in reviewer.stream()] == [("far.py", 1)]


def test_a_linters_finding_that_ours_says_too_makes_ours_surer() -> None:
    text = "def f(x=[]):\n    return x\n"
    linted = [finding(rule="ruff:B006", source="ruff", confidence=0.6), finding(line=1, rule="ruff:S105", confidence=0.9)]
    rule = WordRule("mutable-default", "def", more={"confidence": 0.7})
    with_linter, alone = made(text, rule, linted=linted), made(text, rule)
    for reviewer in (with_linter, alone):
        list(reviewer.stream())
    first, second = with_linter.finish(), alone.finish()
    assert [one.finding.rule for one in (*first.comments, *first.hidden)] == ["mutable-default", "ruff:S105"]
    assert first.comments[0].probability > second.comments[0].probability


def test_files_that_time_does_not_suffice_for_are_named() -> None:
    times = iter([0.0, *([1.0] * 1), *([99.0] * 50)])
    reviewer = made("x = BUG\n", WordRule(), clock=lambda: next(times), budget_s=10.0)
    assert lines(reviewer) == [0]
    assert {one.path for one in reviewer.finish().skipped} >= {"z.py"}


def test_a_cancelled_review_ends() -> None:
    reviewer = made("x = BUG\n", WordRule())
    reviewer.cancel.set()
    with pytest.raises(Cancelled):
        list(reviewer.stream())


def test_the_same_at_several_places_is_one_comment_with_all_of_them() -> None:
    text = "a = BUG\n" + "\n" * 30 + "b = BUG\n" + "\n" * 30 + "c = BUG\n"

    class Fixing(WordRule):
        def __call__(self, change: FileChange, changes: ChangeSet, project: Project, cancel: Cancel) -> list[Finding]:
            found = list(super().__call__(change, changes, project, cancel))
            starts = [at for at in range(len(text)) if text.startswith("BUG", at)]
            return [replace(one, fix=(TextEdit("m.py", at, at + 3, "ok"),)) for one, at in zip(found, starts, strict=False)]

    (comment,) = made(text, Fixing()).stream()
    finding = comment.finding
    assert finding.line == 0
    assert finding.message == "What it is. The same at 2 other places."
    assert [(one.line, one.text) for one in finding.evidence] == [(31, "b = BUG"), (62, "c = BUG")]
    assert apply(text, finding.fix) == text.replace("BUG", "ok")


FILES = {
    "a.py": "x = 1\n" + "\n" * 150 + "y = BUG\n",
    "b.py": "import a\nz = BUG\n" + "\n" * 150 + "v = a.BUG\n",
    "c.py": "w = 2\n",
}


def watched() -> tuple[Across, list[str]]:
    """A rule of those that look into other files, and the files that it was asked about. It minds the last line of each."""
    asked: list[str] = []

    def check(view: View) -> Iterator[Problem]:
        asked.append(view.path)
        assert view.new is not None
        yield Problem(view.new.root.named_children[-1], "The last one.", severity="high", confidence=0.9)

    return Across("far", "bug", frozenset(("python",)), check), asked


def reviewed(files: list[str], rules: list[Rule], **more: object) -> Reviewer:
    found = changes.of_texts({path: ("", FILES[path]) for path in files})
    found = replace(found, files=tuple(sorted(found.files, key=lambda one: files.index(one.path))))
    return Reviewer(found, TextsProject(changed_texts(found)), rules, Memory(None), Cancel(), **more)  # type: ignore[arg-type]


def test_the_first_comments_do_not_wait_for_the_other_files() -> None:
    far, far_asked = watched()
    near = WordRule()
    stream = reviewed(["c.py", "b.py", "a.py"], [far, near]).stream()
    assert next(stream).finding.path == "c.py"
    assert (near.asked, far_asked) == (["c.py"], ["c.py"])


def test_the_order_of_files_and_rules_does_not_change_what_is_said_while_there_is_room() -> None:
    said = set()
    for files in permutations(FILES):
        for turned in (False, True):
            rules: list[Rule] = [
                watched()[0],
                WordRule(),
                WordRule("soft", "x", more={"severity": "medium", "confidence": 0.8}),
            ]
            reviewer = reviewed(list(files), rules[::-1] if turned else rules)
            list(reviewer.stream())
            review = reviewer.finish()
            comments = tuple((one.finding.path, one.finding.line, one.finding.rule) for one in review.comments)
            said.add((comments, frozenset((one.finding.path, one.finding.line, one.why_hidden) for one in review.hidden)))
    assert len(said) == 1
    ((comments, _),) = said
    assert [(path, rule) for path, _, rule in comments] == [
        *(("a.py", "r"), ("b.py", "r"), ("b.py", "far"), ("c.py", "far"), ("a.py", "soft"))
    ]


def test_rules_that_look_around_come_last_once_half_of_the_time_is_gone() -> None:
    far, far_asked = watched()
    near = WordRule()
    times = iter([0.0, 1.0, *([6.0] * 50)])
    reviewer = reviewed(list(FILES), [far, near], clock=lambda: next(times), budget_s=10.0)
    asked = [(len(near.asked), len(far_asked)) for _ in reviewer.stream()]
    assert asked == [(1, 0), (2, 1), (3, 2), (3, 3)]
    assert far_asked == list(FILES)
