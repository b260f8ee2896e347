"""Events to record in tests: one session in which three suggestions were offered, two shown and one taken."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any

from telemetry.events import Event, Exits, Gate, Impression, Model, Opportunity, Outcome, Retention, Session, SessionEnd
from telemetry.ids import new_id

SESSION = Session("S1", 4242, "an editor", "1.2", "0.1.0", 1_700_000_000_000)
MODEL = Model("ab" * 32, "sotto-tiny", "int8", 3_000_000)
SHOWN = Opportunity(
    "O1", "S1", 1_700_000_001_000, 1000.5, language="python", model=MODEL.id, features={"prefix_chars": 12.0},
    decision="show", reason="shown", t_prefill=20.0, t_decode=50.0, t_total=90.0, prompt_tokens=100,
    reused_tokens=80, new_tokens=10, why="sure", saved_tokens=0,
)  # fmt: skip
CACHED = Opportunity("O2", "S1", 1_700_000_002_000, 2000.5, language="python", decision="show", reason="shown", t_total=2.0)
HIDDEN = Opportunity("O3", "S1", 1_700_000_003_000, 3000.5, language="go", decision="hide", reason="unsure", t_total=50.0)
EXITS = (Exits("O1", 4, 7), Exits("O1", 6, 3))
SEEN = Impression("I1", "O1", 1_700_000_001_090, 1090.5, 20, 1, 10, -0.4, -1.5, source="model", how="notified")
SEEN_TOO = Impression("I2", "O2", 1_700_000_002_002, 2002.5, 7, 1, source="cache")
PART = Outcome("I1", "accepted_word", 1_700_000_001_500, 1500.5, 410.0, 6, 1, "notified", final=False)
TAKEN = Outcome("I1", "accepted", 1_700_000_001_900, 1900.5, 810.0, 20, 1, "command")
KEPT = Retention("I1", 30, 1_700_000_031_900, 31900.5, 14, 20)
GATE = Gate("G1", "logistic", '{"weights":{"prefix_chars":0.5}}', 1_700_000_000_500, 210, {"auc": 0.78})
END = SessionEnd("S1", 1_700_000_009_000, "telemetry switched")
STORY: tuple[Event, ...] = (SESSION, MODEL, GATE, SHOWN, *EXITS, SEEN, PART, TAKEN, KEPT, CACHED, SEEN_TOO, HIDDEN, END)

TIMES = ("ts_ms", "shown_ms", "started_ms", "ended_ms", "created_ms")


def story_of_today() -> list[Event]:
    """The same events, just now: a starting server prunes what is over ninety days old."""
    later = int(time.time() * 1000) - END.ended_ms
    return [
        dataclasses.replace(event, **{name: getattr(event, name) + later for name in TIMES if hasattr(event, name)})
        for event in STORY
    ]


Rows = Callable[[str], list[dict[str, Any]]]


def opportunity(ts_ms: int = 0, session: str = "S1", **more: object) -> Opportunity:
    """A new one, of now if no time is given, otherwise plain."""
    return Opportunity(new_id(), session, ts_ms or int(time.time() * 1000), 1.0, **more)  # type: ignore[arg-type]
