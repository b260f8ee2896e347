"""How one of our modules is started in a process of its own.

``python -m`` puts the current folder first on the import path, and a user's project may well have a folder called
``assistant`` or ``telemetry``: it would be imported, and run, in place of ours. So the path is set by hand.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The folder that holds our packages: site-packages, or the checkout."""


def python_command(module: str, *arguments: str) -> list[str]:
    """The command line that runs ``module`` as ``__main__`` with our packages and never the current folder's."""
    code = (
        f"import sys, runpy; sys.path[:] = [{str(ROOT)!r}, *filter(None, sys.path)]; "
        f"runpy.run_module({module!r}, run_name='__main__', alter_sys=True)"
    )
    return [sys.executable, "-c", code, *arguments]
