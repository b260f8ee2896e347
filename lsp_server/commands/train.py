"""`sotto train ...`: run the trainer in its own interpreter, because this package never loads torch."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from lsp_server.spawn import python_command


def run(arguments: Sequence[str]) -> int:
    """Pass the arguments on; returns the trainer's exit code. An interrupt reaches the trainer, which saves and ends."""
    command = python_command("assistant.training", *(a for a in arguments if a != "--"))
    with subprocess.Popen(command) as trainer:
        while True:
            try:
                return trainer.wait()
            except KeyboardInterrupt:
                continue
