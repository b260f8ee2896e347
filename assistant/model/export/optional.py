"""Packages that only exports and proofs need: loaded when asked for, and a sentence when they are not there.

They are imported by name so that Sotto installs, starts and type-checks without them.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from typing import Any

from assistant.model.export.place import ExportError

DISTRIBUTIONS = {"gguf": "gguf", "llama_cpp": "llama-cpp-python", "transformers": "transformers"}
"""Module -> what pip calls it."""

QUIET = {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "TRANSFORMERS_VERBOSITY": "error"}
"""transformers asks the network about a local folder unless it is told not to."""


class MissingPackageError(ExportError):
    """An optional package is not installed, or is broken; ``command`` installs it."""

    def __init__(self, module: str, why: str = "is not installed") -> None:
        self.why = f"{DISTRIBUTIONS[module]} {why}"
        self.command = f"{sys.executable} -m pip install {DISTRIBUTIONS[module]}"
        super().__init__(f"{self.why}; run: {self.command}")


def load(module: str) -> Any:
    """The module. Raises `MissingPackageError`."""
    os.environ.update(QUIET)
    if importlib.util.find_spec(module) is None:
        raise MissingPackageError(module)
    try:
        return importlib.import_module(module)
    except (ImportError, OSError, RuntimeError) as error:  # a compiled part for another machine raises any of these
        raise MissingPackageError(module, f"cannot be loaded ({error})") from error
