"""The engine's life: take a request, answer it; when there is none, learn; when there was none for long, give memory back or
end.

Knows hub, engine and door; does not know how either was made. One thread: this one alone uses the engine.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable

from assistant.model.background import Background
from assistant.model.engine import Engine
from assistant.model.memory import give_back_memory
from assistant.model.serving.answers import serve
from assistant.model.serving.hub import LAST, Hub
from assistant.model.serving.quiet import Quiet

log = logging.getLogger("sotto.engine")


def run(engine: Engine, hub: Hub, quiet: Quiet, shut: Callable[[], bool] | None = None) -> int:
    """Until a server says stop, or, with ``shut``, until none is left and it is true. Returns the exit code."""
    background = Background(lambda: hub.call(background.rest))
    while True:
        peers = hub.peers
        if peers or shut is None:
            quiet.used()
        request = hub.take(quiet.patience(bool(peers) or shut is None))
        if request is not None and request.op == "stop":
            return 0
        if request is not None:
            serve(engine, hub, request)
            if request.priority < LAST:
                quiet.asked()
        elif quiet.release():
            release(engine, hub)
        elif shut is not None and not hub.peers and quiet.is_over and shut():
            log.info("no editor uses this engine any more: it ends")
            return 0
        if not hub.has_work:
            background.start(lambda: _next_slice(hub))


def release(engine: Engine, hub: Hub) -> None:
    """Give back what the next key can compute again. What servers taught stays: it cannot."""
    engine.release()
    for peer in hub.peers:
        if peer.caches is not None:
            peer.caches.release()
    gc.collect()
    give_back_memory()
    log.info("nothing was asked for a while: the engine has given memory back")


def _next_slice(hub: Hub) -> Callable[[], object] | None:
    pieces = (peer.caches.next_slice() for peer in hub.peers if peer.caches is not None)
    return next((piece for piece in pieces if piece is not None), None)
