"""The hole of a completion at a cursor, in the layout that a checkpoint has learnt, with nothing else of the workspace.

Knows names of layouts and of special tokens. `assistant.completion.prompt` writes the same for the product, with other files;
this floor cannot see it, and a test holds the two together.
"""

from __future__ import annotations

from assistant.model.families import PLAIN, PSM, PSM_FILES, SPM, SUFFIX_FIRST
from assistant.types import Part

BEFORE, AFTER = 1_700, 500
"""Characters shown on each side: about 650 tokens, for a core is to get through hundreds of cursors."""


def parts(layout: str, path: str, above: str, below: str) -> tuple[Part, ...]:
    """A prompt for the cursor between ``above`` and ``below``, of which whole lines in `BEFORE` and `AFTER` characters show."""
    if len(above) > BEFORE:
        above = above[-BEFORE:][above[-BEFORE:].find("\n") + 1 :]
    if len(below) > AFTER:
        below = below[: below.rfind("\n", 0, AFTER) + 1 or AFTER]
    start = above.rfind("\n") + 1
    prefix, suffix = Part(text=above, keep="end"), Part(text=below, keep="start")
    lines, line = Part(text=above[:start], keep="end"), Part(text=above[start:], keep="end")
    before, behind, hole = (Part(special=name) for name in ("fim_prefix", "fim_suffix", "fim_middle"))
    psm = (before, lines, behind, suffix, hole, line)
    return {
        PLAIN: (prefix,),
        PSM: psm,
        PSM_FILES: (Part(special="file_sep"), Part(text=f"{path}\n"), *psm),
        SPM: (before, behind, suffix, hole, prefix),
        SUFFIX_FIRST: (behind, suffix, before, prefix),
    }[layout]
