"""Attributes that nobody has ever written: of a receiver that nothing is known of, by a word that stands nowhere.

Nowhere in the file, in the workspace, in the standard library, nor in the packages that the file imports. A model that writes
one has made it up, but for what strings and other languages name: so options, settings, rows of data stay silent, as do mocks,
foreign functions, constants, and any file with a package that is not read whole. Silent without a whole index.
"""

from __future__ import annotations

import builtins
import os
import re
from collections.abc import Callable, Iterable
from functools import lru_cache

from assistant.workspace.existence import known
from assistant.workspace.existence.environment import Place
from assistant.workspace.existence.vocabulary import LEAST, Vocabulary

_FROM = re.compile(rb"^[ \t]*from[ \t]+([A-Za-z_]\w*)[\w.]*[ \t]+import\b", re.MULTILINE)
_IMPORT = re.compile(rb"^[ \t]*import[ \t]+([A-Za-z_][\w., \t]*?)[ \t]*(?:#.*)?$", re.MULTILINE)
_NAMESPACES = frozenset(
    (
        *("args", "arg", "opts", "opt", "options", "option", "settings", "setting", "config", "conf", "cfg", "params"),
        *("env", "environ", "flags", "namespace", "ns", "row", "rows", "record", "ops", "df", "mock"),
    )
)
"""What is filled by strings or data, by its usual names."""

_OPEN = frozenset(
    (
        *("ctypes", "cffi", "xmlrpc", "mock", "gi", "pandas", "polars", "bs4", "boto3", "botocore", "googleapiclient"),
        *("sh", "plumbum", "zeep", "suds", "win32com", "jnius", "rpy2", "peewee", "playhouse", "grpc", "google"),
    )
)
"""Packages whose objects have the names that data, other languages or other machines give them."""

_MADE = re.compile(r"_(?:id|set|display|pb2|ptr)$|^(?:assert|assertion|find|filter)_?(?:by)?_|^test|\d$")
"""Names that frameworks put together from written ones."""

_WORD = re.compile(r"[A-Za-z]\w*")


class Unwritten:
    """Answers for one file at one moment. ``find`` gives a module's place; ``roots`` are the folders that the index covers;
    ``elsewhere`` the outermost names of what the rest of the workspace imports.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        is_written: Callable[[str], bool],
        find: Callable[[str], Place | None],
        library: str,
        roots: tuple[str, ...],
        elsewhere: Callable[[], Iterable[str]] = tuple,
    ) -> None:
        self._vocabulary, self._is_written, self._find = vocabulary, is_written, find
        self._library, self._elsewhere = library, elsewhere
        self._roots = tuple(os.path.join(root, "") for root in roots)

    def is_strange(self, name: str, receiver: str, rest: bytes, is_class: bool) -> bool:
        """Whether an attribute of a ``receiver`` (its source) that nobody knows stands nowhere. ``rest``: the file without the
        suggestion. ``is_class``: the class of the receiver is known, not what that inherits.
        """
        if len(name) < LEAST or name.isupper() or name.startswith("__") or not name.isascii() or name in _builtin():
            return False
        if re.search(rb"\b" + name.encode() + rb"\b", rest) or self._is_spelled(name, rest) or self._is_written(name):
            return False
        parts = {part.lower() for word in _WORD.findall(receiver) for part in word.split("_")}
        if receiver in ("self", "cls") and not is_class:  # of a mixin, or of a metaclass
            return False
        if _MADE.search(name) or parts & _NAMESPACES or b"Mock" in rest:
            return False
        modules = imported(rest)
        return not modules & _OPEN and self._are_read(modules) and not self._vocabulary.has(name)

    def _is_spelled(self, name: str, rest: bytes) -> bool:
        """Whether a string of the file has the name with hyphens, as options have it."""
        return "_" in name and re.search(name.replace("_", "[-_ ]").encode(), rest) is not None

    def _are_read(self, modules: Iterable[str]) -> bool:
        """Whether the standard library and every package that the file imports have been read; the others are asked for."""
        if not self._library or not self._vocabulary.knows(self._library):
            return False
        own, _ = [self._read(name) for name in modules], [self._read(name) for name in self._elsewhere()]
        return all(own)

    def _read(self, name: str) -> bool:
        if name in known.STANDARD or name == "__future__":
            return True
        place = self._find(name)
        if place is None:
            return False
        where = place.folder or (place.files[0] if place.files else "")
        return bool(where) and (where.startswith(self._roots) or self._vocabulary.knows(where))


def imported(text: bytes) -> frozenset[str]:
    """The outermost names of the modules that a file imports, but for relative ones."""
    found = set(_FROM.findall(text))
    for several in _IMPORT.findall(text):
        found |= {part.strip().partition(b" ")[0].partition(b".")[0] for part in several.split(b",")}
    return frozenset(name.decode() for name in found if name)


@lru_cache(maxsize=1)
def _builtin() -> frozenset[str]:
    types = [value for value in vars(builtins).values() if isinstance(value, type)]
    return frozenset(name for one in types for name in dir(one)) | frozenset(dir(builtins))
