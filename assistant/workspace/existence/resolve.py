"""From names to values across modules and classes: what a module has, what a class inherits, what an import brings.

``None`` is the usual answer: nobody can say. `Missing` is given only where every place was looked at and closed.
"""

from __future__ import annotations

import os
import re

from assistant.workspace.existence import known
from assistant.workspace.existence.environment import Environment, Place, Python, search_path
from assistant.workspace.existence.modules import Modules, Namespace, compiled
from assistant.workspace.existence.outline import Class, Function, Imported, Member, Variable
from assistant.workspace.existence.values import (
    Answer,
    ClassValue,
    EitherValue,
    FunctionValue,
    InstanceValue,
    Missing,
    ModuleValue,
)

MAX_DEPTH = 14
MAX_EITHER = 4
_PLAIN_PATH = re.compile(r"\w+(?:\.\w+)*")
_CALL_PATH = re.compile(r"(\w+(?:\.\w+)*)\s*\((.*)\)", re.DOTALL)
_DUNDER = re.compile(r"__\w+__|_\w+_")
_TRANSPARENT_BASES = frozenset(("Generic", "Protocol", "object", "SupportsInt", "SupportsFloat"))
_KNOWN_METACLASSES = frozenset(("ABCMeta", "type", "EnumMeta", "EnumType"))
_KEEP_NAMES = (
    "dataclass dataclasses.dataclass final typing.final total_ordering functools.total_ordering unique enum.unique "
    "runtime_checkable typing.runtime_checkable"
)
_KEEPING = frozenset(_KEEP_NAMES.split())
"""Class decorators that add no name but dunders."""

_KEEP_SIGNATURES = (
    "staticmethod classmethod abstractmethod abc.abstractmethod override typing.override final typing.final overload "
    "typing.overload cache functools.cache lru_cache functools.lru_cache contextmanager contextlib.contextmanager "
    "asynccontextmanager contextlib.asynccontextmanager"
)
SAME_SIGNATURE = frozenset(_KEEP_SIGNATURES.split())
"""Function decorators that change nothing about how it is called."""

_TUPLE_EXTRAS = ("_replace", "_asdict", "_fields", "_make", "_field_defaults")

BUILTINS = Namespace("builtins", "", "", known.builtin_outline())


class Resolver:
    """Answers for one file at one moment; remembers within it."""

    def __init__(self, modules: Modules, environment: Environment, here: Namespace, root: str | None, now: float) -> None:
        self._modules, self._environment, self.here, self._root, self._now = modules, environment, here, root, now
        self._python: Python = environment.python(root)
        self._found: dict[tuple[str, str], Place | None] = {}
        self._spaces: dict[tuple[str, ...], Namespace | None] = {}

    # -- modules

    def module(self, name: str, level: int = 0, of: Namespace | None = None) -> Answer:
        """The module that an import statement of ``of`` (default: the file) names."""
        space = of or self.here
        if level:
            return self._relative(name, level, space)
        path = search_path(space.path, self._root, self._python, self._now) if space.path else ()
        key = (name, path[0] if path else "")
        if key not in self._found:
            self._found[key] = self._environment.find(name, path)
        place = self._found[key]
        if place is not None:
            return self._of_place(place)
        if self._python.ours and known.is_compiled(name):
            made = compiled(name)
            return ModuleValue(made) if made is not None else None
        head, _, rest = name.rpartition(".")
        if not head:
            return None  # not installed, perhaps: an optional dependency
        outer = self.module(head, 0, of)
        if not isinstance(outer, ModuleValue):
            return None
        inner = self.in_module(outer.space, rest)  # an attribute may do: os.path
        return inner if isinstance(inner, (ModuleValue, Missing)) else None

    def _relative(self, name: str, level: int, space: Namespace) -> Answer:
        if not space.path:
            return None
        folder = _up(space.path, level)
        names = self._environment.listing(folder)
        if not name:
            place = Place("", tuple(os.path.join(folder, f) for f in ("__init__.pyi", "__init__.py") if f in names), folder)
            return self._of_place(place) if place.files else None
        answer: Answer = None
        for part in name.split("."):
            found = self._environment.at(folder, part, part)
            if found is None:
                closed = "__init__.py" in names and folder != "" and "__getattr__" not in names
                return Missing(_stems(self._environment.listing(folder))) if closed else None
            answer, folder = self._of_place(found), found.folder
            if not folder:
                break
        return answer

    def _of_place(self, place: Place) -> Answer:
        if self.here.path in place.files:
            return ModuleValue(self.here)
        key = place.files or (place.folder,)
        if key not in self._spaces:
            self._spaces[key] = self._modules.get(place)
        space = self._spaces[key]
        return ModuleValue(space) if space is not None else None

    def submodule(self, space: Namespace, name: str) -> Answer:
        """A module inside a package."""
        if not space.folder:
            return Missing()
        place = self._environment.at(space.folder, name, f"{space.name}.{name}")
        if place is not None:
            return self._of_place(place)
        return Missing(_stems(self._environment.listing(space.folder))) if space.closed and not space.outline.dynamic else None

    # -- names of a module

    def in_module(self, space: Namespace, name: str, depth: int = 0) -> Answer:
        """``module.name``: a binding, a star import's, or a submodule."""
        found = space.outline.members.get(name)
        if found:
            return self.of_members(found, space, depth)
        if name.startswith("__") or depth > MAX_DEPTH:
            return None
        listed = known.listed(space.name) if self._is_library(space) else None
        if listed is not None:
            return None if name in listed or name.isupper() else Missing(listed)  # other systems have other constants
        for module, level in space.outline.stars:
            origin = self.module(module, level, space)
            if not isinstance(origin, ModuleValue):
                return None
            starred = None if origin.space is space else self.in_module(origin.space, name, depth + 1)
            if not isinstance(starred, Missing):
                return starred
        inside = self.submodule(space, name)
        if not isinstance(inside, Missing):
            return inside
        if space.outline.dynamic or not space.closed or (not space.path and name.isupper()):
            return None
        return Missing(frozenset(space.outline.members) | inside.names)

    def _is_standard(self, space: Namespace) -> bool:
        """Builtin, or of the standard library, where ``__new__`` makes what it says."""
        return not space.path or self._is_library(space)

    def _is_library(self, space: Namespace) -> bool:
        library = self._python.library
        return self._python.ours and space.path in (
            os.path.join(library, f"{space.name}.py"),
            os.path.join(library, space.name, "__init__.py"),
        )

    def of_members(self, found: list[Member], space: Namespace, depth: int = 0) -> Answer:
        """What a name with these bindings is: one value, or nobody can say."""
        if depth > MAX_DEPTH:
            return None
        functions = tuple(member for member in found if isinstance(member, Function))
        if len(functions) == len(found):
            return FunctionValue(functions, space)
        if len(found) != 1:
            return self._either(found, space, depth)
        only = found[0]
        if isinstance(only, Class):
            return ClassValue(only, space)
        if isinstance(only, Imported):
            return self.imported(only, space, depth + 1)
        return self._variable(only, space, depth + 1) if isinstance(only, Variable) else None

    def _either(self, found: list[Member], space: Namespace, depth: int) -> Answer:
        """Several imports or classes of one name, as ``try`` and ``if`` bring them."""
        if len(found) > MAX_EITHER or not all(isinstance(member, (Imported, Class)) for member in found):
            return None
        answers = [self.of_members([member], space, depth + 1) for member in found]
        values = tuple(a for a in answers if isinstance(a, (ModuleValue, ClassValue)))
        return EitherValue(values) if len(values) == len(found) else None

    def imported(self, member: Imported, space: Namespace, depth: int = 0) -> Answer:
        """What an import binds. A name that its module does not have is nobody's knowledge here."""
        origin = self.module(member.module, member.level, space)
        if not isinstance(origin, ModuleValue):
            return None
        if not member.name:
            return origin
        answer = self.in_module(origin.space, member.name, depth + 1) if origin.space is not space else None
        return None if isinstance(answer, Missing) else answer

    def _variable(self, member: Variable, space: Namespace, depth: int) -> Answer:
        if member.annotation:
            return self.annotated(member.annotation, space, depth)
        return self.of_text(member.value, space, depth) if member.value else None

    def annotated(self, text: str, space: Namespace, depth: int = 0) -> Answer:
        """An object of the class that an annotation names."""
        text = text.strip().strip("\"'")
        if not _PLAIN_PATH.fullmatch(text) or text in ("Any", "object", "None", "type", "typing.Any"):
            return None
        value = self.of_text(text, space, depth + 1)
        return InstanceValue(value.cls, value.space) if isinstance(value, ClassValue) else None

    def of_text(self, text: str, space: Namespace, depth: int = 0) -> Answer:
        """The value of a dotted name, of a call of one, or of a plain literal, at a module's top."""
        if depth > MAX_DEPTH:
            return None
        call = _CALL_PATH.fullmatch(text)
        if call is not None and call.group(2).count("(") == call.group(2).count(")") and ")" not in call.group(2).split("(")[0]:
            return self.called(self._dotted(call.group(1), space, depth + 1), depth + 1)
        return self._dotted(text, space, depth + 1) if _PLAIN_PATH.fullmatch(text) and not text[0].isdigit() else None

    def _dotted(self, path: str, space: Namespace, depth: int) -> Answer:
        first, *rest = path.split(".")
        value = self.in_module(space, first, depth + 1)
        if isinstance(value, Missing):
            value = self.builtin(first)
        for name in rest:
            value = self.member(value, name, depth + 1)
        return None if isinstance(value, Missing) else value

    def builtin(self, name: str) -> Answer:
        """A builtin, where the user's Python is ours."""
        found = known.builtin_outline().members.get(name)
        if found is None or not self._python.ours:
            return None
        return self.of_members(found, BUILTINS)

    def literal(self, kind: str) -> Answer:
        """An object of a builtin type, by the type's name."""
        value = self.builtin(kind)
        return InstanceValue(value.cls, value.space) if isinstance(value, ClassValue) else None

    # -- attributes

    def member(self, value: Answer, name: str, depth: int = 0) -> Answer:
        """``value.name``."""
        if depth > MAX_DEPTH:
            return None
        if isinstance(value, ModuleValue):
            return self.in_module(value.space, name, depth + 1)
        if isinstance(value, (ClassValue, InstanceValue)):
            return self._in_class(value, name, depth + 1)
        if isinstance(value, EitherValue):
            answers = [self.member(one, name, depth + 1) for one in value.values]
            lacks = [answer.names for answer in answers if isinstance(answer, Missing)]
            return Missing(frozenset().union(*lacks)) if len(lacks) == len(answers) else None
        return None

    def _in_class(self, value: ClassValue | InstanceValue, name: str, depth: int) -> Answer:
        if _DUNDER.fullmatch(name):
            return None
        above = isinstance(value, InstanceValue) and value.above
        line = self.line(value.cls, value.space, depth)
        if line is None:
            return self._first(value.cls, value.space, name, value)
        line = line[1:] if above else line
        for cls, space in line:
            if name in cls.members:
                return self._bound(cls.members[name], space, value)
            if name in cls.selves:
                return None
        if isinstance(value, ClassValue) and name in dir(type):
            return None
        return Missing(frozenset().union(*(set(cls.members) | cls.selves for cls, _ in line)))

    def _first(self, cls: Class, space: Namespace, name: str, value: ClassValue | InstanceValue) -> Answer:
        """Of a class with unknown bases: only what it defines itself."""
        if (isinstance(value, InstanceValue) and value.above) or name not in cls.members:
            return None
        return self._bound(cls.members[name], space, value)

    def _bound(self, found: list[Member], space: Namespace, value: ClassValue | InstanceValue) -> Answer:
        functions = tuple(member for member in found if isinstance(member, Function))
        if not functions or len(functions) != len(found):
            only = found[0] if len(found) == 1 else None
            if isinstance(only, Class):
                return ClassValue(only, space)
            return self.annotated(only.annotation, space) if isinstance(only, Variable) and only.annotation else None
        marks = {mark.partition("(")[0].strip() for function in functions for mark in function.decorators}
        if not marks <= SAME_SIGNATURE:
            return None
        if "staticmethod" in marks or functions[0].name == "__new__":
            return FunctionValue(functions, space)
        bound = isinstance(value, InstanceValue) or "classmethod" in marks or functions[0].name in _CLASS_METHODS
        return FunctionValue(functions, space, int(bound))

    def is_open(self, value: Answer) -> bool:
        """Whether a value may have attributes for no other reason than that nobody knows what it is, or what its class inherits
        from: nothing that is known of it makes attributes as it goes.
        """
        if not isinstance(value, (ClassValue, InstanceValue)):
            return value is None
        return not self._makes(value.cls, value.space, 0)

    def _makes(self, cls: Class, space: Namespace, depth: int) -> bool:
        """Whether a class, or one that it inherits from, may make attributes as it goes."""
        decorated = {mark.partition("(")[0].strip() for mark in cls.decorators}
        if depth > MAX_DEPTH or cls.dynamic or "__getattr__" in cls.members or not decorated <= _KEEPING:
            return True
        for base in cls.bases:
            if "=" in base:
                return True
            answer = self.of_text(base.partition("[")[0].strip(), space, depth + 1)
            if isinstance(answer, ClassValue) and self._makes(answer.cls, answer.space, depth + 1):
                return True
        return False

    def line(self, cls: Class, space: Namespace, depth: int = 0) -> list[tuple[Class, Namespace]] | None:
        """The class and everything it inherits from, ``object`` last; ``None`` where anything of it is unknown or dynamic."""
        found = self._line(cls, space, depth)
        return None if found is None else [*found, (known.class_outline(object), BUILTINS)]

    def _line(self, cls: Class, space: Namespace, depth: int) -> list[tuple[Class, Namespace]] | None:
        decorated = {mark.partition("(")[0].strip() for mark in cls.decorators}
        if depth > MAX_DEPTH or cls.dynamic or not decorated <= _KEEPING or "__getattr__" in cls.members:
            return None
        result = [(cls, space)]
        for base in cls.bases:
            inherited = self._base(base, space, depth)
            if inherited is None:
                return None
            result += inherited
        return result

    def _base(self, text: str, space: Namespace, depth: int) -> list[tuple[Class, Namespace]] | None:
        word, mark, value = text.partition("=")
        if mark and word.strip().isidentifier():
            return [] if word.strip() != "metaclass" or value.strip().rpartition(".")[2] in _KNOWN_METACLASSES else None
        path = text.partition("[")[0].strip()
        last = path.rpartition(".")[2]
        if last in _TRANSPARENT_BASES:
            return []
        if last in ("NamedTuple", "TypedDict"):
            extras: dict[str, list[Member]] = {name: [Variable(name)] for name in _TUPLE_EXTRAS}
            inner = self.builtin("tuple" if last == "NamedTuple" else "dict")
            return [(Class(last, members=extras), space), (inner.cls, inner.space)] if isinstance(inner, ClassValue) else None
        answer = self.of_text(path, space, depth + 1) if _PLAIN_PATH.fullmatch(path) else None
        return self._line(answer.cls, answer.space, depth + 1) if isinstance(answer, ClassValue) else None

    # -- calls

    def called(self, value: Answer, depth: int = 0) -> Answer:
        """What a call gives: an object of the class, or what the function says it returns."""
        if isinstance(value, ClassValue):
            line = self.line(value.cls, value.space, depth)
            usual = line is not None and not any("__new__" in cls.members and not self._is_standard(home) for cls, home in line)
            return InstanceValue(value.cls, value.space) if usual and value.cls.name not in ("type", "super") else None
        if not isinstance(value, FunctionValue) or len(value.found) != 1 or depth > MAX_DEPTH:
            return None
        only = value.found[0]
        marks = {mark.partition("(")[0].strip() for mark in only.decorators}
        if only.is_async or not only.returns or not marks <= SAME_SIGNATURE or any("contextmanager" in m for m in marks):
            return None
        return self.annotated(only.returns, value.space, depth + 1)


_CLASS_METHODS = ("__init_subclass__", "__class_getitem__")


def _up(path: str, level: int) -> str:
    for _ in range(level):
        path = os.path.dirname(path)
    return path


def _stems(names: frozenset[str]) -> frozenset[str]:
    return frozenset(stem for name in names if (stem := name.partition(".")[0]).isidentifier() and stem != "__init__")
