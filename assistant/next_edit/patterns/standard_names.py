"""Names of Python's standard library that are imported from their modules, each with its module: the usual ones, and the rest
of what a few modules offer.

Knows no versions: a name that this Python lacks is not known.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import enum
import functools
import itertools
import types
import typing

USUAL = {
    name: module
    for module, names in {
        "abc": "ABC abstractmethod",
        "asyncio": "",
        "collections": "Counter OrderedDict defaultdict deque namedtuple",
        "collections.abc": "AsyncIterator Awaitable Callable Coroutine Generator Iterable Iterator Mapping Sequence",
        "contextlib": "asynccontextmanager contextmanager suppress",
        "dataclasses": "dataclass field",
        "datetime": "timedelta",
        "decimal": "Decimal",
        "enum": "Enum IntEnum",
        "functools": "cached_property lru_cache partial wraps",
        "itertools": "chain islice",
        "pathlib": "Path PurePath",
        "types": "ModuleType SimpleNamespace TracebackType",
        "typing": "Annotated Any ClassVar Dict Generic List Literal NamedTuple NoReturn Optional Protocol Tuple Type "
        "TYPE_CHECKING TypedDict TypeVar Union cast overload",
        "unittest.mock": "MagicMock Mock",
        "uuid": "uuid4",
    }.items()
    for name in names.split()
}
ALSO = {
    name: module.__name__
    for module in (types, itertools, functools, contextlib, enum, dataclasses, collections, typing)
    for name in getattr(module, "__all__", dir(module))
    if name not in USUAL and not name.startswith("_")
}
"""The rest of what these modules offer; of two with one name the later one counts."""
