"""The store's folder: private modes, a lock among servers, the key behind file keys. Knows nothing of SQL or events."""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
import time
from collections.abc import Iterator
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

KEY_NAME = "file_key"
PAUSED = "paused"
KEY_BYTES = 32
_BLOCK = 1 << 20
_REMOTE = ("nfs", "cifs", "smb", "9p", "fuse.sshfs", "afs", "ceph", "glusterfs", "lustre", "vboxsf", "virtiofs")


def private_folder(folder: Path) -> None:
    """Make ``folder``, for this user only where the system has such modes. Raises OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.name == "posix" and folder.stat().st_mode & 0o077:
        folder.chmod(0o700)


def private_file(path: Path) -> None:
    """Make an empty file of mode 0600, or tighten the one that is there. SQLite gives its journals the same mode."""
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    if os.name == "posix" and path.stat().st_mode & 0o077:
        path.chmod(0o600)


@contextlib.contextmanager
def locked(path: Path, timeout: float = 5.0) -> Iterator[bool]:
    """Hold the lock file ``path`` among processes. Yields whether it is held; the system frees it when a process dies."""
    handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        yield _acquire(handle, time.monotonic() + timeout)
    finally:
        os.close(handle)


def _acquire(handle: int, deadline: float) -> bool:
    while not _try_lock(handle):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


if sys.platform == "win32":

    def _try_lock(handle: int) -> bool:
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:

    def _try_lock(handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True


def load_key(folder: Path) -> bytes:
    """The install's random key, made on first use; one for all servers that start at once. Raises OSError."""
    path = folder / KEY_NAME
    key = _read_key(path)
    if key:
        return key
    with locked(folder / "file_key.lock"):
        key = _read_key(path)
        if not key:
            key = secrets.token_bytes(KEY_BYTES)
            draft = folder / f"{KEY_NAME}.{os.getpid()}"
            private_file(draft)
            draft.write_bytes(key)
            os.replace(draft, path)
        return key


def _read_key(path: Path) -> bytes:
    try:
        key = path.read_bytes()
    except FileNotFoundError:
        return b""
    return key if len(key) == KEY_BYTES else b""


def paused(folder: Path) -> bool:
    """Whether the user has paused the record, for all servers on this folder."""
    return (folder / PAUSED).exists()


def pause(folder: Path, on: bool) -> None:
    """Pause the record, or go on with it. Raises OSError."""
    if on:
        private_folder(folder)
        private_file(folder / PAUSED)
    else:
        (folder / PAUSED).unlink(missing_ok=True)


def set_aside(path: Path) -> Path:
    """Rename a broken database, over an earlier one, and take its journals away: they belong to no other file.

    Returns the new path.
    """
    aside = path.with_name(f"{path.name}.corrupt")
    os.replace(path, aside)
    for journal in ("-journal", "-wal", "-shm"):
        path.with_name(path.name + journal).unlink(missing_ok=True)
    return aside


def shred(path: Path) -> None:
    """Overwrite a file with zeros and remove it; no trace of it is left where the file system writes in place."""
    try:
        with path.open("r+b") as file:
            for _ in range(-(-path.stat().st_size // _BLOCK)):
                file.write(bytes(_BLOCK))
            file.flush()
            os.fsync(file.fileno())
    except FileNotFoundError:
        return
    path.unlink(missing_ok=True)


def on_network(path: Path, mounts: Path = Path("/proc/self/mounts")) -> bool:
    """Whether the file lies on a network file system, as far as the system tells; there WAL's shared memory does not work."""
    target = str(path.resolve())
    if target.startswith("\\\\"):
        return True
    try:
        points = [line.split()[1:3] for line in mounts.read_text(encoding="utf-8", errors="replace").splitlines()]
    except OSError:
        return False
    inside = [(len(point), kind) for point, kind in points if f"{target}/".startswith(point.rstrip("/") + "/")]
    return bool(inside) and max(inside)[1].startswith(_REMOTE)
