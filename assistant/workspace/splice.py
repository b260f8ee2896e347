"""After an edit: which part of a tree must be read again, and its rows joined with those of the rest, moved.

The rule. The part is a run of whole siblings that holds every byte that changed and every place where the two trees differ,
with the comments before it, and behind it the comments and the node that they may belong to, so that nothing outside depends
on what is inside. Where that cannot be told from the rows, the answer is ``None``: read everything. The oracle is
`outline.outline` of the whole tree.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from assistant.workspace.grammar.rules import Rules
from assistant.workspace.outline import CLASS_KINDS, MAX_DEFINITIONS, Outline, Span, outline
from assistant.workspace.source import Source
from assistant.workspace.symbols import MODULE, Definition

if TYPE_CHECKING:
    from tree_sitter import Node, Query, Tree

_AROUND = CLASS_KINDS | {"function", "method", "namespace"}  # kinds whose rows do not depend on what their bodies hold
_BEFORE = ("attribute_item",)  # what belongs to the node behind it, as comments do


class Change(NamedTuple):
    """Bytes ``[start, end)`` of the text before became ``[start, new_end)``."""

    start: int
    end: int
    new_end: int

    def then(self, start: int, end: int, new_end: int) -> Change:
        """This change and another one after it as one."""
        grown = max(self.new_end, end)
        return Change(min(self.start, start), self.end + grown - self.new_end, grown + new_end - end)


def reread(
    rules: Rules, query: Query, old: tuple[Outline, Tree, Source], tree: Tree, source: Source, change: Change
) -> Outline | None:
    """The outline of ``tree`` from the one before. ``old[1]`` is that text's tree, edited to the new positions."""
    known, before, text = old
    if known.is_cut:
        return None
    ranges = before.changed_ranges(tree)
    low = min([change.start, *(r.start_byte for r in ranges)])
    high = max([change.new_end, *(r.end_byte for r in ranges)])
    found = _siblings(tree.root_node, low, min(high, len(source.data)), len(source.data), rules.bodies)
    if found is None:
        return None
    start, end = found
    old_end = end - (change.new_end - change.end)
    cut = _Cut(source.char(start), text.char(old_end), source.char(end))
    parts = _parts(known, cut)
    if parts is None:
        return None
    around = tuple(_stretched(known.definitions[i], cut)._replace(parent=above) for above, i in enumerate(parts.around, MODULE))
    fresh = outline(rules, query, tree.root_node, source, Span(start, end, around))
    joined = _join(known, fresh, cut, parts)
    return None if fresh.is_cut or len(joined.definitions) > MAX_DEFINITIONS else joined


def _siblings(root: Node, low: int, high: int, size: int, bodies: frozenset[str]) -> tuple[int, int] | None:
    """The run of siblings around ``[low, high]``, as deep in the tree as it can be read by itself."""
    node: Node | None = root.descendant_for_byte_range(max(0, low - 1), min(size, high + 1))
    while node is not None:
        parent = node.parent
        if parent is None or node.type in bodies:
            found = _run(node.children, low, high, parent is None)
            if found is not None:
                return (found[0] if found[0] >= 0 else 0), (found[1] if found[1] >= 0 else size)
        node = parent
    return None


def _run(children: Sequence[Node], low: int, high: int, is_root: bool) -> tuple[int, int] | None:
    """(start, end) in bytes; -1 for the text's own; ``None`` when the run reaches an edge of an inner node."""
    first, last = _first(children, low), _last(children, high)
    while first > 0 and _leans(children[first - 1]):
        first -= 1
    last += 1
    while last < len(children) and _leans(children[last]):
        last += 1
    if is_root:
        start = -1 if first == 0 else min(low, children[first].start_byte) if first < len(children) else low
        return start, max(high, children[last].end_byte) if last < len(children) - 1 else -1
    if last >= len(children) - 1 or first < 1 or all(_leans(child) for child in children[:first]):
        return None
    return min(low, children[first].start_byte), max(high, children[last].end_byte)


def _first(children: Sequence[Node], low: int) -> int:
    """The first child that does not end before ``low``."""
    left, right = 0, len(children)
    while left < right:
        middle = (left + right) // 2
        if children[middle].end_byte < low:
            left = middle + 1
        else:
            right = middle
    return left


def _last(children: Sequence[Node], high: int) -> int:
    """The last child that does not begin behind ``high``; one less than the first when there is none."""
    left, right = 0, len(children)
    while left < right:
        middle = (left + right) // 2
        if children[middle].start_byte <= high:
            left = middle + 1
        else:
            right = middle
    return left - 1


def _leans(node: Node) -> bool:
    """Whether a node may say something of the one behind it."""
    return node.is_extra or not node.is_named or node.is_error or node.type in _BEFORE


class _Cut(NamedTuple):
    """``[start, old_end)`` of the text before is read again as ``[start, end)``; code points."""

    start: int
    old_end: int
    end: int

    @property
    def shift(self) -> int:
        return self.end - self.old_end


class _Parts(NamedTuple):
    """``definitions[first:behind]`` go; ``around`` are the indices of those that hold the cut."""

    first: int
    behind: int
    around: tuple[int, ...]


def _parts(known: Outline, cut: _Cut) -> _Parts | None:
    """``None`` when a row lies across an edge of the cut."""
    definitions = known.definitions
    starts = [d.start for d in definitions]
    first, behind = bisect_left(starts, cut.start), bisect_left(starts, cut.old_end)
    around = tuple(i for i in range(first) if definitions[i].end > cut.start)
    if any(definitions[i].end > cut.old_end for i in range(first, behind)):
        return None
    if [definitions[i].parent for i in around] != [MODULE, *around][: len(around)]:
        return None
    for d in (definitions[i] for i in around):
        is_open = max(d.name_start, d.body_start, d.doc_end) <= cut.start and d.end >= cut.old_end
        if d.kind not in _AROUND or not is_open:
            return None
    return _Parts(first, behind, around)


def _stretched(definition: Definition, cut: _Cut) -> Definition:
    return definition._replace(end=definition.end + cut.shift)


def _join(known: Outline, fresh: Outline, cut: _Cut, parts: _Parts) -> Outline:
    first, behind, around = parts
    shift, more = cut.shift, len(fresh.definitions) - (behind - first)

    def inner(i: int) -> int:
        """A definition's index from one in a fresh row."""
        return MODULE if i == MODULE else around[i] if i < len(around) else first + i - len(around)

    def outer(i: int) -> int:
        return i + more if i >= behind else i

    definitions = list(known.definitions[:first])
    for i in around:
        definitions[i] = _stretched(definitions[i], cut)
    definitions += [d._replace(parent=inner(d.parent)) for d in fresh.definitions]
    later = known.definitions[behind:]
    definitions += [_moved(d, shift, outer(d.parent)) for d in later] if shift or more else later
    m0, m1 = _ends([at for at, _ in known.members], cut)
    i0, i1 = _ends([row.start for row in known.imports], cut)
    c0, c1 = _ends(known.called, cut)
    return Outline(
        tuple(definitions),
        (
            *known.members[:m0],
            *((at, row._replace(owner=inner(row.owner))) for at, row in fresh.members),
            *((at + shift, row._replace(owner=outer(row.owner), start=row.start + shift)) for at, row in known.members[m1:]),
        ),
        (
            *known.imports[:i0],
            *(row._replace(scope=inner(row.scope)) for row in fresh.imports),
            *(row._replace(start=row.start + shift, scope=outer(row.scope)) for row in known.imports[i1:]),
        ),
        (*known.called[:c0], *fresh.called, *[at + shift for at in known.called[c1:]]),
        (*known.callees[:c0], *fresh.callees, *known.callees[c1:]),
    )


def _ends(starts: Sequence[int], cut: _Cut) -> tuple[int, int]:
    return bisect_left(starts, cut.start), bisect_left(starts, cut.old_end)


def _moved(d: Definition, shift: int, parent: int) -> Definition:
    return d._replace(
        start=d.start + shift,
        end=d.end + shift,
        name_start=d.name_start + shift,
        doc_start=d.doc_start + shift if d.doc_end else 0,
        doc_end=d.doc_end + shift if d.doc_end else 0,
        body_start=d.body_start + shift,
        parent=parent,
    )
