"""Where a run stands, as a value: what a log line, a progress bar or another process is told.

Knows nothing of training. ``sotto train`` reads the JSON form from the trainer's standard output.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Progress:
    """``tokens`` of ``total`` are done in ``stage``; losses in nats a token, ``speed`` in tokens a second."""

    stage: str
    tokens: int = 0
    total: int = 0
    step: int = 0
    loss: float = 0.0
    exit_loss: float = 0.0
    rate: float = 0.0
    speed: float = 0.0
    flops: float = 0.0

    @property
    def seconds_left(self) -> float:
        return (self.total - self.tokens) / self.speed if self.speed else 0.0

    def to_json(self) -> str:
        return json.dumps({"progress": asdict(self)})


Report = Callable[[Progress], None]


def log_line(now: Progress) -> None:
    """One plain line."""
    if not now.total:
        log.info("stage %s", now.stage)
        return
    log.info(
        "step %d tokens %.2fM loss %.4f exit %.4f lr %.3f %.0f tok/s %.1fe13 FLOP %.0f min left",
        *(now.step, now.tokens / 1e6, now.loss, now.exit_loss, now.rate, now.speed, now.flops / 1e13, now.seconds_left / 60),
    )
