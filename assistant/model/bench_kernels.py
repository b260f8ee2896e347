"""`kernels.bench` as a process: imported through `assistant.model`, which makes our kernels reachable beside Hugging Face's."""

from __future__ import annotations

import sys

from kernels.bench.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
