"""The socket of an engine that several servers share: who may come in, and who is gone.

Knows Unix sockets, and that only programs of the same user may speak to this engine: the socket lies in a folder of theirs, and
the kernel is asked who connects. One thread for each server reads; a server that stops reading is left behind, so that nobody
else waits for it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import socket
import struct
import threading
from typing import BinaryIO

from assistant.model.serving.hub import Hub, Peer
from assistant.types import JsonObject
from assistant.wire import CancelWord, WireError, read_frame

log = logging.getLogger("sotto.engine")

HELLO_S = 5.0
"""A program that connects and says nothing for so long is none of our servers."""
PATIENCE_S = 1.0
"""The socket holds a whole answer (200 kB); a server that reads none of it for so long does not live."""
BACKLOG = 16


class Door:
    """``listening`` is the descriptor of a bound Unix socket. `open` lets servers in, `shut` ends that unless one has just
    knocked.
    """

    def __init__(self, listening: int, hub: Hub) -> None:
        self._socket, self._hub = socket.socket(fileno=listening), hub
        self.path: str = self._socket.getsockname()
        self._file = _identity(self.path)

    def open(self) -> None:
        """Let in whoever comes, from now on, in threads of its own."""
        self._socket.listen(BACKLOG)  # once more: the kernel tells clients which process did it last
        threading.Thread(target=self._accept, name="door", daemon=True).start()

    def shut(self) -> bool:
        """Nobody comes in any more; False when somebody has knocked meanwhile. Whoever comes later finds no socket."""
        if select.select([self._socket], [], [], 0)[0] or self._hub.peers:
            return False
        if _identity(self.path) == self._file:  # who clears temporary files may have made room for another engine there
            with contextlib.suppress(OSError):
                os.unlink(self.path)
        return True

    def _accept(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            threading.Thread(target=self._serve, args=(connection,), name="reader", daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        """One server from its first frame to its last."""
        with connection:
            if not is_same_user(connection):
                log.error("a program of another user was turned away")
                return
            peer = None
            try:
                with connection.makefile("rb") as incoming:
                    peer = self._greet(connection, read_greeting(connection, incoming))
                    while (frame := read_frame(incoming)) is not None:
                        self._hub.push(peer, frame)
            except (OSError, ValueError, WireError) as error:
                log.info("a server's connection ended: %s", error)
            finally:
                if peer is not None:
                    self._hub.leave(peer)

    def _greet(self, connection: socket.socket, word: str) -> Peer:
        peer = Peer(lambda data: send(connection, data), CancelWord(word, create=False))
        peer.send({"event": "hello", "pid": os.getpid()})
        self._hub.join(peer)
        return peer


def _identity(path: str) -> tuple[int, int] | None:
    """Of the file that is there now."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def read_greeting(connection: socket.socket, incoming: BinaryIO) -> str:
    """The path of a new server's cancel word. Raises `WireError`, and `OSError` when it says nothing."""
    connection.settimeout(HELLO_S)
    hello: JsonObject = read_frame(incoming) or {}
    connection.settimeout(None)
    if hello.get("op") != "hello" or not isinstance(hello.get("word"), str):
        raise WireError("it did not say hello")
    return str(hello["word"])


def send(connection: socket.socket, data: bytes) -> None:
    """Raises `OSError` when the other side is gone, or reads nothing for `PATIENCE_S`."""
    left = memoryview(data)
    while left:
        try:
            left = left[connection.send(left, getattr(socket, "MSG_DONTWAIT", 0)) :]
        except BlockingIOError:
            if not select.select([], [connection], [], PATIENCE_S)[1]:
                connection.shutdown(socket.SHUT_RDWR)  # its reader wakes up, and ends it
                raise


def is_same_user(connection: socket.socket) -> bool:
    """What the kernel says of who has connected; where it cannot be asked, the folder's permissions must do."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return True
    _, user, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, option, struct.calcsize("3i")))
    return bool(user == os.getuid())
