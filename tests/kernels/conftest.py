"""Triton's interpreter must be chosen before triton is first imported; without triton these tests are skipped, with the
reason.
"""

from __future__ import annotations

import os

os.environ.setdefault("TRITON_INTERPRET", "1")
