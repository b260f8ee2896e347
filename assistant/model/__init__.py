"""The model and its engine: torch lives here. Knows token ids and checkpoints; nothing of editors or files of code.

Importing it makes our `kernels` folder reachable even where Hugging Face's distribution of the same name is installed:
a regular package anywhere on the import path hides a namespace folder, so ours joins its search path instead.
"""

from __future__ import annotations

import importlib
from pathlib import Path


def _share_the_name_kernels() -> None:
    ours = Path(__file__).resolve().parents[2] / "kernels"
    found = importlib.import_module("kernels").__path__
    if not any(Path(place).resolve() == ours for place in found):
        found.append(str(ours))


_share_the_name_kernels()
