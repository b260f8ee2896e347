"""The outlines of modules other than the one being edited: read off the path by one thread, kept while their files stay.

`get` answers from memory or not at all. Open buffers win over the disk. Bounded: `MAX_MODULES`, `MAX_BYTES` a file.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

from assistant.workspace import languages
from assistant.workspace.existence import known
from assistant.workspace.existence.environment import Place
from assistant.workspace.existence.outline import Class, Member, Outline, Variable, read_module
from assistant.workspace.parsing import parse
from assistant.workspace.source import Source

MAX_MODULES = 800
MAX_BYTES = 1_500_000
MAX_WAITING = 200

Stamp = tuple[object, ...]


@dataclass(frozen=True, eq=False)
class Namespace:
    """A module: its outline, and the file that its relative imports start from. ``folder``: of a package."""

    name: str
    path: str
    folder: str
    outline: Outline
    closed: bool = True


class Modules:
    """``buffer(path)`` gives an open buffer's text or ``None``. ``inline``: read at once, in the caller's thread (benchmarks,
    tests). Safe from any thread.
    """

    def __init__(self, buffer: Callable[[str], str | None] = lambda path: None, *, inline: bool = False) -> None:
        self._buffer = buffer
        self._inline = inline
        self._changed = threading.Condition()
        self._kept: OrderedDict[tuple[str, ...], tuple[Stamp, Namespace | None]] = OrderedDict()
        self._waiting: dict[tuple[str, ...], Place] = {}
        self._busy = False
        self._closed = False
        self._thread: threading.Thread | None = None

    def get(self, place: Place) -> Namespace | None:
        """The module, or ``None``: not read yet, not readable. What is not known will be read."""
        if not place.files:
            return None
        stamp = self._stamp(place)
        with self._changed:
            found = self._kept.get(place.files)
            if found is not None:
                self._kept.move_to_end(place.files)
                if found[0] == stamp:
                    return found[1]
            if not self._inline:
                self._ask(place)
                return found[1] if found is not None else None  # a moment old: better than nothing
        return self._read(place, stamp)

    def settle(self, timeout: float) -> bool:
        """Wait until everything asked for has been read; whether that came true."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and not self._busy, timeout)

    def close(self) -> None:
        """Stop reading."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._changed.notify_all()

    def _ask(self, place: Place) -> None:
        if self._closed or len(self._waiting) >= MAX_WAITING:
            return
        self._waiting[place.files] = place
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="sotto-modules", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._closed or bool(self._waiting))
                if self._closed:
                    return
                key = next(iter(self._waiting))
                place = self._waiting.pop(key)
                self._busy = True
            self._read(place, self._stamp(place))

    def _stamp(self, place: Place) -> Stamp:
        return tuple(hash(text) if (text := self._buffer(file)) is not None else _stat(file) for file in place.files)

    def _read(self, place: Place, stamp: Stamp) -> Namespace | None:
        try:
            made = self._namespace(place)
        except Exception:  # a mistake of ours about one module must not cost a suggestion
            made = None
        with self._changed:
            self._kept[place.files] = stamp, made
            while len(self._kept) > MAX_MODULES:
                self._kept.popitem(last=False)
        return made

    def _namespace(self, place: Place) -> Namespace | None:
        outlines = [self._outline(file) for file in place.files]
        read = [outline for outline in outlines if outline is not None]
        if not read or outlines[0] is None:
            return None
        is_stub = place.files[0].endswith(".pyi")
        outline = read[0] if len(read) == 1 else joined(read[0], read[1], trust_first=is_stub)
        return Namespace(place.name, place.files[0], place.folder, outline, place.closed)

    def _outline(self, file: str) -> Outline | None:
        text = self._buffer(file)
        return outline_of(text) if text is not None else _from_disk(file)


def outline_of(text: str) -> Outline | None:
    """The outline of a module's text; ``None`` without a grammar or for one that cannot be read."""
    parser = languages.parser("python")
    if parser is None or len(text) > MAX_BYTES:
        return None
    source = Source(text)
    tree = parse(parser, source.data)
    if tree is None:
        return None
    outline = read_module(tree.root_node, source)
    outline.dynamic = outline.dynamic or tree.root_node.has_error
    return outline


def joined(first: Outline, second: Outline, *, trust_first: bool) -> Outline:
    """A stub and its source as one module: everything that either has, as the first says it. ``trust_first``: the first alone
    decides whether there may be more.
    """
    members = dict(first.members)
    for name, found in second.members.items():
        mine = members.get(name)
        if mine is None:
            members[name] = found
        elif len(mine) == len(found) == 1 and isinstance(mine[0], Class) and isinstance(found[0], Class):
            members[name] = [_joined_class(mine[0], found[0])]
    dynamic = first.dynamic or (second.dynamic and not trust_first)
    return Outline(members, [*first.stars, *(star for star in second.stars if not trust_first)], dynamic)


def _joined_class(first: Class, second: Class) -> Class:
    extra: dict[str, list[Member]] = {name: [Variable(name)] for name in second.members if name not in first.members}
    return replace(first, members={**first.members, **extra}, selves=first.selves | second.selves)


def compiled(name: str) -> Namespace | None:
    """A compiled module of the standard library of the interpreter that runs us."""
    outline = known.compiled_outline(name)
    return Namespace(name, "", "", outline) if outline is not None else None


def _stat(file: str) -> tuple[int, int]:
    try:
        status = os.stat(file)
    except (OSError, ValueError):
        return (0, -1)
    return status.st_mtime_ns, status.st_size


def _from_disk(file: str) -> Outline | None:
    try:
        if os.path.getsize(file) > MAX_BYTES:
            return None
        with open(file, encoding="utf-8", errors="replace") as stream:
            return outline_of(stream.read())
    except (OSError, ValueError):
        return None
