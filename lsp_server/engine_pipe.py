"""An engine process of our own: its pipes, its log, its end. Knows nothing of frames but the one that says stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import subprocess

from assistant.wire import encode
from lsp_server.spawn import python_command

ENGINES_WORDS = "sotto.engine.said"
"""The logger of what the engine's process says. Whoever shows it to a user asks it for INFO."""
log = logging.getLogger(ENGINES_WORDS)

LINGER_S = 0.5


class Pipe:
    """A `Link` to a child process. Make it inside the event loop."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self._process, self._stdin, self.reader = process, process.stdin, process.stdout
        self._patience: asyncio.TimerHandle | None = None
        self._errors = asyncio.ensure_future(_log_lines(process.stderr))

    @classmethod
    async def to_new(cls, *arguments: str) -> Pipe:
        """Start a process. Raises `OSError`."""
        process = await asyncio.create_subprocess_exec(
            *python_command("assistant.model.process", *arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),  # Windows opens a console for it otherwise
        )
        return cls(process)

    @property
    def pid(self) -> int | None:
        return self._process.pid

    def write(self, data: bytes) -> None:
        self._stdin.write(data)

    def part(self) -> None:
        if not self._stdin.is_closing():
            self._stdin.write(encode({"op": "stop"}))
            self._stdin.close()
            self._patience = asyncio.get_running_loop().call_later(LINGER_S, self.kill)

    def kill(self) -> None:
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def ended(self) -> str:
        """A process that closed its output is killed only if it stays: a kill at that moment would reap it before asyncio
        does, which then warns of an unknown child and reports 255.
        """
        ending = asyncio.ensure_future(self._process.wait())
        done, _ = await asyncio.wait({ending}, timeout=LINGER_S)
        if not done:
            self.kill()
        code = await ending
        if self._patience is not None:
            self._patience.cancel()
        await self._errors
        return f"exit code {code}" if code >= 0 else f"signal {-code}"


async def _log_lines(stream: asyncio.StreamReader) -> None:
    """The process's stderr, line by line, into our log."""
    while True:
        try:
            line = await stream.readline()
        except ValueError:  # a line over asyncio's limit: what has been read of it is gone, the rest follows
            continue
        if not line:
            return
        log.info("%s", line.decode("utf-8", "replace").rstrip())
