"""The race as a process of its own: what it does on stderr, line by line; one JSON object on the last line of stdout.

Knows its arguments and which races there are. An error is ``{"error": sentence}`` and exit code 2.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from assistant.model import checkpoint, devices
from assistant.model.race import measure, places, shapes
from assistant.model.race.measure import Times
from assistant.model.race.runners import RACERS, Ours, Racer, cores, runner_of
from assistant.model.race.shapes import Entry
from assistant.types import EngineError

CONTEXT = 512
LONG_ROUNDS = 1
DRAFTED_PLACES = 24
AGREEMENT_PROMPTS = 8


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser("python -m assistant.model.race")
    found.add_argument("--model", default="")
    found.add_argument("--path", type=Path, required=True)
    found.add_argument("--against", default="transformers,llamacpp")
    found.add_argument("--rounds", type=int, default=5)
    found.add_argument("--lengths", default="2048,4096,8192", help="further context lengths; empty for none")
    found.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="where everyone runs")
    found.add_argument("--small", action="store_true", help="the checkpoint only, not the 45 M shape")
    return found


def run(options: argparse.Namespace, say: Callable[[str], None]) -> dict[str, Any]:
    """Every race that is asked for. Raises `EngineError`."""
    against = frozenset(name for name in options.against.split(",") if name)
    if unknown := against - RACERS.keys():
        raise EngineError(f"nobody is called {min(unknown)}; choose from {', '.join(sorted(RACERS))}")
    if options.device == "cuda" and (why := devices.missing()):
        raise EngineError(why)
    lengths = [int(length) for length in options.lengths.split(",") if length]
    folder = Path(options.model).expanduser() if options.model else checkpoint.default_folder()
    texts = places.read(options.path)
    room = max([CONTEXT, *lengths]) + 2 * measure.NEW + 16
    report: dict[str, Any] = {"path": str(options.path), "cores": cores(), "races": []}
    with tempfile.TemporaryDirectory(prefix="sotto-race-") as scratch:
        made = [shapes.default(folder, room, Path(scratch), against)]
        if not options.small:
            made.append(shapes.large(folder, room, Path(scratch), against))
        for entry in made:
            for length, rounds, threads in _heats(lengths, options.rounds):
                prompts = places.stretches(texts, entry.source.tokenizer, length + 10, rounds)
                heat = _race(entry, against, threads, options.device, prompts, say)
                report["races"].append({"length": length, "bytes_a_token": shapes.bytes_read(entry, length), **heat})
        for name, threads in (("", 1), ("_all_cores", cores())):
            report |= {key + name: found for key, found in _drafts(made[0], texts, threads, options.device, say).items()}
        stretches = places.stretches(texts, made[0].source.tokenizer, CONTEXT, AGREEMENT_PROMPTS)
        report["acceptance"] = measure.agreement(made[0], stretches)
        report["stop_head"] = measure.stopping(made[0], stretches, _stop_threshold(folder))
    return report


def _heats(lengths: Sequence[int], rounds: int) -> list[tuple[int, int, int]]:
    """(tokens of context, rounds, threads) of each race; the long ones, for how costs grow, on one thread: 8,192 tokens of 45 M
    parameters take the others minutes.
    """
    return [
        *((CONTEXT, rounds, threads) for threads in sorted({1, cores()})),
        *((length, LONG_ROUNDS, 1) for length in lengths),
    ]


def _race(
    entry: Entry,
    against: frozenset[str],
    threads: int,
    device: str,
    prompts: Sequence[Sequence[int]],
    say: Callable[[str], None],
) -> dict[str, Any]:
    racers: list[Racer] = [Ours(entry, threads, device)]
    racers += [RACERS[name](entry, threads, device) for name in sorted(against)]
    try:
        times = measure.race(racers, prompts, say)
    finally:
        for racer in racers:
            racer.close()
    rows = {name: found.json() for name, found in zip(("sotto", *sorted(against)), times, strict=True)}
    ratios = {name: _ratios(times[0], found) for name, found in zip(sorted(against), times[1:], strict=True)}
    return {"model": entry.name, "threads": threads, "rounds": len(prompts), "times": rows, "ratios": ratios}


def _ratios(ours: Times, theirs: Times) -> dict[str, float]:
    """Their median over ours: above 1 we are faster."""
    first, second = ours.json(), theirs.json()
    return {kind: second[kind]["median_ms"] / first[kind]["median_ms"] for kind in measure.KINDS if kind in first}


def _drafts(entry: Entry, texts: dict[str, str], threads: int, device: str, say: Callable[[str], None]) -> dict[str, Any]:
    say(f"drafts, {threads} threads")
    runner, _ = runner_of(entry, threads, device)
    found = places.cursors(texts, DRAFTED_PLACES)
    return {"drafts": measure.drafted(entry, runner, found), "rewriting": measure.copied(entry, runner, found)}


def _stop_threshold(folder: Path) -> float:
    """How sure the Stop head must be, as it was chosen when it was trained."""
    said = json.loads((folder / checkpoint.CONFIG).read_text("utf-8")).get("controller", {})
    return float(said.get("stop_threshold", 0.5))


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    try:
        answer, code = run(options, lambda text: print(text, file=sys.stderr, flush=True)), 0  # noqa: T201
    except EngineError as error:
        answer, code = {"error": str(error)}, 2
    sys.stdout.write(json.dumps(answer) + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
