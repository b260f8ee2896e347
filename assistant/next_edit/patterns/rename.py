"""A variable, parameter, function, class or import that the user renamed in one place gets its new name in the others.

Exact within a file: the scopes are those of the text before the change, so a shadowed name, a string, a comment or an
attribute of the same name is left alone. Other files: `rename_files`. Attributes: `attributes`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from assistant.next_edit.patterns.context import Context, Site, Swapped
from assistant.next_edit.types import Candidate, Document
from assistant.workspace.scopes import Occurrence

KEYWORDS = frozenset(["True", "False", "None", "self", "cls", "this", "super", "undefined", "null", "true", "false"])
SHORT = 3  # a new name of fewer letters with the cursor behind it is taken for the beginning of one
KEPT = 0.35  # of the line's tokens; with fewer the line was written anew, and names in it only happen to be in one place


class Renamed(NamedTuple):
    """A variable that got another name in some places. ``left``: where it still has the old one, with its place today."""

    document: Document
    old: str
    new: str
    done: tuple[Occurrence, ...]
    left: tuple[tuple[Occurrence, int], ...]
    every: tuple[Occurrence, ...]
    swap: Swapped


def find(context: Context) -> Iterator[Candidate]:
    for renamed in renames(context):
        sites = [_site(o, at, renamed) for o, at in renamed.left]
        why = f"'{renamed.old}' was renamed to '{renamed.new}'"
        document = renamed.document
        key = renamed.swap.uri, renamed.old, renamed.new
        order = min(s.order for s in context.swapped if (s.uri, s.old, s.new) == key)
        for one in context.candidates("rename", document, sites, why, len(renamed.done), _features(context, renamed)):
            left_here = float(context.is_passed(document, one.start, one.end, order))
            yield replace(one, features={**one.features, "left_here": left_here})


def renames(context: Context) -> Iterator[Renamed]:
    """What the user began to rename, the latest first, where something is left to do or may be in other files."""
    done: set[tuple[str, str, str]] = set()
    for swap in context.swapped:
        context.cancel.check()
        key = swap.uri, swap.old, swap.new
        document = context.scene.find(swap.uri)
        if document is None or key in done or not is_rename(context, swap):
            continue
        found = _renamed(context, document, swap)
        if found is not None:
            done.add(key)
            yield found


def is_rename(context: Context, swap: Swapped) -> bool:
    """Whether two words can be one name before and after; not while the second may be half of a word."""
    if swap.old in KEYWORDS or swap.new in KEYWORDS or swap.kept < KEPT:
        return False
    half = swap.new.strip("_") in swap.old or swap.new.endswith("_") or len(swap.new) < min(SHORT, len(swap.old))
    return not (half and context.is_typing(swap.uri, swap.start, swap.start + len(swap.new)))


def _renamed(context: Context, document: Document, swap: Swapped) -> Renamed | None:
    same = context.before(document).same_variable(swap.old, swap.old_start)
    if same is None or _is_taken(context, document, swap) or _is_another_import(context, swap, same):
        return None
    composed = context.composed(document)
    changed = {s.old_start for s in context.swapped if (s.uri, s.old, s.new) == (swap.uri, swap.old, swap.new)}
    done = tuple(o for o in same if o.start in changed)
    places = ((o, composed.now(o.start, o.end)) for o in same)
    left = tuple((o, at) for o, at in places if at is not None and not _is_member(document.text, at))
    if not done or _lives_on(context, document, swap, left):
        return None
    if not any(o.kind != "read" for o in done) and not _is_begun(context, document, swap, same, done):
        return None
    return Renamed(document, swap.old, swap.new, done, left, same, swap)


def _is_member(text: str, at: int) -> bool:
    """Whether a name that was a variable is a member today: of `rows` one has made `table.rows`."""
    before = text[:at].rstrip()
    return before.endswith(".") and not before.endswith("..")


def _is_another_import(context: Context, swap: Swapped, same: tuple[Occurrence, ...]) -> bool:
    """Whether another name is being typed in front of an imported one: `Union` is `List` and it before the comma comes."""
    inside = context.is_typing(swap.uri, swap.start, swap.start + len(swap.new) - 1)
    return inside and any(o.kind == "import" for o in same)


def _is_taken(context: Context, document: Document, swap: Swapped) -> bool:
    """Whether the new name already meant something where the old one stood."""
    before = context.before(document)
    table = before.table(swap.old)
    names = before.table(swap.new)
    if table is None or names is None:
        return True
    byte = before.source.byte(swap.old_start)
    scope = next((m.scope for m in table.mentions if m.start == byte and m.name == swap.old), None)
    if scope is None:
        return True
    spans = {(m.scope.start, m.scope.end) for m in names.mentions if m.name == swap.new and m.kind != "read"}
    while scope is not None:
        if (scope.start, scope.end) in spans:
            return True
        scope = scope.parent
    return False


def _lives_on(context: Context, document: Document, swap: Swapped, left: tuple[tuple[Occurrence, int], ...]) -> bool:
    """Whether what is left of the old name is declared by something that the user wrote meanwhile."""
    if not left:
        return False
    same = context.now(document).same_variable(swap.old, left[0][1])
    return same is not None and any(
        o.kind in ("write", "import") and context.is_touched(document, o.start, o.end) for o in same
    )


def _is_begun(
    context: Context, document: Document, swap: Swapped, same: tuple[Occurrence, ...], done: tuple[Occurrence, ...]
) -> bool:
    """Whether a name that was changed where it is used is going to be renamed: nothing else has the new name yet."""
    now = context.now(document)
    if any(o.kind == "import" for o in same):
        return False  # more often another thing is used from now on
    return now.is_bound(swap.new, swap.start) is False


def _features(context: Context, renamed: Renamed) -> dict[str, float]:
    swap, left = renamed.swap, renamed.left
    return {
        "binding": float(any(o.kind != "read" for o in renamed.done)),
        "imported": float(any(o.kind == "import" for o in renamed.every)),
        "left_bound": float(sum(1 for o, _ in left if o.kind != "read")),
        "left": float(len(left)),
        "local": float(renamed.every[0].scope != "module"),
        "kept": swap.kept,
        "grown": float(swap.grown),
        "typing": float(context.is_typing(swap.uri, swap.start, swap.start + len(swap.new))),
        "recent": float(swap.order == context.last_order),
        "exact": 1.0,
    }


def _site(occurrence: Occurrence, at: int, renamed: Renamed) -> Site:
    text = renamed.new
    if occurrence.kind == "shorthand":
        text = f"{renamed.old}: {renamed.new}"
    return Site(at, at + len(renamed.old), text)
