"""What the server tells the editor unasked: the status item, messages, log lines, progress.

Knows the client's abilities and the wire's names; nothing of why something is said.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING

from lsprotocol import types

from lsp_server.engine_pipe import ENGINES_WORDS
from lsp_server.protocol import DID_CHANGE_STATUS, Status

if TYPE_CHECKING:
    from pygls.lsp.server import LanguageServer

CREATE_S = 5.0
"""A client that has not made the progress item by then is not going to show it."""
LEVELS = ("INFO", "WARNING", "ERROR")
REPORT_S = 0.25
"""Between two reports of how far something is."""


class Host:
    """The client's windows. Repeats nothing: an equal status and a warning already given are not sent again."""

    def __init__(self, server: LanguageServer, has_progress: bool) -> None:
        self._server = server
        self._has_progress = has_progress
        self._status: Status | None = None
        self._warned: set[str] = set()
        self._numbers = itertools.count(1)
        _follow(self)

    def status(self, status: Status) -> None:
        if status != self._status:
            self._status = status
            self._server.protocol.notify(DID_CHANGE_STATUS, status.to_json())

    def warn(self, text: str) -> None:
        """A message in the user's face."""
        if text not in self._warned:
            self._warned.add(text)
            self._server.window_show_message(types.ShowMessageParams(types.MessageType.Warning, text))

    def log(self, text: str) -> None:
        self._server.window_log_message(types.LogMessageParams(types.MessageType.Info, text))

    async def progress(self, title: str, done: asyncio.Event, look: Callable[[], tuple[str, int]] | None = None) -> None:
        """Show that something lasts until ``done``, where the client can. ``look`` says how far: a text and a percentage."""
        if not self._has_progress:
            return
        token, shown = f"sotto-{next(self._numbers)}", self._server.work_done_progress
        try:
            await asyncio.wait_for(shown.create_async(token), CREATE_S)
        except Exception as error:  # the client's own words; progress is a courtesy
            self.log(f"no progress item: {error}")
            return
        start = 0 if look is not None else None  # a client shows no percentage later that did not begin with one
        shown.begin(token, types.WorkDoneProgressBegin(title=title, cancellable=False, percentage=start))
        while look is not None and not await _happens(done, REPORT_S):
            message, percentage = look()
            shown.report(token, types.WorkDoneProgressReport(message=message, percentage=percentage))
        await done.wait()
        shown.end(token, types.WorkDoneProgressEnd())
        shown.tokens.pop(token, None)


class _Told(logging.Handler):
    """What the engine's process logs, for the editor's log: what attention does and why, what was given up, what broke.

    First lines only: what a traceback quotes may be the user's.
    """

    def __init__(self, host: Host) -> None:
        super().__init__(logging.INFO)
        self._host = weakref.ref(host)

    def emit(self, record: logging.LogRecord) -> None:
        host = self._host()
        if host is None:
            logging.getLogger(record.name).removeHandler(self)
        else:
            with contextlib.suppress(Exception):  # the client is gone
                level, _, said = record.getMessage().partition("\n")[0].partition(" ")
                if level in LEVELS and said:
                    host.log(f"engine: {said}")


def _follow(host: Host) -> None:
    log = logging.getLogger(ENGINES_WORDS)
    log.setLevel(logging.INFO)
    log.addHandler(_Told(host))


async def _happens(event: asyncio.Event, within: float) -> bool:
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(event.wait(), within)
    return event.is_set()
