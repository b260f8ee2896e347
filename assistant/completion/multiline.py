"""One line or several: decided before the model runs, from the place alone.

Knows nothing of what the model will say; `assistant.completion.stop` ends its answer by the mode chosen here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from assistant.completion.context import Site
from assistant.types import Trigger
from assistant.workspace import parse

_CLOSERS_ONLY = re.compile(r"[\s)\]}\"'`;,]*")


class Shape(str, Enum):
    """One line; the body of a block whose header stands already; or the statement at the cursor, however many lines it
    takes.
    """

    LINE = "line"
    BLOCK = "block"
    STATEMENT = "statement"


@dataclass(frozen=True)
class Mode:
    """``header`` is the indentation (characters) of the block's header, for a block."""

    shape: Shape
    header: int = 0

    @property
    def several(self) -> bool:
        return self.shape is not Shape.LINE


LINE = Mode(Shape.LINE)


def only_closers(rest: str) -> bool:
    """Whether what follows the cursor on its line is nothing, or brackets and quotes an editor may have added by itself."""
    return _CLOSERS_ONLY.fullmatch(rest) is not None


def choose(site: Site, trigger: Trigger, setting: str) -> Mode:
    """The mode for this place under the setting ``auto``, ``always`` or ``never``."""
    if setting == "never" or not only_closers(site.rest) or site.in_text:
        return LINE
    header = _block_header(site)
    if header is not None:
        return Mode(Shape.BLOCK, header)
    asked = trigger is Trigger.INVOKED and not (site.line_before + site.rest).strip()
    return Mode(Shape.STATEMENT) if asked or setting == "always" else LINE


def _block_header(site: Site) -> int | None:
    """The indentation of the header whose empty block begins at the cursor."""
    if site.language == "python":
        if site.rest.strip():
            return None
        return parse.empty_block(site.head, "\n" + "\n".join(site.below), "python")
    return _brace_header(site)


def _brace_header(site: Site) -> int | None:
    """The same by braces: the text before the cursor ends with ``{``, and what follows is no deeper than its line."""
    head = site.prefix.rstrip()
    if not head.endswith("{") or site.language in ("json", "jsonc", "css", "scss", "less"):
        return None
    line = head[head.rfind("\n") + 1 :]
    indent = len(line) - len(line.lstrip(" \t"))
    follow = site.below[0] if site.below and not site.rest.strip() else ""
    return indent if len(follow) - len(follow.lstrip(" \t")) <= indent else None


def has_body(site: Site) -> bool:
    """Whether the cursor stands behind a header (Python) whose block is there already: the line is complete."""
    if site.language != "python" or not site.line_before.rstrip().endswith(":") or site.rest.strip() or site.stack:
        return False
    below = site.below[0] if site.below else ""
    return len(below) - len(below.lstrip(" \t")) > len(site.indent)
