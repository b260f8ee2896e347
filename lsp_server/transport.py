"""Bytes to and from one client: stdio, or one connection on a loopback address. Knows nothing of what is said.

Stdin is read by a daemon thread with `os.read`: that works on pipes, files and consoles of every platform, and a blocked read
holds no lock that would stop the interpreter from ending.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import os
import signal
import sys
import threading
from typing import Protocol

from pygls.io_ import run_async
from pygls.protocol import JsonRPCProtocol

from lsp_server.start import read


class Server(Protocol):
    """What a transport needs of a server."""

    stopped: threading.Event

    @property
    def protocol(self) -> JsonRPCProtocol:
        """Whom the messages are for."""

    async def close(self) -> None:
        """End what the server has started."""

    def report_server_error(self, error: Exception, source: type[Exception]) -> None:
        """A message could not be handled."""


class OrderedReader:
    """A stream reader that lets the handlers of one message take their first step before the next message is read.

    A handler takes its snapshot of the document in that step. Without the pause, a request and a later change that arrive
    in one packet would both be read first, and the request's position would meet the changed text.
    """

    def __init__(self, stream: asyncio.StreamReader) -> None:
        self._stream = stream

    async def readline(self) -> bytes:
        await asyncio.sleep(0)
        return await self._stream.readline()

    async def readexactly(self, count: int) -> bytes:
        return await self._stream.readexactly(count)


def serve_pipes(server: Server, stdin: int, stdout: int, seen: bytes) -> None:
    """Talk over two file descriptors until the client says `exit` or closes them; ``seen`` has been read already."""
    asyncio.run(_over_pipes(server, stdin, stdout, seen))


class PipeWriter:
    """Writes to a file descriptor. A client that is gone gets nothing more; the end of stdin tells the rest."""

    def __init__(self, out: int) -> None:
        self._out: int | None = out

    def write(self, data: bytes) -> None:
        try:
            while data and self._out is not None:
                data = data[os.write(self._out, data) :]
        except OSError:
            self.close()

    def close(self) -> None:
        out, self._out = self._out, None
        if out is not None:
            os.close(out)


async def _over_pipes(server: Server, stdin: int, stdout: int, seen: bytes) -> None:
    stream = asyncio.StreamReader()
    stream.feed_data(seen)
    loop = asyncio.get_running_loop()
    threading.Thread(target=_pump, args=(stdin, stream, loop), name="stdin", daemon=True).start()
    writer = PipeWriter(stdout)
    server.protocol.set_writer(writer)
    try:
        await _converse(server, stream)
    finally:
        writer.close()


def _pump(stdin: int, stream: asyncio.StreamReader, loop: asyncio.AbstractEventLoop) -> None:
    with contextlib.suppress(RuntimeError):  # the loop has ended: nobody reads any more
        while chunk := read(stdin):
            loop.call_soon_threadsafe(stream.feed_data, chunk)
        loop.call_soon_threadsafe(stream.feed_eof)


def is_loopback(host: str) -> bool:
    """Whether only programs on this machine can connect to ``host``. Asks no name server."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def serve_tcp(server: Server, host: str, port: int) -> None:
    """Wait for one client on a loopback address and talk to it till it leaves. Port 0 takes a free one. Raises `OSError`."""
    asyncio.run(_over_tcp(server, host, port))


async def _over_tcp(server: Server, host: str, port: int) -> None:
    connected: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    listener = await asyncio.start_server(lambda *streams: connected.put_nowait(streams), host, port)
    address = listener.sockets[0].getsockname()
    sys.stderr.write(f"sotto: listening on {address[0]}:{address[1]}\n")
    sys.stderr.flush()
    stream, writer = await connected.get()
    listener.close()
    server.protocol.set_writer(writer)
    try:
        await _converse(server, stream)
    finally:
        writer.close()


async def _converse(server: Server, stream: asyncio.StreamReader) -> None:
    """Handle messages until the end, then close the server whatever happened."""
    with contextlib.suppress(NotImplementedError):  # Windows has no such signal to wait for
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stream.feed_eof)
    try:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await run_async(
                stop_event=server.stopped,
                reader=OrderedReader(stream),
                protocol=server.protocol,
                logger=logging.getLogger("pygls"),
                error_handler=server.report_server_error,
            )
    finally:
        await server.close()
