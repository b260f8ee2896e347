"""The public study of 21 programmers with Copilot (CUPS, MIT), read into `GateRow` by the gate's own feature code.

Each first display of a suggestion that was then accepted or rejected is one row (a display that follows one without an end
is left out: when it began is not known). Features use what was known at that moment only. The prior is fitted on these rows;
the file itself is not part of Sotto. The text behind the cursor is not in the data: blank lines stand for it, so that lengths
are right. Nor is the weakest token's probability.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from assistant.completion.context import Site, Windows, look
from assistant.completion.multiline import choose
from assistant.gate.features import of_place, of_text
from assistant.gate.history import History
from assistant.gate.rows import GateRow
from assistant.types import Confidence, Snapshot, Source, Suggestion, Trigger

EVENTS = "cups_copilot_events.jsonl.gz"
STATES = "cups_state_model.csv"
_WINDOWS = Windows(3000, 600)
_HEADER = ("#!/usr/bin/env", "# Path:", "// Path:", "// Language:", "# Language:")
_DECIDED, _PASSING = ("Accepted", "Rejected"), ("Replay", "Browsing")


def events(path: Path) -> list[dict[str, Any]]:
    """The study's events in order, one object each."""
    raw = path.read_bytes()
    text = gzip.decompress(raw) if path.suffix == ".gz" else raw
    return [json.loads(line) for line in text.splitlines()]


def rows(path: Path) -> list[GateRow]:
    """All rows, by user and in time."""
    return [row for _, user in groupby(events(path), key=lambda e: e["user"]) for row in _of_user(list(user))]


def _of_user(user: list[dict[str, Any]]) -> Iterator[GateRow]:
    history, start, fresh = History(), _seconds(user[0]), True
    for at, event in enumerate(user):
        now = _seconds(event) - start
        if event["state"] == "Shown":
            row = _row(event, history, now)
            history.opportunity(now)
            site = _site(event)
            history.shown(now, site.path, site.offset, site.line_before)
            end = next((e for e in user[at + 1 :] if e["state"] not in _PASSING), None)
            if fresh and end is not None and end["state"] in _DECIDED:
                yield _ended(row, end, _seconds(end) - start - now)
        elif event["state"] in _DECIDED:
            history.ended(now, event["suggestion"], float(event["state"] == "Accepted"))
        if event["state"] != "Replay":
            fresh = event["state"] != "Shown"


def _row(event: dict[str, Any], history: History, now: float) -> GateRow:
    site, said = _site(event), _suggestion(event)
    age = event["measurements"].get("timeSinceIssuedMs")
    several = choose(site, Trigger.AUTOMATIC, "auto").several
    place = of_place(site, Trigger.AUTOMATIC, several, False, history, now)
    text = of_text(site, said, history, age)
    text.pop("min_logprob", None)  # not recorded; left out, it counts as the average
    return GateRow(
        id=f"{event['user']}-{event['k']}",
        ts_ms=int(_seconds(event) * 1000),
        features={**place, **text},
        language=site.language,
        n_chars=len(event["suggestion"]),
        user=str(event["user"]),
    )


def _ended(row: GateRow, end: dict[str, Any], seconds: float) -> GateRow:
    taken = end["state"] == "Accepted"
    chars = row.n_chars if taken else 0
    return replace(row, outcome="accepted" if taken else "rejected", visible_ms=seconds * 1000, accepted_chars=chars)


def _site(event: dict[str, Any]) -> Site:
    lines = event["prompt"].split("\n")
    language = "python"
    while lines and lines[0].startswith(_HEADER):
        _, _, value = lines.pop(0).partition("Language:")
        language = value.strip() or language
    before = "\n".join(lines)
    measured = event["measurements"]
    behind = max(0, int(measured["documentLength"] - measured["promptEndPos"]))
    text = before + "\n" * behind
    return look(Snapshot("file:///study.py", language, text, len(before), path="/study.py"), _WINDOWS)


def _suggestion(event: dict[str, Any]) -> Suggestion:
    measured, text = event["measurements"], event["suggestion"]
    mean = measured.get("meanLogProb")
    sure = None if mean is None else Confidence(mean, mean, int(measured["numTokens"]))
    return Suggestion("", text, text, 0, 0, Source.MODEL, sure)


def _seconds(event: dict[str, Any]) -> float:
    return datetime.fromisoformat(event["time"].replace("Z", "+00:00")).timestamp()
