"""What tests of the dashboard share: a store of some weeks, the application over it, and sockets to this machine only."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from telemetry.dashboard.app import Dashboard
from tests.telemetry.dashboard.browsing import Browser
from tests.telemetry.dashboard.stores import filled

NOW_MS = 1_700_000_000_000
"""22 hours into a UTC day, long ago: counted by the day, whatever the clock of the machine."""


@pytest.fixture(autouse=True)
def _no_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Instead of the store's fixture of this name: event loops need sockets, but nothing may leave this machine."""
    connect = socket.socket.connect

    def local(self: socket.socket, address: object) -> None:
        assert isinstance(address, tuple)
        assert address[0] == "127.0.0.1"
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", local)


@pytest.fixture(scope="session")
def weeks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that no test changes."""
    return filled(tmp_path_factory.mktemp("weeks") / "telemetry.db", 2000, 20, now_ms=NOW_MS)


@pytest.fixture
def dashboard(weeks: Path) -> Dashboard:
    return Dashboard(weeks, ("gate*",))


@pytest.fixture
def browser(dashboard: Dashboard) -> Browser:
    """One that has been let in."""
    return Browser(dashboard.guard).let_in()
