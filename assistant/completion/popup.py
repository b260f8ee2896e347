"""The entry selected in the editor's own popup: complete as if it were accepted, then say it in the popup's range.

An editor shows a suggestion beside its popup only if it replaces the same range and begins with the same text.
"""

from __future__ import annotations

from dataclasses import replace

from assistant.completion.postprocess import Placed
from assistant.types import Snapshot


def is_usable(snapshot: Snapshot) -> bool:
    """Whether the selected entry is one: some clients put a visual selection there, which is none."""
    chosen = snapshot.selected
    if chosen is None or not 0 <= chosen.start <= snapshot.offset <= chosen.end <= len(snapshot.text):
        return False
    return "\n" not in snapshot.text[chosen.start : chosen.end] + chosen.text


def as_accepted(snapshot: Snapshot) -> Snapshot:
    """The snapshot with the selected entry accepted and the cursor behind it; the same snapshot where nothing usable is
    selected.
    """
    chosen = snapshot.selected
    if chosen is None or not is_usable(snapshot):
        return replace(snapshot, selected=None)
    text = snapshot.text[: chosen.start] + chosen.text + snapshot.text[chosen.end :]
    return replace(snapshot, text=text, offset=chosen.start + len(chosen.text), selected=None)


def in_range(placed: Placed, snapshot: Snapshot) -> Placed | None:
    """A suggestion for the accepted text as one for the popup's range; ``None`` if it would need more of the line than that."""
    chosen = snapshot.selected
    if chosen is None or placed.start != placed.end:
        return None
    typed = snapshot.offset - chosen.start
    return Placed(chosen.text + placed.text, chosen.start, chosen.end, tuple(range(typed)))
