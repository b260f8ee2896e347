"""A store as weeks of editing would leave it, for tests and for looking at the pages: ``python -m ... FILE COUNT``."""

from __future__ import annotations

import sys
from pathlib import Path

from telemetry.synthetic import DAY_MS, GATES, OTHER, filled

__all__ = ["DAY_MS", "GATES", "OTHER", "filled"]

if __name__ == "__main__":
    filled(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 20)
