"""Something was added between its likes in one list; where the same likes stand side by side elsewhere, it goes between them.

A member of an enum, then its case and its row in a table; a name, then its entry in ``__all__``; a parameter of
``__init__``, then ``self.x = x``. The new line is a neighbour's with the one name replaced by the other, in whichever way it
is written there. Knows lines, items and names, no types; any language.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from assistant.next_edit.patterns.context import Context, Site
from assistant.next_edit.patterns.edits import Edit
from assistant.next_edit.patterns.import_lines import statements
from assistant.next_edit.patterns.names import replaced, variants
from assistant.next_edit.patterns.tokens import Token, is_word, line_end, line_start, swaps, tokens
from assistant.next_edit.types import Candidate, Document
from assistant.workspace import languages

MAX_PLACES = 40  # of a sibling's name in one file; a name that stands everywhere has no lists
MAX_FOUND = 2  # of places in one file; more are no lists of the same things
MAX_ADDED = 6  # lines that were added at once
MIN_NAME = 2
LIKE = 0.6  # of two lines' tokens are of the same kind in the same place
_KEPT = """self cls this return import from const let var def class function None True False null true false if else elif for
while in and or not public private readonly"""
_WORDS = frozenset(_KEPT.split())
_HEAD = re.compile(r"^.*(?:\bimport\b|=)")  # of a list that begins with its line
_IMPORT = re.compile(r"[ \t]*(?:import|from)\b")


class _Added(NamedTuple):
    """``new`` was added; ``before`` and ``after`` are the names of the next three siblings on each side, the nearest first."""

    edit: Edit
    new: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    start: int
    end: int

    def rows(self) -> Iterator[tuple[str, str, str, str]]:
        """Siblings in a row to look for: (first, second, the one before or after both, where the new one goes).

        Between two of them, two are enough (0.35 of what is said is right); at an end it takes three (two: 0.17).
        """
        if self.before and self.after:
            yield self.before[0], self.after[0], "", "between"
        if len(self.before) > 2 and not self.after:
            yield self.before[1], self.before[0], self.before[2], "last"
        if len(self.after) > 2 and not self.before:
            yield self.after[0], self.after[1], self.after[2], "first"


def find(context: Context) -> Iterator[Candidate]:
    done: set[str] = set()
    for edit in context.edits:
        context.cancel.check()
        if edit.removed.strip() or not edit.inserted.strip() or _is_half(context, edit):
            continue
        for added in _added_lines(edit) if "\n" in edit.inserted else _added_item(edit):
            if added.new not in done:
                done.add(added.new)
                for document in context.documents:
                    context.cancel.check()
                    yield from _parallel(context, document, added)


def _is_half(context: Context, edit: Edit) -> bool:
    """Whether the user is in the middle of the line that is added, or directly behind a word that ends it."""
    here = context.scene.offset
    if edit.uri != context.document.uri or not edit.start <= here <= edit.end:
        return False
    before, then = edit.text[here - 1 : here], edit.text[here : here + 1]
    return then not in ("", "\n", "\r", ",", ";", ")", "]", "}") or (
        then in ("", "\n", "\r") and (before.isalnum() or before in "_$.")
    )


# -- what was added


def _added_lines(edit: Edit) -> Iterator[_Added]:
    text = edit.text
    start = edit.start + 1 if text[edit.start : edit.start + 1] == "\n" else line_start(text, edit.start)
    end = edit.end - 1 if text[edit.end - 1 : edit.end] == "\n" and edit.end - 1 > start else line_end(text, edit.end)
    if text.count("\n", start, end) >= MAX_ADDED:
        return
    before, after = _lines_before(text, start), _lines_after(text, end)
    at = start
    for line in text[start:end].split("\n"):
        names = [_substitution(other, line) for other in before], [_substitution(other, line) for other in after]
        new = next((found[1] for side in names for found in side if found), None)
        if new is not None:
            above, below = (tuple(_leading(side, new)) for side in names)
            yield _Added(edit, new, above, below, at, at + len(line))
        at += len(line) + 1


def _leading(side: Sequence[tuple[str, str] | None], new: str) -> Iterator[str]:
    for found in side:
        if found is None or found[1] != new:
            return
        yield found[0]


def _lines_before(text: str, start: int) -> list[str]:
    found = []
    for _ in range(3):
        if start == 0:
            break
        end, start = start - 1, line_start(text, start - 1)
        found.append(text[start:end])
    return found


def _lines_after(text: str, end: int) -> list[str]:
    found = []
    for _ in range(3):
        start = text.find("\n", end) + 1
        if start == 0:
            break
        end = line_end(text, start)
        found.append(text[start:end])
    return found


def _substitution(old: str, new: str) -> tuple[str, str] | None:
    """The first name that tells two lines of one shape apart."""
    a, b = tokens(old), tokens(new)
    if not a or not b or _indent(old) != _indent(new):
        return None
    first = next(((x.text, y.text) for x, y in zip(a, b, strict=False) if x.text != y.text), None)
    if first is None or not _is_name(first[0]) or not _is_name(first[1]):
        return None
    changed = swaps(tokens(replaced(old, variants(*first))), b)
    different = sum(max(s.old_end - s.old, s.new_end - s.new) for s in changed)
    return first if 2 * different <= max(len(a), len(b)) else None


def _added_item(edit: Edit) -> Iterator[_Added]:
    """An item of a list on one line."""
    signs = {t.text for t in tokens(edit.text, edit.start, edit.end)}
    if not signs & {",", "|"}:
        return
    start, stop = line_start(edit.text, edit.start), line_end(edit.text, edit.end)
    line = edit.text[start:stop]
    name = next((t for t in tokens(edit.text, edit.start, edit.end) if _is_name(t.text)), None)
    if name is None:
        return
    items = _items(line, name.start - start)
    mine = next((i for i, (left, right) in enumerate(items) if left <= name.start - start < right), None)
    if mine is None or len(items) < 3:
        return
    names = [_name_of(line[left:right] if left else _HEAD.sub("", line[:right])) for left, right in items]
    before, after = names[:mine][::-1][:3], names[mine + 1 : mine + 4]
    yield _Added(edit, name.text, tuple(n for n in before if n), tuple(n for n in after if n), start, stop)


def _name_of(item: str) -> str:
    return next((t.text for t in tokens(item) if _is_name(t.text)), "")


def _is_name(text: str) -> bool:
    return is_word(text) and len(text) >= MIN_NAME and text not in _WORDS


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


# -- where else it belongs


def _parallel(context: Context, document: Document, added: _Added) -> Iterator[Candidate]:
    found: dict[Site, str] = {}
    for first, second, third, where in added.rows():
        for at, site in _places(context, document, added, first, second, where):
            if not third or _any(variants(third, added.new)).search(document.text, *_around(document.text, at, where)):
                found.setdefault(site, where)
    if not 0 < len(found) <= MAX_FOUND:
        return
    for site, where in found.items():
        features = {
            "between": float(where == "between"),
            "item": float("\n" not in site.text),
            "places": float(len(found)),
            "same_file": float(document.uri == added.edit.uri),
            "recent": float(added.edit.order == context.last_order),
            "length": float(len(tokens(site.text))),
        }
        why = f"'{added.new}' was added beside '{(added.before or added.after)[0]}'"
        yield from context.candidates("sibling", document, [site], why, 1, features)


def _places(
    context: Context, document: Document, added: _Added, first: str, second: str, where: str
) -> Iterator[tuple[int, Site]]:
    text = document.text
    old = second if where == "last" else first
    forms, others = variants(first, added.new), variants(second, added.new)
    mapping = variants(old, added.new)
    new = _any(mapping.values())
    found = sorted({at for form in forms for at in _parts(text, form)})
    if len(found) > MAX_PLACES or not any(other in text for other in others):
        return
    language = languages.resolve(document.language, document.path)
    imported = [(s.list_start, s.list_end) for s in statements(text, language)] if found else []
    for at in found:
        context.cancel.check()
        if any(start <= at < end for start, end in imported):
            continue  # that is for the import rules
        start, stop = line_start(text, at), line_end(text, at)
        if (document.uri == added.edit.uri and stop >= added.start and start <= added.end) or _IMPORT.match(text, start):
            continue
        below = text.find("\n", stop) + 1
        next_line = text[below : line_end(text, below)] if below else ""
        line = text[start:stop]
        if new.search(line) or new.search(next_line):
            continue
        site = _line_site(text, (start, stop, below), line, next_line, mapping, _any(others), where)
        site = site or _item_site(line, start, at - start, mapping, _any(others), where)
        if site is not None:
            yield at, site


def _around(text: str, at: int, where: str) -> tuple[int, int]:
    """Where the third of a row has to be: in the line above or before the first, or in the two lines below."""
    if where == "last":
        return line_start(text, max(0, line_start(text, at) - 1)), at
    end = line_end(text, at)
    for _ in range(2):
        end = line_end(text, min(len(text), end + 1))
    return at, end


def _parts(text: str, form: str) -> Iterator[int]:
    """Where a form stands at the ends of words."""
    at = text.find(form)
    while at != -1:
        before, after = text[at - 1 : at] if at else "", text[at + len(form) : at + len(form) + 1]
        if not before.isalnum() and not after.isalnum():
            yield at
        at = text.find(form, at + len(form))


def _any(names: Iterable[str]) -> re.Pattern[str]:
    keys = sorted(set(names), key=len, reverse=True)
    return re.compile("|".join(rf"(?<![^\W\d_]){re.escape(key)}(?![^\W_])" for key in keys))


def _line_site(
    text: str,
    places: tuple[int, int, int],
    line: str,
    next_line: str,
    mapping: dict[str, str],
    second: re.Pattern[str],
    where: str,
) -> Site | None:
    """A copy of one of two lines of one shape."""
    if not second.search(next_line) or second.search(line) or _likeness(line, next_line) < LIKE:
        return None
    start, stop, below = places
    copied = next_line if where == "last" else line
    copy = replaced(copied, mapping)
    if copy == copied or copied.rstrip().endswith(("{", "(", "[", ":")) or _has_items(copied):
        return None
    mark = "\r\n" if text[stop : stop + 1] == "\r" else "\n"
    if where == "first":
        above = (_lines_before(text, start) or [""])[0]
        return Site(start, start, copy + mark) if _likeness(above, line) < LIKE else None
    at = line_end(text, below) if where == "last" else stop
    if where == "last" and _likeness(next_line, (_lines_after(text, at) or [""])[0]) >= LIKE:
        return None  # there, the list goes on
    return Site(at, at, mark + copy)


def _has_items(line: str) -> bool:
    """Whether a line holds several items of a list that goes over lines."""
    depth = 0
    for sign in line.rstrip().rstrip(","):
        depth += (sign in "([{") - (sign in ")]}")
        if sign == "," and depth == 0:
            return True
    return False


def _likeness(a: str, b: str) -> float:
    """How far two lines have the same tokens, whatever their names."""
    if not a.strip() or not b.strip() or _indent(a) != _indent(b):
        return 0.0
    x, y = [_kind(t) for t in tokens(a)], [_kind(t) for t in tokens(b)]
    return sum(1 for one, other in zip(x, y, strict=False) if one == other) / max(len(x), len(y))


def _kind(token: Token) -> str:
    return "a" if is_word(token.text) and token.text not in _WORDS else token.text


def _item_site(line: str, start: int, at: int, mapping: dict[str, str], second: re.Pattern[str], where: str) -> Site | None:
    """A copy of one of two items side by side in a list on one line."""
    items = _items(line, at)
    mine = next((i for i, (left, right) in enumerate(items) if left <= at < right), None)
    if mine is None or mine + 1 >= len(items):
        return None
    (left, right), (next_left, next_right) = items[mine], items[mine + 1]
    if not second.search(line[next_left:next_right]) or (where == "last" and mine + 2 < len(items)):
        return None
    item = line[next_left:next_right] if where == "last" else line[left:right]
    copy = replaced(item.strip(), mapping)
    if copy == item.strip() or any(t.text not in mapping and is_word(t.text) for t in tokens(item)):
        return None
    sign = line[right : right + 1]
    if where == "first":
        lead = len(item) - len(item.lstrip())
        return Site(start + left + lead, start + left + lead, f"{copy}{sign} ")
    at = next_right if where == "last" else right
    at -= len(line[:at]) - len(line[:at].rstrip())
    return Site(start + at, start + at, f"{' ' if sign == '|' else ''}{sign} {copy}")


def _items(line: str, at: int) -> list[tuple[int, int]]:
    """The items of the innermost list with commas or bars around a place of a line."""
    opened: list[list[int]] = [[0]]
    ends: list[tuple[list[int], int]] = []
    for i, sign in enumerate(line):
        if sign in "([{":
            opened.append([i + 1])
        elif sign in ")]}" and len(opened) > 1:
            ends.append((opened.pop(), i))
        elif sign in ",|":
            opened[-1].append(i + 1)
    ends.extend((starts, len(line)) for starts in reversed(opened))
    for starts, end in ends:
        if starts[0] <= at < end and len(starts) > 1:
            return [(left, (starts[n + 1] - 1) if n + 1 < len(starts) else end) for n, left in enumerate(starts)]
    return []
