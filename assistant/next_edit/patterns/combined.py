"""Several small edits of one line as one: what two rules would change in a line is usually changed at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from assistant.next_edit.patterns.context import Context
from assistant.next_edit.patterns.tokens import line_end, line_start
from assistant.next_edit.types import Candidate

NAME = "combined"


def combine(context: Context, found: Sequence[Candidate]) -> Iterator[Candidate]:
    """One candidate for every line in which two or more of ``found``, in the order of trust, do not get in each other's way."""
    lines: dict[tuple[str, int], list[Candidate]] = {}
    for candidate in found:
        document = context.scene.find(candidate.uri)
        if document is None or "\n" in candidate.text + document.text[candidate.start : candidate.end]:
            continue
        lines.setdefault((candidate.uri, line_start(document.text, candidate.start)), []).append(candidate)
    for (uri, start), several in lines.items():
        context.cancel.check()
        parts = sorted(_apart(several), key=lambda c: c.start)
        document = context.scene.find(uri)
        if len(parts) > 1 and document is not None:
            yield _as_one(document.text, parts, line_end(document.text, start))


def _apart(several: Iterable[Candidate]) -> list[Candidate]:
    """Those that touch none of the ones before them."""
    taken: list[Candidate] = []
    for candidate in several:
        if all(candidate.end < other.start or candidate.start > other.end for other in taken):
            taken.append(candidate)
    return taken


def _as_one(text: str, parts: Sequence[Candidate], end: int) -> Candidate:
    written: list[str] = []
    at = parts[0].start
    for part in parts:
        written.extend((text[at : part.start], part.text))
        at = part.end
    features = {
        "parts": float(len(parts)),
        "rules": float(len({part.rule for part in parts})),
        "recent": min(part.features.get("recent", 0.0) for part in parts),
        "typing": max(part.features.get("typing", 0.0) for part in parts),
        "rest": float(end - at),
    }
    why = "; ".join(dict.fromkeys(part.why for part in parts[:2]))
    support, matches = min(part.support for part in parts), max(part.matches for part in parts)
    return Candidate(parts[0].uri, parts[0].start, at, "".join(written), NAME, support, matches, features, why)
