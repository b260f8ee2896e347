"""What nobody has to review: lock files, generated and vendored code, text that was only formatted, lines that only moved.

A line counts as moved when a run of at least three lines with it left another place of the same change. Formatting is judged
by the tree: the same nodes with the same words. Knows nothing of git or of rules.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

from assistant.review.diff import lines
from assistant.review.types import FileChange, Hunk
from assistant.workspace import languages
from assistant.workspace.parsing import parse
from assistant.workspace.source import encode

RUN = 3
RUN_CHARACTERS = 60
"""A run of fewer lines or characters is chance: ``return None`` moves nowhere."""

HEAD = 2_000
LONG_LINE = 5_000

LOCKS = frozenset(
    (
        "package-lock.json",
        "packages.lock.json",
        "npm-shrinkwrap.json",
        "pnpm-lock.yaml",
        "bun.lockb",
        "go.sum",
        "conda-lock.yml",
    )
)
"""Beside every ``*.lock``."""

_GENERATED_NAME = re.compile(
    r"(?:^|/)(?:node_modules|vendor|vendored|_vendor|third_party|bower_components|site-packages|__snapshots__)/"
    r"|\.min\.(?:js|css|mjs)$|\.(?:js|css)\.map$|_pb2(?:_grpc)?\.pyi?$|\.pb\.(?:go|cc|h)$|\.g\.dart$|\.designer\.cs$|\.snap$"
    r"|\.generated\.\w+$|(?:^|/)_version\.py$",
    re.IGNORECASE,
)
_GENERATED_TEXT = re.compile(
    r"@generated|^\W*(?:this (?:file|code) (?:is|was) )?(?:auto[- ]?)?generated (?:by|from|file|code)\b"
    r"|\bdo not (?:edit|modify)\b.*(?:generated|by hand)|generated.{0,80}\bdo not (?:edit|modify)\b",
    re.IGNORECASE | re.MULTILINE,
)


def why_not(path: str, text: str) -> str | None:
    """Why a file is not for reading, by its name or its first lines; ``None`` if it may be."""
    name = path.rpartition("/")[2].lower()
    if name in LOCKS or name.endswith(".lock"):
        return "a lock file"
    if _GENERATED_NAME.search(path):
        return "generated or vendored"
    if any(line.lstrip().startswith(("#", "//", "/*", "*", "<!--", '"""', "--")) for line in _generated_lines(text[:HEAD])):
        return "generated"
    if len(text) > LONG_LINE and max(map(len, text[: 20 * LONG_LINE].split("\n"))) > LONG_LINE:
        return "minified"
    return None


def _generated_lines(head: str) -> Iterator[str]:
    """The lines of a file's head that say it is generated. A program that writes such a line holds it in a string."""
    for match in _GENERATED_TEXT.finditer(head):
        start = head.rfind("\n", 0, match.start()) + 1
        end = head.find("\n", match.end())
        yield head[start : end if end >= 0 else len(head)]


def without_formatting(change: FileChange) -> FileChange:
    """The change without hunks that alter white space and line breaks only."""
    if change.old is None or change.new is None or not change.hunks:
        return change
    old, new = lines(change.old), lines(change.new)
    pairs = [(_squeezed(old, one.old_start, one.old_end), _squeezed(new, one.new_start, one.new_end)) for one in change.hunks]
    alike = [one for one, (before, after) in zip(change.hunks, pairs, strict=True) if before == after]
    if not alike:
        return change
    blank = [one for one in alike if not _squeezed(new, one.new_start, one.new_end)]
    formatted = set(blank if change.language != "python" else [])
    if set(alike) != formatted and _same_tree(change.language, "\n".join(new), "\n".join(_reverted(old, new, alike))):
        formatted = set(alike)
    return replace(change, hunks=tuple(one for one in change.hunks if one not in formatted))


def _squeezed(text: Sequence[str], start: int, end: int) -> str:
    return "".join("".join(text[start:end]).split())


def _reverted(old: Sequence[str], new: Sequence[str], some: Sequence[Hunk]) -> list[str]:
    """The new lines, with some hunks as they were."""
    result: list[str] = []
    at = 0
    for one in some:
        result += [*new[at : one.new_start], *old[one.old_start : one.old_end]]
        at = one.new_end
    return [*result, *new[at:]]


def _same_tree(language: str, a: str, b: str) -> bool:
    found = [_nodes(language, text) for text in (a, b)]
    return found[0] is not None and found[0] == found[1]


def _nodes(language: str, text: str) -> list[tuple[str, int, bytes]] | None:
    """Every node in order with its number of children, leaves with their words; ``None`` for a text with errors."""
    parser = languages.parser(language)
    data = encode(text)
    tree = parse(parser, data) if parser is not None else None
    if tree is None or tree.root_node.has_error:
        return None
    found: list[tuple[str, int, bytes]] = []
    cursor = tree.walk()
    while True:
        node = cursor.node
        assert node is not None
        leaf = node.child_count == 0
        found.append((node.type, node.child_count, data[node.start_byte : node.end_byte] if leaf else b""))
        if not leaf and cursor.goto_first_child():
            continue
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return found


def without_moves(changes: Sequence[FileChange]) -> list[FileChange]:
    """The changes without lines that came from another place of them, as they were."""
    left: dict[tuple[str, ...], list[tuple[int, int]]] = defaultdict(list)
    olds = [lines(one.old) if one.old is not None else [] for one in changes]
    news = [lines(one.new) if one.new is not None else [] for one in changes]
    for file, change in enumerate(changes):
        for hunk in change.hunks:
            for at in range(hunk.old_start, hunk.old_end - RUN + 1):
                left[_words(olds[file], at, at + RUN)].append((file, at))
    gone: list[set[int]] = [set() for _ in changes]
    come: list[set[int]] = [set() for _ in changes]
    if left:
        for file, change in enumerate(changes):
            for hunk in change.hunks:
                for new_at, (other, old_at), length in _runs(news[file], hunk, left, olds, changes):
                    come[file].update(range(new_at, new_at + length))
                    gone[other].update(range(old_at, old_at + length))
    return [
        replace(change, hunks=tuple(_trimmed(change.hunks, *texts))) if texts[2] or texts[3] else change
        for change, texts in zip(changes, zip(olds, news, gone, come, strict=True), strict=True)
    ]


def _runs(
    new: Sequence[str],
    hunk: Hunk,
    left: dict[tuple[str, ...], list[tuple[int, int]]],
    olds: Sequence[Sequence[str]],
    changes: Sequence[FileChange],
) -> Iterator[tuple[int, tuple[int, int], int]]:
    """Where runs of a hunk's new lines came from: the new line, (file, old line), how many lines; the longest at each place."""
    at = hunk.new_start
    while at + RUN <= hunk.new_end:
        best, length = (0, 0), 0
        for file, old_at in left.get(_words(new, at, at + RUN), ())[:20]:
            limit = min(hunk.new_end - at, _hunk_end(changes[file].hunks, old_at) - old_at)
            size = next((k for k in range(limit) if new[at + k].split() != olds[file][old_at + k].split()), limit)
            if size > length:
                best, length = (file, old_at), size
        if length >= RUN and sum(len(line.strip()) for line in new[at : at + length]) >= RUN_CHARACTERS:
            yield at, best, length
            at += length
        else:
            at += 1


def _words(text: Sequence[str], start: int, end: int) -> tuple[str, ...]:
    return tuple(" ".join(line.split()) for line in text[start:end])


def _hunk_end(hunks: Sequence[Hunk], line: int) -> int:
    return next((one.old_end for one in hunks if one.old_start <= line < one.old_end), line)


def _trimmed(hunks: Sequence[Hunk], old: Sequence[str], new: Sequence[str], gone: set[int], come: set[int]) -> Iterator[Hunk]:
    """The hunks without the lines that came and went; what is left between such runs are hunks of their own."""
    for one in hunks:
        pieces = list(_left(new, one.new_start, one.new_end, come))
        olds = list(_left(old, one.old_start, one.old_end, gone))
        if not pieces and not olds:
            continue
        start, end = (olds[0][0], olds[-1][1]) if olds else (one.old_start, one.old_start)
        first, *rest = pieces or [(one.new_start, one.new_start)]
        yield Hunk(start, end, *first)
        for span in rest:
            yield Hunk(end, end, *span)


def _left(text: Sequence[str], start: int, end: int, taken: set[int]) -> Iterator[tuple[int, int]]:
    """The runs of lines of a span that are not taken, those of blank lines only left out."""
    at = start
    while at < end:
        if at in taken:
            at += 1
            continue
        last = at
        while last < end and last not in taken:
            last += 1
        if any(line.strip() for line in text[at:last]):
            yield at, last
        at = last
