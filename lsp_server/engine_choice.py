"""Which engine the settings ask for, and how its state is shown. Knows settings and the status item; starts nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from assistant.config import Config
from lsp_server.engine import EngineClient
from lsp_server.protocol import Status


@dataclass(frozen=True)
class EngineChoice:
    """What another engine client is needed for when it changes."""

    model: str
    threads: int
    shared: bool
    idle_minutes: int
    allow_download: bool
    attention: str

    @classmethod
    def of(cls, config: Config, model: str) -> EngineChoice:
        """``model`` stands in for an empty setting of that name."""
        chosen, life = config.model or model, (config.shared_engine, config.idle_minutes)
        return cls(chosen, config.threads, *life, config.allow_download, config.attention)

    def client(self, on_event: Callable[[str, str], None]) -> EngineClient:
        """Not started yet."""
        return EngineClient(
            self.model,
            self.threads,
            on_event,
            shared=self.shared,
            idle_s=self.idle_minutes * 60,
            allow_download=self.allow_download,
            attention=self.attention,
        )


def status_of(state: str, message: str, inactive: str, enabled: bool) -> Status:
    """``state`` is the engine's last news, or "off" before the first; ``inactive`` says why this document gets nothing."""
    if state == "failed":
        return Status("Error", message)
    if inactive:
        return Status("Inactive", inactive)
    if state == "restarting":
        return Status("Warning", message, busy=True)
    starts = state == "off" and enabled  # asked for, not begun yet: nobody shall call that ready
    return Status("Normal", message, busy=starts or state == "loading")
