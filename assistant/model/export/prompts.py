"""Prompts that every machine has: cursors in the standard library of the interpreter that runs.

Knows Python files and our prompt layout. Chooses by arithmetic, so two runs on one machine see the same prompts.
"""

from __future__ import annotations

import sysconfig
from dataclasses import dataclass
from pathlib import Path

from assistant.model.tokenizer import CodeTokenizer

LINES_BEFORE, LINES_AFTER = 8, 2
STRIDE = 7919
"""A prime: the next prompt's line and column are far from the last one's."""


@dataclass(frozen=True)
class Cursor:
    """A place inside a line of code; ``before`` ends there, ``after`` is the lines that follow."""

    path: str
    before: str
    after: str


def from_standard_library(count: int) -> list[Cursor]:
    """``count`` cursors in as many modules as there are; none where the library comes without sources."""
    files = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    found = (_cursor(files[i * len(files) // count], i * STRIDE) for i in range(count) if files)
    return [cursor for cursor in found if cursor]


def ids(cursor: Cursor, tokenizer: CodeTokenizer) -> list[int]:
    """The prompt of a completion there, suffix first."""
    special = tokenizer.specials
    return [
        special["file"],
        *tokenizer.encode(cursor.path + "\n"),
        *(special["fim_prefix"], special["fim_suffix"]),
        *tokenizer.encode(cursor.after),
        special["fim_middle"],
        *tokenizer.encode(cursor.before),
    ]


def _cursor(file: Path, seed: int) -> Cursor | None:
    lines = file.read_text("utf-8", errors="replace").split("\n")
    code = [i for i, line in enumerate(lines) if line.strip() and not line.lstrip().startswith("#")]
    if not code:
        return None
    at = code[seed % len(code)]
    line = lines[at]
    indent = len(line) - len(line.lstrip())
    column = indent + seed % (len(line) - indent + 1)
    before = "\n".join([*lines[max(0, at - LINES_BEFORE) : at], line[:column]])
    return Cursor(file.name, before, "\n" + "\n".join(lines[at + 1 : at + 1 + LINES_AFTER]))
