"""A store as weeks of editing would leave it, made by chance with a fixed seed, for tests and for looking at the pages."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from telemetry import aggregates
from telemetry.connection import open_for_writing
from telemetry.events import Event, Gate, Impression, Model, Opportunity, Outcome, Retention, Session
from telemetry.writer import Writer

DAY_MS = 86_400_000
MODEL = Model("ab" * 32, "sotto-tiny", "int8", 3_000_000)
MARKUP = Model("cd" * 32, "<img src=x onerror=alert(1)>", "f32", 9)
GATES = ("G-prior", "G-personal")
LANGUAGES = ("python",) * 5 + ("typescript", "typescript", "go", "rust")
ENDS = ("rejected", "rejected", "superseded", "ignored", "unread", "undone")


def filled(path: Path, count: int = 2000, days: int = 20, seed: int = 1, now_ms: int | None = None) -> Path:
    """The store at ``path`` with ``count`` opportunities of the last ``days`` days, all counted."""
    now = int(time.time() * 1000) if now_ms is None else now_ms
    chance = random.Random(seed)
    connection = open_for_writing(path)
    writer = Writer(path)
    writer._connection = connection
    events = list(_story(chance, count, days, now))
    for start in range(0, len(events), 2000):
        assert writer.write(events[start : start + 2000]) == ([], 0)
    while aggregates.fold(connection):
        pass
    connection.close()
    return path


def _story(chance: random.Random, count: int, days: int, now: int) -> Iterator[Event]:
    yield Session("S1", 42, "an editor", "1.2", "0.1.0", now - days * DAY_MS)
    yield MODEL
    yield MARKUP
    yield from (Gate(gate, "logistic", "{}", now - (9 - at) * DAY_MS, 400) for at, gate in enumerate(GATES))
    for number in range(count):
        at = now - int((count - number) / count * days * DAY_MS) - chance.randrange(60_000)
        yield from _moment(chance, f"O{number:07}", at, GATES[number > count // 2])


def _moment(chance: random.Random, name: str, at: int, gate: str) -> list[Event]:
    """Stage two's probability is somewhat too sure of itself, as an uncalibrated gate would be."""
    p = chance.betavariate(1.6, 2.6)
    true = min(max(0.12 + 0.75 * p, 0.0), 1.0)
    skipped, explored = chance.random() < 0.2, chance.random() < 0.05
    hidden = not skipped and p < 0.22
    decision = "skip" if skipped else "hide" if hidden and not explored else "show"
    decode = 0.0 if skipped else chance.lognormvariate(4.2, 0.5)
    propensity = 1.0 if not hidden else 0.05 if explored else 0.95
    reason = {"skip": chance.choice(("cancelled", "gated_skip")), "hide": "gated_hide", "show": "shown"}[decision]
    model = MODEL.id if chance.random() < 0.9 else MARKUP.id
    made = Opportunity(
        name, "S1", at, 1.0, language=chance.choice(LANGUAGES), model=model, gate=gate, feature_version=3,
        features={"prefix_chars": 12.0, "mean_logprob": -0.4}, p1=None if chance.random() < 0.5 else p,
        p2=None if skipped else p, threshold=0.22, stage=1 if skipped else 2, decision=decision, reason=reason,
        propensity=propensity, explored=hidden and explored, cancelled=reason == "cancelled",
        new_tokens=0 if skipped else chance.randrange(3, 20), t_wait=30.0, t_context=chance.uniform(1, 6),
        t_prefill=0.0 if skipped else chance.lognormvariate(3.0, 0.4), t_decode=decode, t_total=decode + 60.0,
    )  # fmt: skip
    return [made, *(_seen(chance, made, true) if decision == "show" else [])]


def _seen(chance: random.Random, made: Opportunity, true: float) -> list[Event]:
    chars, at = chance.randrange(5, 60), made.ts_ms + 90
    seen = Impression(f"I{made.id}", made.id, at, 1.0, chars, 1, 8, -0.4, -1.5)
    if chance.random() >= true:
        return [seen, Outcome(seen.id, chance.choice(ENDS), at + 700, 1.0, chance.uniform(200, 3000))]
    kept = chars if chance.random() < 0.8 else chance.randrange(chars)
    return [
        seen,
        Outcome(seen.id, "accepted", at + 900, 1.0, chance.uniform(500, 4000), chars, 1, "command"),
        Retention(seen.id, 120, at + 120_900, 1.0, kept, chars),
    ]


if __name__ == "__main__":
    filled(Path(sys.argv[1]), int(sys.argv[2]))
