"""Learned numbers kept as JSON, read as if anybody may have edited them: a checksum, finite numbers, nothing that runs.

Knows no model: `gate.model` and `next_edit.ranker` say what each number means and what to do about a file that fails.
"""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any, NoReturn


def checksum(body: dict[str, Any]) -> str:
    """Hex SHA-256 of the body's canonical JSON."""
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()).hexdigest()


def numbers(values: list[Any], count: int, limit: float) -> tuple[float, ...]:
    """``count`` finite numbers of size at most ``limit``. Raises ValueError."""
    fits = len(values) == count and all(type(v) in (int, float) and math.isfinite(v) and abs(v) <= limit for v in values)
    if not fits:
        raise ValueError("numbers are missing or out of range")
    return tuple(float(v) for v in values)


def no_constant(text: str) -> NoReturn:
    """For ``json.loads(parse_constant=...)``: NaN and Infinity are no numbers. Raises ValueError."""
    raise ValueError(f"{text} is no number")
