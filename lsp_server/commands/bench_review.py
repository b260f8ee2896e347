"""`sotto bench review`: recall on known bugs, noise on accepted commits, and precision where somebody has read the comments.

The data is a file of rows (see `assistant.review.mine.Row`), a git repository, or a folder of repositories. Verdicts are a file
of its own, so that a list can be read again when the rules have changed.
"""

from __future__ import annotations

import argparse
import json
import sys

from rich.console import Console
from rich.table import Table

from assistant.review.bench import SHIPPED, Report, Said, counts, interval, measure, ratio, read_verdicts
from assistant.review.git import GitError
from assistant.review.mine import read_rows
from lsp_server.commands.local import CommandError, fail


def run(arguments: argparse.Namespace) -> int:
    """Run what `bench_review_options.add` parsed; returns the exit code."""
    try:
        report = _measure(arguments)
    except CommandError as error:
        return fail(str(error))
    if arguments.json:
        sys.stdout.write(json.dumps(report.to_json(), ensure_ascii=False) + "\n")
    else:
        _show(report, Console(soft_wrap=True))
    return 0


def _measure(arguments: argparse.Namespace) -> Report:
    if not arguments.data.exists():
        raise CommandError(f"{arguments.data} is not there: name a .jsonl file, a repository, or a folder of repositories")
    if arguments.commits < 1:
        raise CommandError("--commits takes a number of 1 or more")
    try:
        verdicts = read_verdicts(arguments.verdicts or SHIPPED)
        rows = read_rows(arguments.data, arguments.commits)
        with Console(stderr=True).status("reviewing"):
            report = measure(rows, verdicts=verdicts, everything=arguments.hidden)
    except (GitError, ValueError, OSError) as error:
        raise CommandError(str(error)) from error
    if not report.commits and not report.bugs:
        raise CommandError(f"{arguments.data} holds no change of source code to review")
    return report


def _show(report: Report, console: Console) -> None:
    right, wrong = report.verdicts()
    low, high = interval(right, right + wrong)
    per_commit, per_lines = ratio(report.shown, report.commits), ratio(100 * report.shown, report.changed_lines)
    console.print(
        f"{report.commits} ordinary commits, {report.changed_lines} changed lines: {report.shown} comments, "
        f"{per_commit:.3f} a commit, {per_lines:.2f} per 100 lines"
    )
    if right + wrong:
        share = right / (right + wrong)
        console.print(f"read by a person: {right + wrong}, right {right} ({share:.0%}, {low:.0%} to {high:.0%})")
    seen = ratio(report.seen_named_shown, report.seen)
    console.print(
        f"{report.bugs} bugs: {report.named_shown} named on their line ({report.named} before ranking); "
        f"of {report.seen} that a rule could see, {report.seen_named_shown} ({seen:.0%}; {report.seen_named} before ranking)"
    )
    console.print(f"{report.seconds:.1f} s of processor time, the slowest change {report.slowest_s:.2f} s")
    console.print(_rules(report))
    for one in report.said:
        if one.kind == "ordinary":
            console.print(_listed(one), markup=False)
    read = counts(report)
    if read:
        console.print(f"verdicts by rule, right and wrong: {json.dumps({name: list(pair) for name, pair in read.items()})}")


def _listed(one: Said) -> str:
    """A comment with its verdict and the reason for it."""
    why = f" ({one.why})" if one.why else ""
    return f"{one.id} {one.path}:{one.line} [{one.rule}] {one.verdict or 'unread'}: {one.message}{why}"


def _rules(report: Report) -> Table:
    table = Table("rule", "on commits", "shown", "right", "wrong", "bugs named", "shown", box=None)
    for name, tally in sorted(report.rules.items()):
        numbers = (tally.raised, tally.shown, tally.right, tally.wrong, tally.named, tally.named_shown)
        table.add_row(name, *(str(number) for number in numbers))
    return table
