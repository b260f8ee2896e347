"""How much of our cache and attention a model runs on rightly: found by trying, on a few tokens, in its own number format.

Knows a runner and the same model without any of ours. A class of transformers that keeps a state, makes masks of its own or
ignores what it is given answers otherwise than alone, and is found out.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
import torch

from assistant.model.hf.attention import Attention
from assistant.model.hf.runner import HubRunner, Way
from assistant.model.mixture import Floats

log = logging.getLogger("sotto.engine")

TOKENS, FIRST, THEN = 48, 40, 47
"""A prompt of 40 tokens, seven more in one pass, and one."""
TOLERANCE = 0.15
"""The root mean square of a row's differences, in standard deviations of logits: a wrong mask or place makes it about 1."""


def choose_way(runner: HubRunner, attention: Attention, ids: Sequence[int]) -> Way:
    """Try the ways from the best on; the runner keeps the first that answers as the model alone does.

    ``ids``: at least `TOKENS` of them, ordinary text.
    """
    model = runner.model
    usual = model.config._attn_implementation
    with torch.inference_mode():
        alone: Floats = (
            model(torch.tensor([list(ids[:TOKENS])], device=model.device), use_cache=False).logits[0].float().cpu().numpy()
        )
    for way in Way:
        model.set_attn_implementation(attention.name if way is Way.OURS else usual)
        runner.way = way
        if way is Way.OURS and model.config._attn_implementation != attention.name:
            continue
        if _agrees(runner, ids[:TOKENS], alone):
            break
    if runner.way.value:
        log.info("not all of Sotto's cache and attention is used with this model: %s", runner.way.value)
    return runner.way


def _agrees(runner: HubRunner, ids: Sequence[int], alone: Floats) -> bool:
    try:
        slot = runner.context("dense")
        for start, stop in ((0, FIRST), (FIRST, THEN), (THEN, TOKENS)):
            logits = runner.logits(ids[start:stop], slot, bool, stop - start)
            slot.advance(ids[start:stop])
            off = np.sqrt(np.square(logits - alone[start:stop]).mean(axis=1)).max()
            log.debug("%s: rows %d to %d are off by %.3f", runner.way, start, stop, off / alone.std())
            if not float(off) < TOLERANCE * float(alone.std()):  # also where it is no number
                return False
    except Exception:  # whatever a model's class makes of what it does not expect
        log.debug("this way is not for this model", exc_info=True)
        return False
    return True
