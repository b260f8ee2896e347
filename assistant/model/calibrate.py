"""Find the thresholds of the `turbo` setting on real code, and keep them with the checkpoint.

    python -m assistant.model.calibrate --model DIR --path CODE [--cursors N] [--check]

Rests of lines are completed at cursors of the code, by the whole model and with each threshold; chosen is the lowest at which
exactly right lines fall by at most 1 %, where the loss counts with a standard error on top. ``--check`` measures what the
folder holds instead, on other code. One JSON object on the last line of stdout; an error is ``{"error": sentence}``, exit 2.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from assistant.model import checkpoint, fused, turbo
from assistant.model.checkpoint import Checkpoint
from assistant.model.engine import Engine
from assistant.model.exits import Floats
from assistant.model.race import places
from assistant.model.race.measure import Place
from assistant.types import EngineError, GenerateRequest, Part

GRID = (0.6, 0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 0.98)
MOST_LOST = 0.01
CHARACTERS = 1_700
TOKENS = 24


@dataclass
class Tally:
    """Of one threshold: lines right with it and without, and what the tokens took, in CPU time."""

    right: int = 0
    lost: int = 0
    gained: int = 0
    tokens: int = 0
    layers: int = 0
    ms: float = 0.0
    ms_whole: float = 0.0

    def json(self, layers: int) -> dict[str, Any]:
        before = self.right + self.lost - self.gained
        return {
            "right": self.right,
            "right_before": before,
            "lost": self.lost,
            "gained": self.gained,
            "layers_skipped": 1 - self.layers / max(1, layers * self.tokens),
            "time_saved": 1 - self.ms / self.ms_whole if self.ms_whole else 0.0,
        }

    @property
    def worst(self) -> float:
        """Of the lines that were right, the share that is lost, with a standard error on top."""
        changed = self.lost + self.gained
        return (self.lost - self.gained + math.sqrt(changed)) / max(1, self.right + self.lost - self.gained)


def measure(source: Checkpoint, ways: Sequence[Floats], cursors: Sequence[Place], say: Callable[[str], None]) -> list[Tally]:
    """The whole model and each way of leaving at every cursor, in turn on the same warm cache."""
    runner = fused.load(source, wait=True)
    if runner is None:
        raise EngineError("turbo needs the fused step, which cannot run here; see `sotto doctor`")
    whole = Engine(source, runner=runner, clock=time.process_time)
    early = Engine(dataclasses.replace(source, leaving=ways[0]), runner=runner, clock=time.process_time)
    tallies = [Tally() for _ in ways]
    for number, place in enumerate(cursors):
        if number % 50 == 0:
            say(f"{number} of {len(cursors)} cursors")
        line = place.below.partition("\n")[0]
        _line(whole, place, False)  # the prompt's keys and values are there for all
        text, _, _, ms = _line(whole, place, False)
        _line(early, place, True)
        for way, tally in zip(ways, tallies, strict=True):
            early._leaving = way
            said, tokens, layers, took = _line(early, place, True)
            tally.right += said == line
            tally.lost += text == line != said
            tally.gained += said == line != text
            tally.tokens, tally.layers = tally.tokens + tokens, tally.layers + layers
            if said == text:
                tally.ms, tally.ms_whole = tally.ms + took, tally.ms_whole + ms
    return tallies


def _line(engine: Engine, place: Place, leave: bool) -> tuple[str, int, int, float]:
    """What comes to the end of the line, its tokens, the layers they took together, and the milliseconds."""
    parts = (
        *(Part(special="file"), Part(text=place.path + "\n"), Part(special="fim_prefix"), Part(special="fim_suffix")),
        Part(text=place.below.partition("\n")[2][:CHARACTERS], keep="start"),
        *(Part(special="fim_middle"), Part(text=place.above[-CHARACTERS:], keep="end")),
    )
    chunks = list(engine.generate(GenerateRequest(parts, TOKENS, stop=("\n",), budget_ms=math.inf, turbo=leave)))
    exits = chunks[-1].exits
    layers = sum(depth * count for depth, count in enumerate(exits, 1))
    return "".join(chunk.text for chunk in chunks), sum(exits), layers, chunks[-1].decode_ms


def calibrate(folder: Path, code: Path, count: int, check: bool, say: Callable[[str], None]) -> dict[str, Any]:
    """Write `turbo.FILE`, or measure what it says. Raises `EngineError`."""
    source = checkpoint.load(folder)
    config = json.loads((folder / checkpoint.CONFIG).read_text("utf-8"))
    cursors = places.cursors(places.read(code), count)
    if check:
        if source.leaving is None:
            raise EngineError(f"{folder} holds no calibration; make one with `sotto model calibrate`")
        (tally,) = measure(source, [source.leaving], cursors, say)
        return {"checked": tally.json(source.config.n_layers), "cursors": len(cursors)}
    grid = [_way(folder, config, source, least) for least in GRID]
    tallies = measure(source, grid, cursors, say)
    rows = {str(least): tally.json(source.config.n_layers) for least, tally in zip(GRID, tallies, strict=True)}
    chosen = turbo.NEVER
    for least, tally in zip(reversed(GRID), reversed(tallies), strict=True):
        if tally.worst > MOST_LOST:
            break
        chosen = least
    thresholds = dict.fromkeys(source.config.exits, chosen)
    about = {"cursors": len(cursors), "measured": rows.get(str(chosen))}
    turbo.write(folder, config, thresholds, about)
    return {"thresholds": thresholds, "tried": rows, **about}


def _way(folder: Path, config: dict[str, Any], source: Checkpoint, least: float) -> Floats:
    found = turbo.leaving(folder, config, source.config, dict.fromkeys(source.config.exits, least))
    if found is None or not np.any(found[:, -1, 0] < turbo.NEVER):
        raise EngineError(f"{folder} was trained without exits: there is nothing to calibrate")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m assistant.model.calibrate")
    parser.add_argument("--model", default="")
    parser.add_argument("--path", type=Path, required=True)
    parser.add_argument("--cursors", type=int, default=1500)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args(arguments)
    folder = Path(options.model).expanduser() if options.model else checkpoint.default_folder()

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)  # noqa: T201

    try:
        answer, code = calibrate(folder, options.path, options.cursors, options.check, say), 0
    except (EngineError, OSError) as error:
        answer, code = {"error": str(error)}, 2
    sys.stdout.write(json.dumps(answer) + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
