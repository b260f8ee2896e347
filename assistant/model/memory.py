"""Memory that was freed goes back to the operating system.

Knows the C library's allocator; where it is not glibc nothing is done (macOS and Windows give back by themselves).
"""

from __future__ import annotations

import ctypes
import sys


def give_back_memory() -> None:
    """Learning 30 MB of source in thousands of pieces left 50 MB of holes in glibc's heap, which it keeps unless told."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
        if trim is not None:
            trim(0)
