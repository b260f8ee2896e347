"""A store as weeks of editing would leave it, made up with a fixed seed: to measure the dashboard, to look at it, to test it.

Three kinds of rows: suggestions at the cursor, next edits, review comments. Shares and times are plausible, nothing more.
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from telemetry import aggregates, rows
from telemetry.connection import open_for_writing
from telemetry.events import Event, Exits, Gate, Impression, Model, Opportunity, Outcome, Retention, Session

DAY_MS = 86_400_000
BLOCK = 20_000
MODEL = Model("ab" * 32, "sotto-tiny", "int8", 3_000_000)
OTHER = Model("cd" * 32, "<img src=x onerror=alert(1)>", "f32", 9)  # names may be markup, and must stay text
GATES = ("G-prior", "G-personal")
LANGUAGES = ("python",) * 5 + ("typescript", "typescript", "go", "rust")
HIDDEN, FLOOR = 0.22, 0.12  # below these the gate hides, and the quality floor did before it was asked
LAYERS = (2, 4, 6)
PATTERNS = ("rename", "same-replacement", "add-argument", "model")
RULES = ("mutable-default", "bare-except", "removed-name", "unused-variable")
COMMENT_ENDS = ("accepted", "resolved", "rejected", "rejected", "ignored")
ENDS = ("rejected", "rejected", "superseded", "ignored", "unread", "undone")


def filled(path: Path, count: int = 2000, days: int = 20, seed: int = 1, now_ms: int | None = None) -> Path:
    """The store at ``path`` with ``count`` opportunities of the last ``days`` days, all counted. Raises `sqlite3.Error`."""
    now = int(time.time() * 1000) if now_ms is None else now_ms
    chance = random.Random(seed)
    connection = open_for_writing(path)
    events = _story(chance, count, days, now)
    while block := list(itertools.islice(events, BLOCK)):
        made, misfits = rows.statements(block)
        if misfits:
            raise AssertionError("every made-up event is one")
        connection.execute("BEGIN IMMEDIATE")
        for sql, values in made:
            connection.execute(sql, values)
        connection.execute("COMMIT")
    while aggregates.fold(connection):
        pass
    connection.close()
    return path


def _story(chance: random.Random, count: int, days: int, now: int) -> Iterator[Event]:
    yield Session("S1", 42, "an editor", "1.2", "0.1.0", now - days * DAY_MS)
    yield MODEL
    yield OTHER
    yield from (Gate(gate, "logistic", "{}", now - (9 - at) * DAY_MS, 400) for at, gate in enumerate(GATES))
    for number in range(count):
        at = now - int((count - number) / count * days * DAY_MS) - chance.randrange(60_000)
        name, kind = f"O{number:07}", chance.random()
        if kind < 0.06:
            yield from _edit(chance, name, at)
        elif kind < 0.08:
            yield from _comment(chance, name, at)
        else:
            yield from _moment(chance, name, at, GATES[number > count // 2])


def _edit(chance: random.Random, name: str, at: int) -> list[Event]:
    made = Opportunity(
        name, "S1", at, 1.0, kind="next_edit", language="python", model=MODEL.id, rule=chance.choice(PATTERNS),
        p2=chance.random(), decision="show" if chance.random() < 0.7 else "hide", new_tokens=4,
        t_total=chance.lognormvariate(3.4, 0.5),
    )  # fmt: skip
    shown = made.decision == "show"
    made = replace(made, reason="shown" if shown else "unsure")
    return [made, *(_seen(chance, made, 0.45) if shown else [])]


def _comment(chance: random.Random, name: str, at: int) -> list[Event]:
    rule = chance.choice(RULES)
    made = Opportunity(
        name, "S1", at, 1.0, kind="review", language="python", rule=rule, decision="show", reason="shown", t_total=1400.0
    )
    seen = Impression(f"I{name}", name, at, 1.0, 60, 1)
    return [made, seen, Outcome(seen.id, chance.choice(COMMENT_ENDS), at + 40_000, 1.0, 40_000.0)]


def _moment(chance: random.Random, name: str, at: int, gate: str) -> list[Event]:
    """Stage two's probability is somewhat too sure of itself, as an uncalibrated gate would be."""
    p = chance.betavariate(1.6, 2.6)
    skipped, explored, stopped = chance.random() < 0.2, chance.random() < 0.05, chance.random() < 0.15
    hidden = not skipped and p < HIDDEN
    decision = "skip" if skipped else "hide" if hidden and not explored else "show"
    cancelled = skipped and chance.random() < 0.5
    reason, why = {"hide": ("gated_hide", "gate"), "show": ("shown", "sure")}.get(decision, ("gated_skip", "gate"))
    if decision == "hide" and p < FLOOR:
        reason, why = "unsure", ""
    decode, tokens = (0.0, 0) if skipped else (chance.lognormvariate(4.2, 0.5), chance.randrange(3, 20))
    made = Opportunity(
        name, "S1", at, 1.0, language=chance.choice(LANGUAGES), model=MODEL.id if chance.random() < 0.9 else OTHER.id,
        gate=gate, feature_version=3, features={"prefix_chars": 12.0, "mean_logprob": -0.4},
        p1=None if chance.random() < 0.5 else p, p2=None if skipped else p, threshold=HIDDEN,
        stage=1 if skipped else 2, decision=decision,
        reason="cancelled" if cancelled else reason, why="" if cancelled else "explored" if hidden and explored else why,
        propensity=1.0 if not hidden else 0.05 if explored else 0.95, explored=hidden and explored, cancelled=cancelled,
        new_tokens=tokens, saved_tokens=None if skipped else 12 * stopped, t_wait=30.0, t_context=chance.uniform(1, 6),
        t_prefill=0.0 if skipped else chance.lognormvariate(3.0, 0.4), t_decode=decode, t_total=decode + 60.0,
    )  # fmt: skip
    left = [Exits(name, layer, tokens) for layer in chance.sample(LAYERS, 1 + (tokens > 8)) if tokens]
    return [made, *left, *(_seen(chance, made, min(max(0.12 + 0.75 * p, 0.0), 1.0)) if decision == "show" else [])]


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
