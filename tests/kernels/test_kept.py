"""Machine code is compiled anew when any file changes that it was made of, not only the one that numba looks at."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("numba", reason="numba is not installed")

from kernels.decode import kept

ASK = """
import sys; sys.path[:0] = [{folder!r}, {here!r}]
import pathlib
from caller import run
from kernels.decode.kept import follow_sources
follow_sources(run._cache, (pathlib.Path({folder!r}),))
print(run(2), sum(run.stats.cache_hits.values()))
"""


def _ask(folder: Path) -> list[int]:
    here = str(Path(kept.__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", ASK.format(folder=str(folder), here=here)], capture_output=True, text=True, check=True
    )
    return [int(word) for word in done.stdout.split()]


def test_a_change_in_a_file_that_is_only_called_is_seen(tmp_path: Path) -> None:
    (tmp_path / "called.py").write_text("from numba import njit\n@njit\ndef twice(x):\n    return 2 * x\n", "utf-8")
    (tmp_path / "caller.py").write_text(
        "from numba import njit\nfrom called import twice\n@njit(cache=True)\ndef run(x):\n    return twice(x) + 1\n", "utf-8"
    )
    assert _ask(tmp_path) == [5, 0]
    assert _ask(tmp_path) == [5, 1]  # kept
    (tmp_path / "called.py").write_text("from numba import njit\n@njit\ndef twice(x):\n    return 3 * x\n", "utf-8")
    assert _ask(tmp_path) == [7, 0]
