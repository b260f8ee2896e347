"""Which engine the settings ask for, and what the status item says of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from assistant.config import Config
from lsp_server.engine_choice import EngineChoice, status_of


@pytest.mark.parametrize(
    "change", [{"model": "m"}, {"threads": 2}, {"shared_engine": False}, {"idle_minutes": 1}, {"allow_download": True}]
)
def test_what_needs_another_engine(change: dict[str, object]) -> None:
    config = Config()
    assert EngineChoice.of(replace(config, **change), "") != EngineChoice.of(config, "")  # type: ignore[arg-type]


def test_what_needs_none() -> None:
    config = Config()
    assert EngineChoice.of(replace(config, max_tokens=3, enabled=False, look_ahead=False), "") == EngineChoice.of(config, "")
    assert EngineChoice.of(Config(model="mine"), "theirs").model == "mine"
    assert EngineChoice.of(config, "theirs").model == "theirs"


@pytest.mark.parametrize(
    ("state", "inactive", "enabled", "kind", "busy"),
    [
        ("off", "", True, "Normal", True),
        ("off", "", False, "Normal", False),
        ("loading", "", True, "Normal", True),
        ("ready", "", True, "Normal", False),
        ("resting", "", True, "Normal", False),
        ("restarting", "", True, "Warning", True),
        ("failed", "excluded", True, "Error", False),
        ("ready", "excluded", True, "Inactive", False),
    ],
)
def test_the_status_item(state: str, inactive: str, enabled: bool, kind: str, busy: bool) -> None:
    shown = status_of(state, "said", inactive, enabled)
    assert (shown.kind, shown.busy) == (kind, busy)
    assert shown.message == (inactive if kind == "Inactive" else "said")
