"""What a language model thinks of the findings: how surprising the line is, and whether the fix reads better than the code.

It orders findings and weighs fixes; nothing is said because of it alone. Without a model, or once the time is spent, there are
no such features. Knows the `TextModel` protocol.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Callable, Mapping, Sequence

from assistant.cancel import Cancel
from assistant.completion.context import Site
from assistant.completion.prompt import fim
from assistant.review.fixes import region
from assistant.review.types import Finding
from assistant.types import EngineError, ScoreRequest, TextModel

MOST_FINDINGS = 12
BUDGET_S = 1.0
BEFORE, AFTER = 3_000, 600
"""Characters of the file that the model sees on either side."""

LONGEST = 600
"""Characters that are scored; a longer span says nothing of one line."""

USUAL_BITS, SPREAD_BITS = 11.7, 5.0
"""Mean and standard deviation of a line's unlikeliest token, in bits: the shipped model on 114 lines it was not trained on."""

CLEAR = 0.15
"""Bits per byte by which a fix must read better or worse than the code to count."""


async def opinions(
    findings: Sequence[Finding],
    text_of: Callable[[str], str | None],
    model: TextModel | None,
    cancel: Cancel,
    budget_s: float = BUDGET_S,
    doubts: Sequence[bool] = (),
    known: Mapping[int, Mapping[str, float]] | None = None,
) -> dict[int, Mapping[str, float]]:
    """Features of `rank.probability` by a finding's place in ``findings``, of those in doubt and not ``known``. Never raises.

    ``surprise``: the unlikeliest token of the finding's first line, against that of ordinary lines. ``fix_gain``, ``fix_loss``:
    whether the lines of the fix are likelier than those they replace, per byte.
    """
    found: dict[int, Mapping[str, float]] = {}
    if model is None or model.info is None:
        return found

    async def ask() -> None:
        asked = [i for i in range(len(findings)) if not doubts or doubts[i]][:MOST_FINDINGS]
        for i in (one for one in asked if not known or one not in known):
            finding = findings[i]
            text = text_of(finding.path)
            if cancel.is_set():
                return
            if text is not None:
                found[i] = await _opinion(finding, text, model)

    with contextlib.suppress(EngineError, asyncio.TimeoutError):
        await asyncio.wait_for(ask(), budget_s)
    return found


async def _opinion(finding: Finding, text: str, model: TextModel) -> Mapping[str, float]:
    features: dict[str, float] = {}
    start, end = _line(text, finding.line)
    if 0 < end - start <= LONGEST:
        worst = (await _score(model, finding.path, text, start, end, text[start:end]))[1]
        features["surprise"] = (worst - USUAL_BITS) / SPREAD_BITS
    touched = region(text, finding.fix) if finding.fix and {one.path for one in finding.fix} == {finding.path} else None
    if touched is not None and max(touched[1] - touched[0], len(touched[2])) <= LONGEST:
        before = await _score(model, finding.path, text, touched[0], touched[1], text[touched[0] : touched[1]])
        after = await _score(model, finding.path, text, touched[0], touched[1], touched[2])
        if not math.isnan(before[0] - after[0]):
            features["fix_gain"] = float(before[0] - after[0] > CLEAR)
            features["fix_loss"] = float(after[0] - before[0] > CLEAR)
    return features


async def _score(model: TextModel, path: str, text: str, start: int, end: int, target: str) -> tuple[float, float]:
    """Bits per byte of ``target`` in the place of a span, and bits of its unlikeliest token."""
    assert model.info is not None
    first, last = max(0, start - BEFORE), min(len(text), end + AFTER)
    site = Site(text, start, "", path, text[first:start], text[end:last], first, last, "    ")
    score = await model.score(ScoreRequest(fim(model.info.layout, site), target))
    return (score.bits / score.bytes if score.bytes else math.nan), score.worst


def _line(text: str, line: int) -> tuple[int, int]:
    start = 0
    for _ in range(line):
        start = text.find("\n", start) + 1
        if not start:
            return len(text), len(text)
    end = text.find("\n", start)
    return start, len(text) if end < 0 else end
