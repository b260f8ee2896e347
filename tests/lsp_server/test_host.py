"""What an engine's process says reaches the editor's log, and no more of it than may."""

from __future__ import annotations

import gc
import logging
from types import SimpleNamespace

from lsp_server.engine_pipe import ENGINES_WORDS
from lsp_server.host import Host

ENGINE = logging.getLogger(ENGINES_WORDS)


def made(told: list[str]) -> Host:
    server = SimpleNamespace(window_log_message=lambda params: told.append(params.message))
    return Host(server, has_progress=False)  # type: ignore[arg-type]


def test_lines_of_the_engine_are_logged_and_what_a_traceback_quotes_is_not() -> None:
    told: list[str] = []
    host = made(told)
    ENGINE.info("%s", "INFO attention: layers 0-3: positions below 8192: dense")
    ENGINE.info("%s", "WARNING attention: lightning mixes by weights of its own\nsecret = 1")
    for line in ("Traceback (most recent call last):", '  File "x.py", line 1', "ValueError: password = 'abc'", "", "INFO"):
        ENGINE.info("%s", line)
    assert told == [
        "engine: attention: layers 0-3: positions below 8192: dense",
        "engine: attention: lightning mixes by weights of its own",
    ]
    del host


def test_a_server_that_is_gone_is_told_nothing() -> None:
    before, told = len(ENGINE.handlers), list[str]()
    host = made(told)
    assert len(ENGINE.handlers) == before + 1
    del host
    gc.collect()
    ENGINE.info("INFO nobody hears this")
    assert told == []
    assert len(ENGINE.handlers) <= before
