"""C++ for the index: C's rules and what C++ adds to its tree."""

from __future__ import annotations

from dataclasses import replace

from assistant.workspace.grammar import c

RULES = replace(c.RULES, outline=c.CPP_OUTLINE, mentions=c.CPP_MENTIONS)
