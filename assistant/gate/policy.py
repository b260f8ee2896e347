"""The gate in its first form: plain rules, applied to automatic requests only.

Before the model: is this a place at all? After it: is the model sure enough? Learns nothing yet, and knows nothing of the user.
"""

from __future__ import annotations

import math

from assistant.completion.context import Site
from assistant.completion.multiline import has_body, only_closers
from assistant.types import Confidence

_LEAST_CONTEXT = 2  # characters that are no white space, in both windows; below this the model can only guess


def skip(site: Site) -> bool:
    """Whether an automatic request here is not worth running the model: inside a word, in the white space before a line's
    code, behind a header that has its block, or in a file with nothing in it.
    """
    ahead = site.rest[:1]
    if ahead.isalnum() or ahead == "_":
        return True
    if has_body(site) or (not site.line_before.strip() and not only_closers(site.rest)):
        return True
    return len("".join((site.prefix + site.suffix).split())) < _LEAST_CONTEXT


def probability(confidence: Confidence) -> float:
    """The geometric mean of the tokens' probabilities."""
    return math.exp(confidence.mean_logprob)


def is_sure(confidence: Confidence | None, least: float) -> bool:
    """Whether to show a suggestion; one whose confidence is not known passes."""
    return confidence is None or probability(confidence) >= least
