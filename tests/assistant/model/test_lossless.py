"""Drafts change no answer: a thousand greedy ones token for token, and the distribution of sampled ones."""

from __future__ import annotations

import dataclasses
import math
import random
import sysconfig
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("numba")

from assistant.model import checkpoint, fused
from assistant.model.checkpoint import Checkpoint, load
from assistant.model.copying import MOST as COPIED
from assistant.model.engine import DRAFTED, Engine
from assistant.model.pace import Pace
from assistant.types import GenerateRequest, OpenFile, Part
from tests.assistant.model import tiny

FILES = ("argparse", "calendar", "configparser", "csv", "dataclasses", "difflib", "inspect", "shutil", "textwrap", "zipfile")
PROMPTS = 1000


def texts() -> list[str]:
    folder = Path(sysconfig.get_path("stdlib"))
    return [path.read_text("utf-8") for path in (folder / f"{name}.py" for name in FILES) if path.exists()]


class Counting:
    """An engine that drafts or does not, and how many passes it took."""

    def __init__(self, loaded: Checkpoint, fast: bool = True) -> None:
        self.passes = 0
        self.engine = Engine(loaded, runner=fused.load(loaded, wait=True) if fast else None, count_step=self._count)
        self._exits = self.engine.exit_drafts

    def _count(self) -> None:
        self.passes += 1

    def said(self, request: GenerateRequest, drafting: bool) -> tuple[str, list[float], object, int]:
        self.engine.exit_drafts = self._exits if drafting else None
        self.engine._paces = {"caches": Pace(DRAFTED if drafting else 0), "copy": Pace(COPIED if drafting else 0)}
        before = self.passes
        chunks = list(self.engine.generate(request))
        logprobs = [p for chunk in chunks for p in chunk.logprobs]
        return "".join(chunk.text for chunk in chunks), logprobs, chunks[-1].finish, self.passes - before


@pytest.mark.usefixtures("untimed")
def test_greedy_answers_of_a_thousand_cuts_are_the_plain_loops() -> None:
    made, code, rng = Counting(checkpoint.load(checkpoint.default_folder())), texts(), random.Random(4)
    passes = {True: 0, False: 0}
    for _ in range(PROMPTS):
        text = rng.choice(code)
        place = rng.randrange(400, len(text) - 200)
        above, below = text[:place], text[place : place + 600]
        parts = (Part(special="fim_suffix"), Part(text=below[:60]), Part(special="fim_middle"), Part(text=above[-160:]))
        file = OpenFile("/w/a.py", above[-1200:], below)
        # One in four copies: what stands behind the cursor, as a next edit's old text would.
        draft = below[: rng.randrange(20, 80)] if rng.random() < 0.25 else ""
        request = GenerateRequest(parts, 12, budget_ms=math.inf, file=file, draft=draft)
        plain, drafted = (made.said(request, drafting) for drafting in (False, True))
        assert drafted[:3] == plain[:3]
        passes[True] += drafted[3]
        passes[False] += plain[3]
    assert passes[True] < 0.8 * passes[False]


@pytest.fixture(scope="module")
def random_model(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    return load(tiny.build(tmp_path_factory.mktemp("sampled") / "checkpoint"))


LINE = "    return self.first(items, path)\n"
ABOVE = LINE * 6 + "    return self.fi"
SAMPLED = GenerateRequest(
    (Part(text=ABOVE),), 6, heal=False, budget_ms=math.inf, temperature=1.3, top_p=0.9, file=OpenFile("k", ABOVE, "")
)


@pytest.mark.usefixtures("untimed")
def test_the_same_seed_draws_the_same_with_drafts_and_without(random_model: Checkpoint) -> None:
    """A drafted token is taken exactly when the draw that would have been made gives it: all draws are the same."""
    made = Counting(random_model)
    passes = {True: 0, False: 0}
    for seed in range(200):
        request = dataclasses.replace(SAMPLED, seed=seed, temperature=0.3 + seed % 10 / 5)
        plain, drafted = (made.said(request, drafting) for drafting in (False, True))
        assert drafted[:3] == plain[:3]
        passes[True] += drafted[3]
        passes[False] += plain[3]
    assert passes[True] < passes[False]


def test_sampling_with_drafts_keeps_the_distribution(random_model: Checkpoint) -> None:
    """Chi-square of the first two tokens over 3,000 draws each way, with different seeds: independent samples."""
    made, draws = Counting(random_model), 3000
    counts = []
    for drafting in (False, True):
        found: Counter[str] = Counter()
        for seed in range(draws):
            request = dataclasses.replace(SAMPLED, seed=seed + draws * drafting, max_tokens=2)
            found[made.said(request, drafting)[0]] += 1
        counts.append(found)
    common = [text for text in counts[0] | counts[1] if counts[0][text] + counts[1][text] >= 10]
    rest = [[draws - sum(found[text] for text in common)] for found in counts]
    table = np.array([[*(found[text] for text in common), *left] for found, left in zip(counts, rest, strict=True)], float)
    table = table[:, table.sum(0) > 0]
    expected = table.sum(0) / 2
    statistic, freedom = float((np.square(table - expected) / expected).sum()), table.shape[1] - 1
    assert freedom >= 3
    # Wilson and Hilferty: a normal deviate; 4 is one in thirty thousand.
    assert ((statistic / freedom) ** (1 / 3) - (1 - 2 / (9 * freedom))) / math.sqrt(2 / (9 * freedom)) < 4
