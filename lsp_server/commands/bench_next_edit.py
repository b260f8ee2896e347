"""`sotto bench next-edit`: replay commits of git histories, or recorded sessions, and count what Sotto would have proposed.

The rules, the model, the filters and the ranker are those that serve an editor. Histories are read with git and never written.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from assistant.config import Config
from assistant.next_edit.complete import AtCursor, Completions
from assistant.next_edit.locate import EditModel
from assistant.next_edit.model_edits import ModelEdits
from assistant.next_edit.patterns import Trees
from assistant.next_edit.ranker import Ranker, RankerError
from assistant.next_edit.replay import Moment, moments
from assistant.next_edit.replay_git import HistoryError, commits, is_history, repositories, repository_name
from assistant.next_edit.replay_known import Known
from assistant.next_edit.replay_report import report
from assistant.next_edit.replay_run import Seen, see
from assistant.next_edit.replay_session import SessionError, session_moments
from assistant.service import Completer
from assistant.types import EngineError
from lsp_server.commands.local import LOAD_TIMEOUT_S, CommandError, fail
from lsp_server.edit_model import OwnEditModel
from lsp_server.engine import EngineClient
from telemetry.ids import new_id

log = logging.getLogger("sotto.next_edit")

PATIENCE_MS = 10_000
"""For a completion: what is right does not depend on how busy this machine is. How long each takes is told."""


@dataclass(frozen=True)
class Speakers:
    """Who speaks of next edits besides the rules: nobody, or a model, and its completion at the cursor with what it knows of
    the project.
    """

    model: EditModel | None = None
    completions: Completions | None = None
    known: Known | None = None

    async def see(self, moment: Moment, trees: Trees, ranker: Ranker | None) -> Seen:
        """What all of them say at a moment; the engine has learnt its other files before the clock runs."""
        if self.known is not None:
            await self.known.fit(moment.scene)
        return await see(moment, self.model, trees, ranker, self.completions)


@asynccontextmanager
async def edit_model(model: str, threads: int, without: bool, own: tuple[str, str] = ("", "auto")) -> AsyncIterator[Speakers]:
    """The model's part, warm; nobody when none is wanted. ``own``: the settings nextEditModel and nextEditFormat.

    Raises `EngineError`.
    """
    if without:
        yield Speakers()
        return
    engine = EngineClient(model=model, threads=threads)
    users = None
    try:
        await engine.start()
        await engine.wait_ready(LOAD_TIMEOUT_S)
        completer = Completer(engine, new_id=new_id)  # no filter of invented names: there are no files to look at
        completions, known = AtCursor(completer, budget_ms=PATIENCE_MS), Known(engine)
        if own[0]:
            config = Config(next_edit_model=own[0], next_edit_format=own[1], threads=threads, shared_engine=False)
            users = OwnEditModel(config, log.warning)
            await users.wait_ready(LOAD_TIMEOUT_S)
        yield Speakers(users or ModelEdits(engine), completions, known)
    finally:
        if users is not None:
            await users.close()
        await engine.close()


def sources(data: Path) -> tuple[list[Path], list[Path]]:
    """(git histories, recorded sessions) at a path. Raises `CommandError`."""
    if not data.exists():
        raise CommandError(f"{data} does not exist; name a git clone, a folder of clones, or a recorded session (JSON)")
    if data.is_file():
        return [], [data]
    sessions = [] if is_history(data) else sorted(data.glob("*.session.json"))
    try:
        return repositories(data), sessions
    except HistoryError as error:
        if sessions:
            return [], sessions
        raise CommandError(str(error)) from error


async def watch(
    groups: Iterable[tuple[str, Iterator[list[Moment]]]],
    total: int,
    speakers: Speakers,
    ranker: Ranker | None,
    console: Console,
) -> list[Seen]:
    """All moments of (name, moments that belong together, group by group), seen one after the other."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    found = []
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("replaying", total=total)
        for name, together in groups:
            progress.update(bar, description=name)
            for group in together:
                trees = Trees()
                for moment in group:
                    found.append(await speakers.see(moment, trees, ranker))
                progress.advance(bar)
    return found


def replayed(folders: Iterable[Path], count: int, seed: int) -> Iterator[tuple[str, Iterator[list[Moment]]]]:
    """The moments of ``count`` commits of each history."""
    for folder in folders:
        yield repository_name(folder), (list(moments(commit, seed)) for commit in commits(folder, count, seed))


async def _bench(
    data: Path, count: int, seed: int, without: bool, own: tuple[str, str], model: str, threads: int, console: Console
) -> dict[str, Any]:
    histories, sessions = sources(data)
    ranker = Ranker.load()
    groups = [
        *replayed(histories, count, seed),
        *((path.name, iter([list(session_moments(path))])) for path in sessions),
    ]
    async with edit_model(model, threads, without, own) as speakers:
        seen = await watch(groups, count * len(histories) + len(sessions), speakers, ranker, console)
    if not seen:
        raise CommandError(f"{data} has no change that can be replayed: Python, JavaScript and TypeScript files are")
    return report(seen, ranker, not without)


def run(
    data: Path | None,
    count: int,
    seed: int,
    without: bool,
    grow: Path | None,
    own_model: str,
    own_format: str,
    as_json: bool,
    model: str,
    threads: int,
) -> int:
    console = Console(stderr=True, quiet=as_json)
    try:
        if grow is not None:
            from lsp_server.commands import bench_next_edit_grow

            answer = bench_next_edit_grow.run(grow, without, model, threads, console)
        elif data is None:
            raise CommandError("name what to replay: --data DIR with git clones, or --data FILE with a recorded session")
        else:
            answer = asyncio.run(_bench(data, count, seed, without, (own_model, own_format), model, threads, console))
    except (CommandError, EngineError, HistoryError, SessionError, RankerError, OSError) as error:
        return fail(str(error))
    if as_json:
        sys.stdout.write(json.dumps(answer) + "\n")
    elif grow is not None:
        Console().print(f"the picture is in {answer['plot']}")
    else:
        show(answer, Console())
    return 0


def show(answer: dict[str, Any], console: Console) -> None:
    """The report as tables."""
    counts = answer["moments"]
    title = f"next edits at {counts['all']} moments of {counts['commits']} commits"
    console.print(_table(title, answer["ways"]))
    for name in ("rule", "language", "kind"):
        console.print(_table(f"by {name}, {list(answer['ways'])[-1]}", answer["by"][name]))
    curve = Table(title="coverage at a precision")
    for column in ("way", "moments", "exact", "coverage", "shown", "position", "false shows"):
        curve.add_column(column)
    for way, rows in answer["curve"].items():
        for row in rows:
            shares = [f"{100 * row[key]:.1f} %" for key in ("exact_precision", "coverage", "position_precision", "false_show")]
            curve.add_row(way, row["moments"], *shares[:2], str(row["shown"]), *shares[2:])
    console.print(curve)
    for name, part in answer["latency_ms"].items():
        console.print(f"{name.replace('_', ' ')}: p50 {part['p50']:.1f} ms, p95 {part['p95']:.1f} ms")


def _table(title: str, rows: dict[str, dict[str, Any]]) -> Table:
    table = Table(title=title)
    for column in ("", "coverage", "exact", "position", "false shows", "reversal", "errors"):
        table.add_column(column, no_wrap=True)
    for name, row in rows.items():
        cells = [_cell(row[key]) for key in ("coverage", "exact_precision", "position_precision", "false_show")]
        table.add_row(name, *cells, f"{100 * row['reversal']['share']:.1f} %", _cell(row["parse_break"]))
    return table


def _cell(part: dict[str, float]) -> str:
    if not part["n"]:
        return "none"
    spread = f" {100 * part['low']:.0f}-{100 * part['high']:.0f}" if "low" in part else ""
    return f"{100 * part['share']:.1f} %{spread} /{part['n']}"
