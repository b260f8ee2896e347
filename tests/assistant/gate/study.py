"""The shared study for tests: its rows where the data lies beside the repository, a skip with the reason where not."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from assistant.gate import cups
from assistant.gate.boost import Array
from assistant.gate.learn import Labelled, fit_prior
from assistant.gate.model import Gate
from assistant.gate.rows import GateRow

FOLDER = Path(__file__).resolve().parents[4] / "shared" / "data" / "gate"
needs_study = pytest.mark.skipif(not (FOLDER / cups.EVENTS).exists(), reason=f"the study is not at {FOLDER}")


@cache
def rows() -> tuple[GateRow, ...]:
    return tuple(cups.rows(FOLDER / cups.EVENTS))


@cache
def fitted() -> tuple[Labelled, Gate, Array, Array]:
    """The labelled rows, the gate fitted on them, and both stages' out-of-user probabilities."""
    data = Labelled.of(rows(), count_unread=True)
    return data, *fit_prior(data, {})
