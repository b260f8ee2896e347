"""`sotto dashboard`: the record of suggestions as pages in the user's own browser, on this machine only.

`add` is called for every start of `sotto` and imports nothing; the rest loads the web server. Knows the pages by their address.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the command and its options."""
    dashboard = commands.add_parser("dashboard", help="look at the private record of suggestions in your browser")
    dashboard.add_argument("--port", type=int, default=0, metavar="N", help="a loopback port (default: a free one)")
    dashboard.add_argument("--no-browser", action="store_true", help="only print the address")
    dashboard.add_argument("--data-dir", type=Path, metavar="DIR", help="where the private record of suggestions lives")


def run(arguments: argparse.Namespace, data_dir: Path) -> int:
    """Serve until Ctrl-C, or half an hour after the last look; 0, or 2 with one sentence."""
    from lsp_server.commands.local import fail
    from lsp_server.commands.telemetry import LEARNED
    from telemetry.dashboard.serve import PortError, serve
    from telemetry.store import FILE_NAME

    if not 0 <= arguments.port < 65_536:
        return fail("--port is a number up to 65535")
    try:
        serve(data_dir / FILE_NAME, arguments.port, lambda address: _ready(address, not arguments.no_browser), LEARNED)
    except PortError as error:
        return fail(str(error))
    except KeyboardInterrupt:
        return 0
    return 0


def _ready(address: str, browser: bool) -> None:
    sys.stdout.write(f"{address}\nThe address works once. Ctrl-C ends the dashboard.\n")
    sys.stdout.flush()
    if browser:
        import webbrowser

        webbrowser.open(address)
