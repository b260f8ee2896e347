"""`sotto review`: a few comments on what changed, each with its evidence, on a terminal or for a program.

Comments that are certain are printed as they are found. Reads the repository and writes nothing. Exit codes: 0 with or without
comments, 1 when ``--fail-on`` asks for it, 2 when there is nothing that can be reviewed.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import threading
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.cancel import Cancel
from assistant.config import Config
from assistant.review import changes as change_sets
from assistant.review.git import Git, GitError
from assistant.review.sources import Sources
from assistant.workspace.ignore import Excluder
from lsp_server import __version__
from lsp_server.commands.local import CommandError, fail
from lsp_server.commands.review_options import LEVELS

if TYPE_CHECKING:
    from assistant.review.project import TreeProject
    from assistant.review.service import Review, Reviewer
    from assistant.review.types import ChangeSet, Finding

GARBAGE = 50_000
"""Objects between two collections: code is half a million that no cycle holds, and Python's 700 cost a twentieth more."""

READ_S = 0.3
"""A project of 30 MB is read in 0.1 s; from a cold disk the first comment goes before it is, and then nobody helps."""

LATER = ("assistant.review.rules", "assistant.review.service", "lsp_server.commands.review_text")
"""What is needed once the change is known; loaded while git looks for it."""


def run(arguments: argparse.Namespace, data_dir: Path) -> int:
    """0, 1 or 2; see above."""
    usual = gc.get_threshold()
    gc.set_threshold(GARBAGE, *usual[1:])
    try:
        return _run(arguments, data_dir)
    except (GitError, CommandError) as error:
        return fail(str(error))
    finally:
        gc.set_threshold(*usual)


def _run(arguments: argparse.Namespace, data_dir: Path) -> int:
    loading = threading.Thread(target=lambda: [import_module(name) for name in LATER])
    loading.start()
    try:
        git = Git.around(os.path.abspath(arguments.path))
        where = change_sets.scope(git, arguments.what, arguments.staged)
        sources = Sources(git, where)
        reading = threading.Thread(target=sources.load, daemon=True)
        reading.start()
        excluder, config = Excluder([git.root]), Config()

        def excluded(path: str) -> str | None:
            return excluder.reason(os.path.join(git.root, path), config)

        changes = change_sets.read(git, where, excluded=excluded)
    finally:
        loading.join()
    from assistant.review.crew import helpers
    from assistant.review.dismissed import Memory
    from assistant.review.project import TreeProject
    from assistant.review.rules import ALL
    from assistant.review.service import Reviewer

    project = TreeProject(git, where, changes, excluded, sources)
    reviewer = Reviewer(changes, project, ALL, Memory(data_dir), Cancel(), _linted(arguments, changes))
    if reviewer.is_large:
        reading.join(READ_S)
        reviewer.share(helpers())
    return _told(arguments, reviewer, project)


def _told(arguments: argparse.Namespace, reviewer: Reviewer, project: TreeProject) -> int:
    from assistant.review.overview import overview
    from lsp_server.commands.review_text import Printer
    from lsp_server.review_opinions import Opinions

    printer = Printer(project) if arguments.format == "text" else None
    with Opinions(reviewer, wanted=not arguments.no_model) as opinions:
        for comment in reviewer.stream():
            if printer is not None:
                printer.comment(comment)
        left_out = (*reviewer.changes.skipped, *reviewer.skipped)
        said = overview(reviewer.changes, project, left_out)  # while the model makes up its mind
        review = reviewer.finish(opinions.all())
    if arguments.review_model:
        _advised(reviewer, project, arguments.review_model)
        review = reviewer.finish()
    if printer is not None:
        printer.rest(review, said, arguments.all)
    else:
        _write(arguments, review, said, project)
    return _exit_code(review, arguments.fail_on)


def _linted(arguments: argparse.Namespace, changes: ChangeSet) -> list[Finding]:
    if not arguments.results and not arguments.linter:
        return []
    from assistant.review.linter_runs import run as run_linters
    from assistant.review.linters import UnreadableError, on_changes, read

    found: list[Finding] = []
    for file in arguments.results:
        try:
            found += on_changes(read(file.read_text("utf-8-sig"), str(file)), changes)
        except (OSError, UnicodeDecodeError, UnreadableError) as error:
            raise CommandError(f"cannot use {file}: {error}") from error
    more, troubles = run_linters(arguments.linter, changes)
    for trouble in troubles:
        sys.stderr.write(f"sotto: {trouble}\n")
    return [*found, *more]


def _advised(reviewer: Reviewer, project: TreeProject, place: str) -> None:
    """Ask the user's own model too. Raises `CommandError` when it cannot serve: it was asked for."""
    import asyncio

    from rich.console import Console

    from assistant.review.instructed.advise import advise
    from assistant.types import EngineError
    from lsp_server.engine import EngineClient
    from lsp_server.review_model import LOAD_S, NO_CHAT

    async def ask() -> None:
        engine = EngineClient(place)
        try:
            with Console(stderr=True).status(f"loading {place}") as status:
                await engine.start()
                if not (await engine.wait_ready(LOAD_S)).chat:
                    raise CommandError(f"cannot use {place}: {NO_CHAT}")
                told = advise(reviewer.changes, project, engine, reviewer.cancel, lambda path: status.update(f"reading {path}"))
                reviewer.add([one async for one in told])
        except EngineError as error:
            raise CommandError(f"cannot use {place}: {error}") from error
        finally:
            await engine.close()

    asyncio.run(ask())


def _write(arguments: argparse.Namespace, review: Review, said: str, project: TreeProject) -> None:
    from assistant.review import report

    if arguments.format == "json":
        texts = report.texts(review, project)
        sys.stdout.write(report.dumps(report.to_json(review, said, texts, arguments.all)) + "\n")
    elif arguments.format == "sarif":
        texts = report.texts(review, project)
        sys.stdout.write(report.dumps(report.to_sarif(review, __version__, texts, arguments.all)) + "\n")
    else:
        for line in report.to_github(review, arguments.all):
            sys.stdout.write(line + "\n")


def _exit_code(review: Review, fail_on: str | None) -> int:
    from assistant.review.rank import ORDER

    if fail_on is None:
        return 0
    worst = min((ORDER[one.finding.severity] for one in review.comments), default=len(ORDER))
    return 1 if worst <= ORDER[LEVELS[fail_on]] else 0
