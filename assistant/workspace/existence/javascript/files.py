"""The words of other files of a JavaScript project: what a relative import may bring.

A module cannot have a name that stands nowhere in it; what passes everything of another one on is followed, and unknown where
that leads out of the project. Reads in a thread, and knows nothing of a file until then. Bounded: `MAX_FILES`, `MAX_BYTES`.
"""

from __future__ import annotations

import os
import re
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

MAX_FILES, MAX_BYTES, MAX_DEPTH = 400, 400_000, 5
_ENDINGS = (".ts", ".tsx", ".mts", ".cts", ".d.ts", ".js", ".jsx", ".mjs", ".cjs", ".d.mts", ".d.cts")
_SOURCES = {".js": (".ts", ".tsx", ".d.ts"), ".jsx": (".tsx",), ".mjs": (".mts", ".d.mts"), ".cjs": (".cts", ".d.cts")}
"""TypeScript's files are imported by the names of what they are compiled to."""
_WORD = re.compile(r"[A-Za-z_$][\w$]*")
_STAR = re.compile(r"\bexport\s*(?:type\s*)?\*\s*(?:as\s+[\w$]+\s*)?from\s*[\"']([^\"']+)[\"']")
_OPEN = re.compile(
    r"module\.exports\s*=\s*(?:require\b|\w+\s*\(|new\b)|\.\.\.\s*require\b|__exportStar|\bexports\s*\[|Object\.(?:assign|keys|entries|"
    r"defineProperty|defineProperties)\b|\bexport\s*=|\bdeclare\s+module\b|\bProxy\b"
)
_EXPORTED = re.compile(
    r"\bexport\s+(?:declare\s+)?(?:default\s+)?(?:abstract\s+)?(?:async\s+)?(?:function\*?|class|const|let|var|interface|type|enum)\s+"
    r"([A-Za-z_$][\w$]*)|\bexports\.([A-Za-z_$][\w$]*)\s*="
)
_LISTS = re.compile(r"(?:\bexport\s*(?:type\s*)?|\bmodule\.exports\s*=\s*)\{([^{}]*)\}")


_WHOLE = re.compile(r"\b(?:export\s+default\s+|module\.exports\s*=\s*(?:exports\s*=\s*)?)(\{|[A-Za-z_$][\w$]*[;\n]?|\S)")


@dataclass(frozen=True)
class Contents:
    """``words``: all in a file. ``exports``: names that it evidently exports. ``stars``: modules it passes on. ``is_open``: it
    may have names that are not written in it. ``is_plain``: its default export, or ``module.exports``, is a class, a function
    or an object that is written in it.
    """

    words: frozenset[str]
    exports: frozenset[str]
    stars: tuple[str, ...]
    is_open: bool
    is_plain: bool
    text: str


class Files:
    """``buffer(path)`` gives an open buffer's text or ``None``; ``inline``: read at once (benchmarks, tests). Safe from any
    thread.
    """

    def __init__(self, buffer: Callable[[str], str | None] = lambda path: None, *, inline: bool = False) -> None:
        self._buffer, self._inline = buffer, inline
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[object, Contents | None]] = OrderedDict()
        self._reading: set[str] = set()

    def resolve(self, module: str, path: str) -> str | None:
        """The file that a relative import in ``path`` means; "" where it cannot be any, ``None`` where nobody can say."""
        if not module.startswith(("./", "../")) and module not in (".", ".."):
            return None
        target = os.path.normpath(os.path.join(os.path.dirname(path), module))
        stem, ending = os.path.splitext(target)
        names = [target, *(target + end for end in _ENDINGS), *(stem + end for end in _SOURCES.get(ending, ()))]
        names += [os.path.join(target, "index" + end) for end in _ENDINGS]
        found = next((name for name in names if os.path.isfile(name)), None)
        if found is not None:
            return found
        folder = os.path.dirname(target)
        is_code = ending in ("", *_SOURCES, ".ts", ".tsx") or len(ending) > 5
        return "" if is_code and os.path.isdir(folder) and not os.path.exists(target) else None

    def words(self, path: str, depth: int = 0) -> frozenset[str] | None:
        """Every name that a file may export, and more; ``None`` where nobody can say."""
        made = self.contents(path)
        if made is None or made.is_open or depth > MAX_DEPTH:
            return None
        found = set(made.words)
        for module in made.stars:
            target = self.resolve(module, path)
            passed = self.words(target, depth + 1) if target else None
            if passed is None:
                return None
            found |= passed
        return frozenset(found)

    def exports(self, path: str, depth: int = 0) -> frozenset[str]:
        """What a file evidently exports, for repairs."""
        made = self.contents(path)
        if made is None or depth > MAX_DEPTH:
            return frozenset()
        targets = (self.resolve(module, path) for module in made.stars)
        return made.exports.union(*(self.exports(target, depth + 1) for target in targets if target))

    def contents(self, path: str) -> Contents | None:
        """What a file says; ``None`` for one that is not read, or not yet."""
        text = self._buffer(path)
        stamp = hash(text) if text is not None else _stat(path)
        with self._lock:
            known = self._kept.get(path)
            if known is not None and known[0] == stamp:
                self._kept.move_to_end(path)
                return known[1]
            if not self._inline and text is None:
                if path not in self._reading:
                    self._reading.add(path)
                    threading.Thread(target=self._read, args=(path, None, stamp), name="sotto-modules", daemon=True).start()
                return None
        return self._read(path, text, stamp)

    def _read(self, path: str, text: str | None, stamp: object) -> Contents | None:
        try:
            made = contents(text if text is not None else _load(path)) if stamp is not None else None
        except (OSError, ValueError):
            made = None
        with self._lock:
            self._reading.discard(path)
            self._kept[path] = stamp, made
            while len(self._kept) > MAX_FILES:
                self._kept.popitem(last=False)
        return made


def contents(text: str) -> Contents:
    """What a text says of itself as a module."""
    exported = {name for pair in _EXPORTED.findall(text) for name in pair if name}
    exported.update(name for listed in _LISTS.findall(text) for name in _WORD.findall(listed))
    stars = tuple(_STAR.findall(text))
    is_open = _OPEN.search(text) is not None
    return Contents(frozenset(_WORD.findall(text)), frozenset(exported), stars, is_open, _is_plain(text), text)


def _is_plain(text: str) -> bool:
    whole = _WHOLE.findall(text)
    if not whole:
        return "exports." in text
    if len(whole) > 1 or "..." in text:
        return False
    if whole[0] in ("class", "function", "async", "{"):
        return True
    name = re.escape(whole[0].rstrip(";\n"))
    return (
        re.search(rf"\b(?:class|function)\s+{name}\b|\b(?:const|let|var)\s+{name}\s*=\s*(?:\{{|class\b|function\b)", text)
        is not None
    )


def _load(path: str) -> str:
    if os.path.getsize(path) > MAX_BYTES:
        raise ValueError("too large to be read")
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def _stat(path: str) -> object:
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_mtime_ns, status.st_size
