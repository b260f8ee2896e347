"""What Python itself brings: builtin names and types, and standard modules that are written in C.

Asked of the interpreter that runs us, of its standard library alone; names that newer or older versions add are let pass.
"""

from __future__ import annotations

import builtins
import importlib
import inspect
import sys
import types
import typing
from functools import lru_cache
from importlib.machinery import EXTENSION_SUFFIXES, BuiltinImporter, PathFinder

from assistant.workspace.existence.outline import Class, Function, Member, Outline, Variable
from assistant.workspace.symbols import Parameter

_ELSEWHERE = (
    "BaseExceptionGroup ExceptionGroup EncodingWarning PythonFinalizationError WindowsError aiter anext"
    " reveal_type reveal_locals _ __annotations__ __builtins__ __cached__ __class__ __dict__ __doc__ __file__ __loader__"
    " __module__ __name__ __package__ __path__ __qualname__ __spec__ __version__ __all__ __author__ __debug__"
    " self cls get_ipython In Out display copyright credits exit quit license undefined NotImplemented Ellipsis"
)
NAMES = frozenset(dir(builtins)) | frozenset(_ELSEWHERE.split())
"""Names that need no binding, of any version and of notebooks."""

_OLD = "unicode basestring long xrange raw_input unichr reduce file cmp execfile buffer intern reload apply"
OLD_NAMES = frozenset(_OLD.split())
"""Python 2's: let pass where the file tells versions apart."""

_POPULAR = (
    "Path PurePath dataclass dataclasses field partial wraps lru_cache cached_property reduce datetime timedelta "
    "timezone date Decimal Fraction Enum IntEnum StrEnum Flag auto ABC ABCMeta abstractmethod contextmanager "
    "asynccontextmanager suppress ExitStack defaultdict OrderedDict Counter deque namedtuple ChainMap deepcopy chain "
    "product Thread Lock Event Queue uuid4 BytesIO StringIO TemporaryDirectory NamedTemporaryFile ArgumentParser "
    "ThreadPoolExecutor ProcessPoolExecutor urlparse urljoin urlencode SimpleNamespace MappingProxyType TracebackType "
    "ModuleType FunctionType getLogger pprint dedent itemgetter attrgetter Mock MagicMock patch TestCase perf_counter "
    "monotonic sleep randint choice Self TypeAlias ParamSpec override np pd plt tf nx sns sp st mpl jnp tqdm torch nn "
    "pytest"
)
IMPORTABLE = frozenset(typing.__all__) | frozenset(_POPULAR.split())
"""Names that people write first and import later: an import is missing, the name is not invented."""

STANDARD = frozenset(sys.stdlib_module_names)
_NOISY = "readline _curses _curses_panel _tkinter nis ossaudiodev"
_UNLOADED = frozenset(_NOISY.split())
"""Compiled modules that touch the terminal or the display as they load."""

_KINDS = {
    inspect.Parameter.POSITIONAL_ONLY: "positional_only",
    inspect.Parameter.POSITIONAL_OR_KEYWORD: "positional",
    inspect.Parameter.VAR_POSITIONAL: "star",
    inspect.Parameter.KEYWORD_ONLY: "keyword_only",
    inspect.Parameter.VAR_KEYWORD: "star_star",
}


def _function(name: str, value: object) -> Member:
    try:
        signature = inspect.signature(value)  # type: ignore[arg-type]
    except Exception:  # a text signature that its own module cannot read, as in _curses
        return Variable(name)
    parameters = tuple(
        Parameter(p.name, _KINDS[p.kind], p.default is not inspect.Parameter.empty) for p in signature.parameters.values()
    )
    return Function(name, parameters)


def _member(name: str, value: object) -> Member:
    if isinstance(value, type):
        return class_outline(value)
    return _function(name, value) if inspect.isbuiltin(value) or inspect.ismethoddescriptor(value) else Variable(name)


_OF_CLASS = (staticmethod, classmethod, types.ClassMethodDescriptorType)


@lru_cache(maxsize=512)
def class_outline(of: type) -> Class:
    """A builtin type: all its attributes, those of its bases included. Its constructor is not known."""
    members: dict[str, list[Member]] = {}
    for name in dir(of):
        value = inspect.getattr_static(of, name)
        plain = inspect.ismethoddescriptor(value) and not isinstance(value, _OF_CLASS)
        members[name] = [_function(name, value) if plain else Variable(name)]
    return Class(of.__name__, (), (), members)


@lru_cache(maxsize=1)
def builtin_outline() -> Outline:
    """The module ``builtins``."""
    return Outline({name: [_member(name, getattr(builtins, name))] for name in dir(builtins)})


_GROWING = "os re dataclasses signal socket ssl typing enum types logging posixpath ntpath select threading"
LISTED = frozenset(_GROWING.split())
"""Modules of the standard library that build their names as they load; loading them does nothing else."""


@lru_cache(maxsize=64)
def listed(name: str) -> frozenset[str] | None:
    """All names of one of `LISTED`; ``None`` for any other."""
    return frozenset(dir(importlib.import_module(name))) if name in LISTED else None


def is_compiled(name: str) -> bool:
    """Whether a module of the standard library is compiled into our interpreter, or an extension of it."""
    if name not in STANDARD or name in _UNLOADED or name.startswith(("_test", "xx")):
        return False
    spec = BuiltinImporter.find_spec(name) or PathFinder.find_spec(name)
    return spec is not None and (spec.origin == "built-in" or str(spec.origin).endswith(tuple(EXTENSION_SUFFIXES)))


@lru_cache(maxsize=256)
def compiled_outline(name: str) -> Outline | None:
    """A compiled module of the standard library, ``None`` if it is none, or cannot be loaded."""
    try:
        if not is_compiled(name):
            return None
        module = importlib.import_module(name)
    except Exception:  # a broken or missing extension is the same as an unknown one
        return None
    return Outline({member: [_member(member, getattr(module, member, None))] for member in dir(module)})
