"""Make a checkpoint's probabilities mean what they say, so that `stopBelow` cuts every model off at the same risk: one
temperature (Guo et al. 2017, arXiv 1706.04599), fitted by maximum likelihood on real code.

At cursors inside lines the true rest of the line is forced on the model, in the layout and under the constraints of a real
answer. Its tokens, and that it ends there, are what a probability was said of. Half of the files fit; the other half judges,
and where it does not gain beyond its error the temperature stays 1. Knows a loaded engine; keeps one number (`temperature`).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant.model.checkpoint import CONFIG
from assistant.model.families import PLAIN
from assistant.model.hf import holes, temperature
from assistant.model.hf.engine import HubEngine
from assistant.model.hf.files import is_transformers
from assistant.model.hf.load import load
from assistant.model.mixture import Floats
from assistant.model.race import places
from assistant.model.race.measure import Place
from assistant.types import EngineError, ModelInfo, ScoreRequest

GRID = 2.0 ** (np.arange(-48, 49) / 24)
"""Temperatures tried, 3 % apart; the middle one is 1."""
ONE = len(GRID) // 2
BINS = 15
"""Of the expected calibration error, as in the paper."""
NEAR_HALF = (0.4, 0.6)
LEAST_FILES = 4
LONGEST = 300
"""Characters of a line's rest; a longer one is data, and might not fit in a small context."""
ERRORS = 2.0
"""Standard errors, over files, by which the nats must fall. At one, 1.03 was kept for a model that reads other code worse so
(1.922 nats a token for 1.916)."""
Say = Callable[[str], None]


@dataclass(frozen=True)
class Tokens:
    """Of n tokens: ``nats`` [n, G] of the truth, ``sure`` [n, G] the probability of what the model would have said, at each
    temperature of `GRID`; ``right`` [n] whether that was the truth; ``file`` [n] which file it stands in."""

    nats: Floats
    sure: Floats
    right: Floats
    file: NDArray[np.int_]

    def of(self, files: Sequence[int]) -> Tokens:
        """Those of some files."""
        chosen = np.isin(self.file, files)
        return Tokens(self.nats[chosen], self.sure[chosen], self.right[chosen], self.file[chosen])


@dataclass(frozen=True)
class Judged:
    """Nats a token, expected calibration error, and of tokens said at about a half their number and the share that was right
    (``None`` without any), each before and after; ``surely``: fewer nats, by `ERRORS` or more."""

    nats: tuple[float, float]
    error: tuple[float, float]
    near_half: tuple[tuple[int, float | None], tuple[int, float | None]]
    surely: bool

    def json(self) -> dict[str, Any]:
        (few, wrong), (many, right) = self.near_half
        half = {"tokens": [few, many], "right": [wrong, right]}
        return {"nats": _rounded(self.nats), "calibrationError": _rounded(self.error), "nearHalf": half}


def fit(tokens: Tokens) -> int:
    """The temperature of the greatest likelihood, as its place in `GRID`."""
    return int(tokens.nats.sum(axis=0).argmin())


def judge(tokens: Tokens, chosen: int) -> Judged:
    """What the temperature at that place of `GRID` does to other tokens than those it was fitted on."""
    saved = tokens.nats[:, ONE] - tokens.nats[:, chosen]
    each = np.array([saved[tokens.file == file].sum() for file in np.unique(tokens.file)])
    surely = len(each) > 1 and bool(each.mean() > ERRORS * each.std(ddof=1) / np.sqrt(len(each)))
    pair = (ONE, chosen)
    before, after = (calibration_error(tokens.sure[:, at], tokens.right) for at in pair)
    first, last = (_near_half(tokens.sure[:, at], tokens.right) for at in pair)
    nats = tokens.nats.mean(axis=0)
    return Judged((float(nats[ONE]), float(nats[chosen])), (before, after), (first, last), surely)


def calibration_error(sure: Floats, right: Floats) -> float:
    """Between what was said and what came, the mean distance over `BINS` equal ranges of what was said (section 2 there)."""
    found = np.minimum((sure * BINS).astype(int), BINS - 1)
    apart = [abs(float((sure - right)[found == at].sum())) for at in range(BINS)]
    return sum(apart) / max(1, len(sure))


def _near_half(sure: Floats, right: Floats) -> tuple[int, float | None]:
    near = (sure >= NEAR_HALF[0]) & (sure <= NEAR_HALF[1])
    return int(near.sum()), round(float(right[near].mean()), 4) if near.any() else None


def read(engine: HubEngine, layout: str, cursors: Sequence[Place], say: Say = lambda text: None) -> Tokens:
    """Force the true rests of lines at ``cursors``; files are numbered by the order of their names."""
    names = sorted({cursor.path for cursor in cursors})
    ends = [i for i, spelled in enumerate(engine.tokenizer.token_bytes) if spelled.startswith(b"\n")]
    ends = sorted({*ends, *engine.closing})
    found: list[tuple[Floats, Floats, float, int]] = []
    for number, cursor in enumerate(cursors):
        if number % 20 == 0:
            say(f"{number} of {len(cursors)} cursors")
        line, _, below = cursor.below.partition("\n")
        if len(line) > LONGEST:
            continue
        asked = ScoreRequest(
            holes.parts(layout, cursor.path, cursor.above, "\n" + below), line + "\n" * (layout == PLAIN), heal=True
        )
        for logits, token in engine.teach(asked):
            ended = token < 0 or token in ends
            if token < 0 and layout == PLAIN:
                break  # its line end was among the tokens, as one of them or a part of one
            if np.isfinite(logits[list(ends) if ended else token]).any():
                found.append((*_said(logits, token, ended, ends), names.index(cursor.path)))
            if ended:
                break
    nats, sure, right, file = (np.array(column) for column in zip(*found, strict=True))
    return Tokens(nats, sure, right, file)


def _said(logits: Floats, token: int, ended: bool, ends: Sequence[int]) -> tuple[Floats, Floats, float]:
    """A row of `Tokens`. Whatever ends the line says the same: their probabilities are added up."""
    best = int(logits.argmax())
    whole, ending = _totals(logits[np.isfinite(logits)]), _totals(logits[list(ends)])
    own = ending if ended else logits[token] / GRID
    said = ending if best in ends else logits[best] / GRID
    return whole - own, np.exp(said - whole), float(best in ends if ended else best == token)


def _totals(logits: Floats) -> Floats:
    """[G] the logarithm of the sum of exp over logits [n], at each temperature."""
    peak = float(logits.max())
    if peak == -np.inf:
        return np.full(len(GRID), -np.inf, np.float32)
    lower = (logits - np.float32(peak)).astype(np.float32)
    sums = [np.exp(lower / np.float32(each)).sum(dtype=np.float64) for each in GRID]
    totals = peak / GRID + np.log(sums)
    return totals.astype(np.float32)


def calibrate(
    folder: Path, out: Path, code: Path, count: int, check: bool = False, say: Say = lambda text: None
) -> dict[str, Any]:
    """Fit on half of the files in ``code`` and keep what the other half confirms; ``check``: judge with all of them what is
    kept. What was found, for the user. Raises `EngineError`."""
    if not is_transformers(folder) or folder == Path():
        raise EngineError(_refusal(folder))
    cursors = places.cursors(places.read(code), count)
    files = len({cursor.path for cursor in cursors})
    if files < LEAST_FILES:
        raise EngineError(f"{code} has {files} long files of Python; name a larger project with --path DIR")
    say("loading the model")
    engine, info = load(folder, lambda: None, calibrated=out)
    at = _held(engine, out, info) if check else ONE
    tokens = read(engine, info.layout, cursors, say)
    told: dict[str, Any] = {"model": info.name, "cursors": len(cursors)}
    if check:
        numbers = {"tokens": len(tokens.right), "files": files}
        return {**told, "checked": engine.heat, **numbers, **judge(tokens, at).json()}
    order = random.Random(0).sample(range(files), files)
    fitting, judging = tokens.of(order[: files // 2]), tokens.of(order[files // 2 :])
    at = fit(fitting)
    judged = judge(judging, at)
    value = round(float(GRID[at if judged.surely else ONE]), 4)
    told |= {"temperature": value, "fitted": round(float(GRID[at]), 4)}
    told |= {"files": [files // 2, files - files // 2], "tokens": [len(fitting.right), len(judging.right)], **judged.json()}
    return {**told, "file": str(temperature.write(out, info.sha256, info.name, value, told))}


def _held(engine: HubEngine, out: Path, info: ModelInfo) -> int:
    """The place in `GRID` of what is kept for this checkpoint."""
    if not temperature.read(out, info.sha256).kept:
        raise EngineError(f"there is no calibration of {info.name} to check; make one with `sotto model calibrate --stop`")
    return int(np.abs(GRID - engine.heat).argmin())


def _refusal(folder: Path) -> str:
    if folder == Path() or (folder / CONFIG).is_file():
        return (
            "Sotto's own checkpoints bring their own Stop head and `--turbo`: `--stop` is for those that transformers loads,"
            " named with --model DIR_OR_ID"
        )
    return f"{folder} holds no checkpoint that transformers loads; name one with --model DIR_OR_ID"


def _rounded(pair: tuple[float, float]) -> list[float]:
    return [round(value, 4) for value in pair]
