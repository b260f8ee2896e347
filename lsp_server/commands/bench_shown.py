"""What of the shown is right: automatic completions at cursors whose line is known, with the doubted rest cut off and without.

Knows cursors, settings and a completer. A suggestion is right when the line goes on with it; no gate, no telemetry.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from assistant.cancel import Cancel
from assistant.config import Config
from assistant.service import Completer
from assistant.types import Trigger
from lsp_server.commands.bench_infill import Cursor
from telemetry.ids import new_id

WAYS = {"as shipped": Config(), "nothing cut off": Config(stop_below=0.0)}


@dataclass(frozen=True)
class Shown:
    """Shares of the ``n`` cursors, but ``right`` and ``whole``, which are shares of what is shown; characters a cursor."""

    n: int
    shown: float
    right: float
    whole: float
    right_chars: float
    new_tokens: float


async def measure(engine: Any, places: Sequence[Cursor], say: Callable[[str], None]) -> dict[str, dict[str, Any]]:
    """Every cursor in every way, each way with a completer of its own, so that nothing comes from a cache."""
    found = {}
    for way, config in WAYS.items():
        completer = Completer(engine, new_id=new_id)
        shown = right = whole = chars = tokens = 0
        for number, place in enumerate(places):
            say(f"{way}: {number + 1} of {len(places)}")
            snapshot = replace(place.snapshot, trigger=Trigger.AUTOMATIC, uri=f"{place.snapshot.uri}#{number}")
            answer = await completer.complete(snapshot, config, Cancel())
            tokens += answer.new_tokens
            if answer.suggestion is None:
                continue
            text, shown = answer.suggestion.inserted.split("\n", 1)[0].rstrip(), shown + 1
            if place.target.startswith(text):
                right, chars = right + 1, chars + len(text)
            whole += text == place.target
        n = max(1, len(places))
        some = max(1, shown)
        found[way] = asdict(Shown(len(places), shown / n, right / some, whole / some, chars / n, tokens / n))
    return found
