"""Which files of a change to look at first: where something is likely to be found soon. By text; it decides nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable

from assistant.review.places import is_test
from assistant.review.types import FileChange
from assistant.review.words import has_word

_HEADER = re.compile(r"\s*(?:export\s+)?(?:async\s+)?(?:def|function)\s+(\w+)")
_BOUND = re.compile(r"\s*(?:(?:from\s+\S+\s+)?(?:import|class|const|let|var)\s+(?P<name>\w+)|(?P<variable>\w+)\s*=(?!=))")


def likely_first(files: Iterable[FileChange]) -> list[FileChange]:
    """Files whose change takes a name or a signature away first, small ones before large; then the others as they come."""

    def place(one: FileChange) -> tuple[bool, bool, int]:
        promises = takes_away(one)
        return is_test(one.path), not promises, len(one.new or "") if promises else 0

    return sorted(files, key=place)


def takes_away(change: FileChange) -> bool:
    """Whether the file still has a word that removed lines bound and new ones do not, or a function whose head went."""
    if change.old is None or change.new is None:
        return False
    old, new = change.old.split("\n"), change.new.split("\n")
    for hunk in change.hunks:
        come = "\n".join(new[hunk.new_start : hunk.new_end])
        for line in old[hunk.old_start : hunk.old_end]:
            header, bound = _HEADER.match(line), _BOUND.match(line)
            name = header[1] if header is not None else (bound["name"] or bound["variable"]) if bound is not None else ""
            if name and (header is not None or not has_word(come, name)) and has_word(change.new, name):
                return True
    return False
