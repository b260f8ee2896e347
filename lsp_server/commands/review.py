"""`sotto review`: a few comments on what changed, each with its evidence, on a terminal or for a program.

Comments that are certain are printed as they are found. Reads the repository and writes nothing. Exit codes: 0 with or without
comments, 1 when ``--fail-on`` asks for it, 2 when there is nothing that can be reviewed.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import sys
import threading
from pathlib import Path

from rich.console import Console

from assistant.cancel import Cancel
from assistant.config import Config
from assistant.review import changes as change_sets
from assistant.review import report
from assistant.review.dismissed import Memory
from assistant.review.git import Git, GitError
from assistant.review.linter_runs import run as run_linters
from assistant.review.linters import UnreadableError, on_changes
from assistant.review.linters import read as read_results
from assistant.review.natural import opinions
from assistant.review.overview import overview
from assistant.review.project import TreeProject
from assistant.review.rank import ORDER
from assistant.review.rules import ALL
from assistant.review.service import Features, Review, Reviewer
from assistant.review.types import ChangeSet, Finding
from assistant.types import EngineError
from assistant.workspace.ignore import Excluder
from lsp_server import __version__
from lsp_server.commands.local import CommandError, fail
from lsp_server.commands.review_options import LEVELS
from lsp_server.commands.review_text import Printer
from lsp_server.engine import EngineClient
from lsp_server.review_model import LOAD_S, NO_CHAT

POLL_S = 0.05
GARBAGE = 50_000
"""Objects between two collections: code is half a million that no cycle holds, and Python's 700 cost a twentieth more."""

READY_S = 4.0
"""Longer than the weights need to load; a model that is not there by then is not asked."""


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
    git = Git.around(os.path.abspath(arguments.path))
    where = change_sets.scope(git, arguments.what, arguments.staged)
    excluder, config = Excluder([git.root]), Config()

    def excluded(path: str) -> str | None:
        return excluder.reason(os.path.join(git.root, path), config)

    changes = change_sets.read(git, where, excluded=excluded)
    project = TreeProject(git, where, changes, excluded)
    if any(one.hunks for one in changes.files):
        threading.Thread(target=project.load, daemon=True).start()
    linted = _linted(arguments, changes)
    memory = Memory(data_dir)
    reviewer = Reviewer(changes, project, ALL, memory, Cancel(), linted)
    printer = Printer(project) if arguments.format == "text" else None
    features = asyncio.run(_stream(reviewer, printer, arguments.no_model))
    review = reviewer.finish(features)
    if arguments.review_model:
        asyncio.run(_advised(reviewer, project, arguments.review_model))
        review = reviewer.finish()
    said = overview(changes, project, review.skipped)
    if printer is not None:
        printer.rest(review, said, arguments.all)
    else:
        _write(review, said, project, arguments.format, arguments.all)
    return _exit_code(review, arguments.fail_on)


def _linted(arguments: argparse.Namespace, changes: ChangeSet) -> list[Finding]:
    found: list[Finding] = []
    for file in arguments.results:
        try:
            found += on_changes(read_results(file.read_text("utf-8-sig"), str(file)), changes)
        except (OSError, UnicodeDecodeError, UnreadableError) as error:
            raise CommandError(f"cannot use {file}: {error}") from error
    more, troubles = run_linters(arguments.linter, changes)
    for trouble in troubles:
        sys.stderr.write(f"sotto: {trouble}\n")
    return [*found, *more]


async def _stream(reviewer: Reviewer, printer: Printer | None, without_model: bool) -> Features:
    """Print what is certain as it is found. What the model thinks of the rest; its engine starts once there is a rest."""

    def work() -> None:
        for comment in reviewer.stream():
            if printer is not None:
                printer.comment(comment)

    working = asyncio.ensure_future(asyncio.to_thread(work))
    while not without_model and not any(reviewer.doubts) and not working.done():
        await asyncio.wait({working}, timeout=POLL_S)
    if without_model or not any(reviewer.doubts):
        await working
        return {}
    engine = EngineClient()
    try:
        await engine.start()
        await working
        await engine.wait_ready(READY_S)
        return await opinions(reviewer.waiting, reviewer.text, engine, reviewer.cancel, doubts=reviewer.doubts)
    except (EngineError, OSError):
        await working
        return {}
    finally:
        await engine.close()


async def _advised(reviewer: Reviewer, project: TreeProject, place: str) -> None:
    """Ask the user's own model too. Raises `CommandError` when it cannot serve: it was asked for."""
    from assistant.review.instructed.advise import advise  # a fifth of what the command loads before its first comment

    engine = EngineClient(place)
    try:
        with Console(stderr=True).status(f"loading {place}") as status:
            await engine.start()
            if not (await engine.wait_ready(LOAD_S)).chat:
                raise CommandError(f"cannot use {place}: {NO_CHAT}")
            found = advise(reviewer.changes, project, engine, reviewer.cancel, lambda path: status.update(f"reading {path}"))
            reviewer.add([one async for one in found])
    except EngineError as error:
        raise CommandError(f"cannot use {place}: {error}") from error
    finally:
        await engine.close()


def _write(review: Review, said: str, project: TreeProject, form: str, everything: bool) -> None:
    texts = report.texts(review, project)
    if form == "json":
        sys.stdout.write(report.dumps(report.to_json(review, said, texts, everything)) + "\n")
    elif form == "sarif":
        sys.stdout.write(report.dumps(report.to_sarif(review, __version__, texts, everything)) + "\n")
    else:
        for line in report.to_github(review, everything):
            sys.stdout.write(line + "\n")


def _exit_code(review: Review, fail_on: str | None) -> int:
    if fail_on is None:
        return 0
    worst = min((ORDER[one.finding.severity] for one in review.comments), default=len(ORDER))
    return 1 if worst <= ORDER[LEVELS[fail_on]] else 0
