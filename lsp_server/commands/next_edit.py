"""`sotto train --edits DIR`: learn the ranker of next edits from the commits of git histories.

From one or two histories, your own say, it learns how far to trust the rules there, on top of the ranker that comes with
Sotto. From three on it learns a ranker of its own, judged on histories that each forest did not see. Nothing leaves this
machine; the file holds numbers, no code.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from assistant.next_edit.ranker import Ranker, RankerError, dumps
from assistant.next_edit.replay_git import HistoryError
from assistant.next_edit.replay_run import Seen
from assistant.types import EngineError
from lsp_server.commands.bench_next_edit import edit_model, replayed, sources, watch
from lsp_server.commands.local import CommandError, fail

FROM_SCRATCH = 3
"""Histories from which a ranker of its own is learned: fewer cannot tell what holds for others."""
FILE = "ranker.json"


def train(
    edits: Path,
    count: int,
    seed: int,
    without: bool,
    out: Path,
    moments: Path | None,
    as_json: bool,
    model: str,
    threads: int,
) -> int:
    """``moments`` keeps what was seen, or is read where it exists: looking is the slow part."""
    console = Console(stderr=True, quiet=as_json)
    try:
        seen = _kept(moments) if moments is not None and moments.exists() else None
        if seen is None:
            seen = asyncio.run(_look(edits, count, seed, without, model, threads, console))
            if moments is not None:
                moments.write_text("".join(json.dumps(one.to_json()) + "\n" for one in seen), "utf-8")
        ranker, answer = _learned(seen, {"commits_each": count, "seed": seed, "model": not without})
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(dumps(ranker), "utf-8")
    except (CommandError, EngineError, HistoryError, RankerError, OSError) as error:
        return fail(str(error))
    if as_json:
        sys.stdout.write(json.dumps({"ranker": str(out), "id": ranker.id, **answer}) + "\n")
    else:
        Console().print(
            f"{answer['candidates']} candidates at {answer['moments']} moments; the ranker is in {out}", soft_wrap=True
        )
        for line in _lines(answer["figures"]):
            Console().print(line, soft_wrap=True)
    return 0


def _lines(figures: dict[str, Any]) -> Iterator[str]:
    names = {"judged": "with the model", "alone": "without it", "on_itself": "on these very moments"}
    for name, part in figures.items():
        for share, row in part.items():
            if isinstance(row, dict):
                rest = f"position {row['position']:.0%}, shown when finished {row['false_show']:.1%}"
                yield f"  {names[name]}, {float(share):.0%} exactly right: coverage {row['coverage']:.1%}, {rest}"


async def _look(edits: Path, count: int, seed: int, without: bool, model: str, threads: int, console: Console) -> list[Seen]:
    histories, _ = sources(edits)
    if not histories:
        raise CommandError(f"{edits} holds no git history; name a clone, bare or not, or a folder of clones")
    async with edit_model(model, threads, without) as asked:
        return await watch(replayed(histories, count, seed), count * len(histories), asked, Ranker.load(), console)


def _kept(path: Path) -> list[Seen]:
    try:
        return [Seen.from_json(json.loads(line)) for line in path.read_text("utf-8").splitlines()]
    except (ValueError, KeyError, TypeError) as error:
        raise CommandError(f"{path} holds no moments ({error}); delete it, and they are looked at again") from error


def _learned(seen: Sequence[Seen], settings: dict[str, Any]) -> tuple[Ranker, dict[str, Any]]:
    from assistant.next_edit import learn  # numpy is loaded here only

    try:
        record = {"moments": learn.moments_of(seen), **settings}
        if len(record["moments"]) >= FROM_SCRATCH:
            ranker, figures = learn.learn(seen, record)
        else:
            ranker, figures = learn.adapt(Ranker.load(), seen, record)
    except learn.TooFew as error:
        raise CommandError(str(error)) from error
    return ranker, {"moments": len(seen), "candidates": sum(len(one.items) for one in seen), "figures": figures}
