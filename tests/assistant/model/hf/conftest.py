"""One tiny checkpoint of each family, and engines on them; made once."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import pytest

from assistant.model.hf.engine import HubEngine
from assistant.model.hf.load import load
from tests.assistant.model.hf import tiny


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a family's checkpoint."""
    root = tmp_path_factory.mktemp("hub")
    return lru_cache(maxsize=None)(lambda family: tiny.make(root / family, family))


@pytest.fixture(scope="session")
def engine(checkpoint: Callable[[str], Path]) -> Callable[[str], HubEngine]:
    """A family's engine; tests that share it see each other's KV cache, as requests of a day do."""
    return lru_cache(maxsize=None)(lambda family: load(checkpoint(family), lambda: None)[0])
