"""Runs the dashboard on a loopback port until it is stopped, or nobody has looked for half an hour. Knows no page."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import uvicorn

from telemetry.dashboard.app import Dashboard
from telemetry.dashboard.security import OPEN

HOST = "127.0.0.1"
IDLE_S = 30 * 60


class PortError(Exception):
    """The port cannot be had. The text says what to do."""


def serve(path: Path, port: int, ready: Callable[[str], None], learned: Sequence[str] = (), idle_s: float = IDLE_S) -> None:
    """Answer about the store at ``path``; ``ready`` is called with the address once, when it can be opened.

    ``port`` 0 takes a free one. ``learned``: see `Dashboard`. Raises PortError.
    """
    dashboard = Dashboard(path, learned)
    config = uvicorn.Config(
        dashboard.guard, host=HOST, port=port, lifespan="off", ws="none", log_level="critical", access_log=False,
        server_header=False, date_header=False, proxy_headers=False, timeout_graceful_shutdown=1,
    )  # fmt: skip
    server = _Server(config, dashboard, ready, idle_s)
    try:
        server.run()
    except SystemExit as stopped:  # uvicorn's way to say that it cannot listen
        raise PortError(f"port {port} is taken: choose another with --port, or leave it out") from stopped


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, dashboard: Dashboard, ready: Callable[[str], None], idle_s: float) -> None:
        super().__init__(config)
        self._guard = dashboard.guard
        self._ready = ready
        self._idle_s = idle_s

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]  # sockets are never given
        await super().startup()
        port = self.servers[0].sockets[0].getsockname()[1]
        self._ready(f"http://{HOST}:{port}{OPEN}?token={self._guard.token}")

    async def on_tick(self, counter: int) -> bool:
        idle = time.monotonic() - self._guard.last > self._idle_s
        return await super().on_tick(counter) or idle
