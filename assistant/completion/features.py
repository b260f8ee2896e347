"""Numbers about one opportunity, kept with its outcome so that a gate can be learned: never text.

A feature is one entry; its name is stored with every event, so an old name keeps its meaning.
"""

from __future__ import annotations

import math

from assistant.completion.context import Site
from assistant.completion.multiline import Mode, only_closers
from assistant.types import Snapshot, Source, Suggestion, Trigger


def features(snapshot: Snapshot, site: Site, mode: Mode, suggestion: Suggestion | None) -> dict[str, float]:
    """What is known at display time; the second half only where the model was asked."""
    return {**_of_place(snapshot, site, mode), **(_of_text(suggestion) if suggestion else {})}


def _of_place(snapshot: Snapshot, site: Site, mode: Mode) -> dict[str, float]:
    last = site.line_before.rstrip()[-1:]
    return {
        "invoked": float(snapshot.trigger is Trigger.INVOKED),
        "popup": float(snapshot.selected is not None),
        "several_lines": float(mode.several),
        "line_before": float(len(site.line_before)),
        "line_before_bare": float(len(site.line_before.strip())),
        "line_rest": float(len(site.rest)),
        "rest_is_closers": float(only_closers(site.rest)),
        "document": float(len(site.text)),
        "offset": float(site.offset),
        "in_text": float(site.in_text),
        "open_brackets": float(len(site.stack)),
        "indent": float(len(site.indent)),
        "after_space": float(site.line_before[-1:].isspace()),
        "last_code": float(ord(last)) if last and ord(last) < 128 else 0.0,
    }


def _of_text(suggestion: Suggestion) -> dict[str, float]:
    sure = suggestion.confidence
    numbers = {
        "chars": float(len(suggestion.inserted)),
        "lines": float(suggestion.inserted.count("\n") + 1),
        "cached": float(suggestion.source is Source.CACHE),
    }
    if sure is None:
        return numbers
    return {
        **numbers,
        "tokens": float(sure.tokens),
        "mean_logprob": sure.mean_logprob,
        "min_logprob": sure.min_logprob,
        "probability": math.exp(sure.mean_logprob),
    }
