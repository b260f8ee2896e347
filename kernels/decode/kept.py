"""How long compiled code is kept on disk: as long as none of the files that it was made of changes.

numba looks only at the file of the function that it compiles. What that calls in other files would stay as it was after an
upgrade, machine code and tables of two versions together. Knows numba's cache and this package's sources.
"""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path
from typing import Any

FOLDERS = tuple(Path(__file__).parent.parent / name for name in ("attention", "decode"))


def follow_sources(cache: Any, folders: tuple[Path, ...] = FOLDERS) -> None:
    """Let a cache of numba's (of a dispatcher or a C function) hold what was compiled from these folders as they are now."""
    cache._cache_file._source_stamp = (cache._cache_file._source_stamp, sources(folders))


@functools.lru_cache(maxsize=8)
def sources(folders: tuple[Path, ...]) -> str:
    """A digest of all Python files; 1 ms for thirty."""
    found = hashlib.blake2b(digest_size=16)
    for path in sorted(path for folder in folders for path in folder.glob("*.py")):
        found.update(path.name.encode() + b"\0" + path.read_bytes())
    return found.hexdigest()
