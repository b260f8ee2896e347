"""The engine that all windows of a user share: where it is found, and who starts it.

It is found by a Unix socket in a folder that only the user can enter. One engine serves whoever wants the same thing: the same
Python, version, model and settings, each a part of the socket's name; any other window has an engine of its own.

- Two windows that start at once: a lock file. Who has the lock looks again, removes a dead engine's socket, binds a new one and
  passes it to the process it starts, so that whoever comes next connects at once and waits for the model, not for the socket.
- An engine that died: the kernel refuses its socket. Every window sees the end of its connection, the first one to get the lock
  starts one engine, the others find it.
- An engine that hangs is a matter of its own thread, so it hangs for all: a window that sees no sign of life in the cancel word
  kills the process that it is connected to (by a process handle: never one that was started since) and all connect again.
- An engine that dies twice over a request of one window: that window goes on with a private one (`lsp_server.engine`), so that
  the others keep theirs.

Where this cannot be had (Windows; no safe folder; a lock that stays locked) an engine is private: a child process with pipes.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from typing import BinaryIO

from assistant.types import EngineError
from assistant.wire import WireError, encode, read_frame_async
from lsp_server import __version__
from lsp_server.spawn import ROOT, python_command

log = logging.getLogger("sotto.engine")

LONGEST_PATH = 100
"""Bytes; macOS allows 103 in a socket's address, Linux 107."""
LOCK_S = 10.0
HELLO_S = 10.0
"""The process must have started Python by then; an engine that is there answers within a millisecond."""
ATTEMPTS = 3
"""An engine may end between our look and our knock."""
SHAPING = ("CUDA_", "NUMBA_", "OMP_", "MKL_", "SOTTO_", "TORCH", "HF_", "XDG_CACHE_HOME")
"""Environment variables that an engine would obey: windows that differ in them do not share one."""


class Wire:
    """A `Link` to an engine that others use, too."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pid: int) -> None:
        self.reader, self._writer, self.pid = reader, writer, pid
        self._handle = _handle(pid)

    def write(self, data: bytes) -> None:
        if not self._writer.is_closing():
            self._writer.write(data)

    def part(self) -> None:
        self._writer.close()

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            if self._handle is not None:
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)
            elif not self.reader.at_eof():
                os.kill(self.pid, signal.SIGKILL)

    async def ended(self) -> str:
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
        return "it closed the connection"


def is_possible() -> bool:
    """Whether this platform has what sharing needs."""
    return sys.platform != "win32" and hasattr(socket, "AF_UNIX")


async def connect(arguments: tuple[str, ...], model: str, word: str, *options: str) -> Wire:
    """An engine for these ``arguments``, started if there is none. ``word`` is the path of this server's cancel word.

    ``options`` are told to a new engine and are no reason for another one. Raises `EngineError` when sharing is not possible
    here, with the reason.
    """
    path = runtime_folder() / f"engine-{name(arguments, model)}.sock"
    if len(os.fsencode(path)) > LONGEST_PATH:
        raise EngineError(f"the path {path} is too long for a socket")
    trouble: Exception | None = None
    for _ in range(ATTEMPTS):
        with contextlib.suppress(OSError, WireError):
            return await _knock(path, word)
        try:
            async with _locked(path.with_suffix(".lock")):
                with contextlib.suppress(OSError, WireError):
                    return await _knock(path, word)  # another window was faster
                await _start(path, *arguments, *options)
                return await _knock(path, word)
        except (OSError, WireError) as error:
            trouble = error
    raise EngineError(f"the shared engine does not answer ({trouble!r})")


def runtime_folder(environment: Mapping[str, str] | None = None) -> Path:
    """A folder of this user's that nobody else can enter, made if need be. Raises `EngineError`."""
    environment = os.environ if environment is None else environment
    given = environment.get("XDG_RUNTIME_DIR", "")
    if os.path.isabs(given) and _is_private(Path(given)):
        folder = Path(given) / "sotto"
    else:
        folder = Path(tempfile.gettempdir()) / f"sotto-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise EngineError(f"no folder for the shared engine's socket: {error}") from error
    if not _is_private(folder):
        raise EngineError(f"{folder} is not a folder of yours alone")
    return folder


def _is_private(folder: Path) -> bool:
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077


def name(arguments: Iterable[str], model: str) -> str:
    """16 hex digits that differ wherever an engine would: our code, this Python, the model's files, settings, environment."""
    shaping = sorted(item for item in os.environ.items() if item[0].startswith(SHAPING))
    ours = [ROOT / "assistant" / "wire.py", *_files(ROOT / "assistant" / "model", ".py"), *_files(ROOT / "kernels", ".py")]
    theirs = _files(Path(model)) if model else ()
    told = repr((__version__, sys.executable, str(ROOT), tuple(arguments), shaping, [*map(_mark, ours)], [*map(_mark, theirs)]))
    return hashlib.sha256(told.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _files(folder: Path, ending: str = "") -> list[Path]:
    """The files of a folder; those with ``ending`` in the folders below it, too."""
    return sorted(folder.rglob(f"*{ending}") if ending else folder.glob("*"))


def _mark(file: Path) -> tuple[str, int, int]:
    """A file, its size and its time: cheaper than its content, and another one whenever it was written."""
    try:
        found = file.stat()
    except OSError:
        return str(file), 0, 0
    return str(file), found.st_size, found.st_mtime_ns


async def _knock(path: Path, word: str) -> Wire:
    """Connect and say hello. Raises `OSError` or `WireError` when there is no engine."""
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        if not _is_ours(writer):
            raise WireError("it belongs to another user")
        writer.write(encode({"op": "hello", "word": word}))
        frame = await asyncio.wait_for(read_frame_async(reader), HELLO_S)
        if frame is None or frame.get("event") != "hello":
            raise WireError("it did not answer")
        return Wire(reader, writer, int(frame["pid"]))
    except asyncio.TimeoutError as error:
        writer.close()
        raise EngineError(f"the shared engine did not answer within {HELLO_S:g} s") from error
    except BaseException:
        writer.close()
        raise


def _is_ours(writer: asyncio.StreamWriter) -> bool:
    """Whether the process at the other end is this user's; where the kernel cannot be asked, the folder tells."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return True
    credentials = writer.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, option, struct.calcsize("3i"))
    return bool(struct.unpack("3i", credentials)[1] == os.getuid())


@contextlib.asynccontextmanager
async def _locked(path: Path) -> AsyncIterator[None]:
    """Alone among all windows. Raises `EngineError` when another one keeps the lock for too long."""
    import fcntl

    until = time.monotonic() + LOCK_S
    with path.open("ab") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise EngineError(f"another window keeps {path} locked") from None
                await asyncio.sleep(0.02)
        yield


async def _start(path: Path, *arguments: str) -> None:
    """Bind the socket and start an engine that has it. Returns when that one stands on its own. Raises `EngineError`."""
    with _bound(path) as listening, _new_log(path) as errors:
        command = python_command("assistant.model.process", *arguments, "--listen", str(listening.fileno()))
        try:
            starting = await asyncio.create_subprocess_exec(
                *command,
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                pass_fds=(listening.fileno(),),
                start_new_session=True,  # Ctrl-C, or a terminal that closes, is not meant for it
                cwd=path.parent,
            )
        except OSError as error:
            raise EngineError(f"the engine could not be started: {error}") from error
        code = await starting.wait()
    if code:
        raise EngineError(f"the engine could not be started: exit code {code}, see {path.with_suffix('.log')}")


def _bound(path: Path) -> socket.socket:
    """A new socket in place of a dead engine's; from now on it can be connected to."""
    path.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    path.chmod(0o600)
    listening.listen()
    return listening


def _new_log(path: Path) -> BinaryIO:
    """For what the process says before it can tell us, or where it can tell nobody."""
    return path.with_suffix(".log").open("wb")


def _handle(pid: int) -> int | None:
    """Names this very process, also after its number was given to another one; Linux only."""
    try:
        return os.pidfd_open(pid) if hasattr(os, "pidfd_open") else None
    except OSError:
        return None
