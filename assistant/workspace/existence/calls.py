"""Does a call fit its function: keyword names and the number of arguments by place.

Silent about stars, unknown decorators, overloads that fit, metaclasses, and constructors that nobody can see.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from assistant.workspace.existence.outline import Class, Function, Variable
from assistant.workspace.existence.resolve import SAME_SIGNATURE, Resolver
from assistant.workspace.existence.values import Answer, ClassValue, FunctionValue
from assistant.workspace.source import Source
from assistant.workspace.symbols import Parameter

if TYPE_CHECKING:
    from tree_sitter import Node

_DATACLASSES = frozenset(("dataclass", "dataclasses.dataclass"))


@dataclass(frozen=True)
class Misfit:
    """``kind``: ``keyword`` (``node`` is its name) or ``arity``. ``names``: the parameters there are."""

    kind: str
    name: str = ""
    node: Node | None = None
    names: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Given:
    """The arguments of a call. ``many``: a ``*`` or ``**`` brings more."""

    count: int
    keywords: tuple[tuple[str, Node], ...]
    star: bool
    star_star: bool


def given(arguments: Node, source: Source) -> Given:
    """Read an ``argument_list``."""
    count, keywords, star, star_star = 0, [], False, False
    for child in arguments.named_children:
        if child.type == "keyword_argument":
            name = child.child_by_field_name("name")
            if name is not None:
                keywords.append((source.of(name), name))
        elif child.type == "list_splat":
            star = True
        elif child.type == "dictionary_splat":
            star_star = True
        elif child.type != "comment":
            count += 1
    return Given(count, tuple(keywords), star, star_star)


def misfit(resolver: Resolver, value: Answer, arguments: Node, source: Source) -> Misfit | None:
    """What does not fit, ``None`` if all does or nobody can say."""
    signatures = signatures_of(resolver, value)
    if not signatures:
        return None
    call = given(arguments, source)
    problems = [_misfit(parameters, call) for parameters in signatures]
    if any(problem is None for problem in problems):
        return None
    return problems[-1]


def _misfit(parameters: tuple[Parameter, ...], call: Given) -> Misfit | None:
    by_name = {p.name: p for p in parameters if p.kind in ("positional", "keyword_only")}
    if not any(p.kind == "star_star" for p in parameters):
        for name, node in call.keywords:
            if name not in by_name:
                free = frozenset(by_name) - {word for word, _ in call.keywords}
                return Misfit("keyword", name, node, free)
    places = [p for p in parameters if p.kind in ("positional", "positional_only")]
    if call.count > len(places) and not any(p.kind == "star" for p in parameters):
        return Misfit("arity")
    if call.star or call.star_star:
        return None
    named = {name for name, _ in call.keywords}
    lacking = [p for p in places[call.count :] if not p.optional and p.name not in named]
    lacking += [p for p in parameters if p.kind == "keyword_only" and not p.optional and p.name not in named]
    return Misfit("arity") if lacking else None


def signatures_of(resolver: Resolver, value: Answer) -> list[tuple[Parameter, ...]]:
    """The parameters that a caller fills, for each definition; nothing when they are not known."""
    if isinstance(value, FunctionValue):
        return _of_functions(value.found, value.skip)
    return _of_class(resolver, value) if isinstance(value, ClassValue) else []


def _of_functions(found: tuple[Function, ...], skip: int) -> list[tuple[Parameter, ...]]:
    result = []
    for function in found:
        marks = {mark.partition("(")[0].strip() for mark in function.decorators}
        if not marks <= SAME_SIGNATURE or any(not p.name for p in function.parameters):
            return []
        parameters = function.parameters
        if skip and parameters and parameters[0].kind in ("positional", "positional_only"):
            parameters = parameters[skip:]
        elif skip and not (parameters and parameters[0].kind == "star"):
            return []
        result.append(parameters)
    return result


def _of_class(resolver: Resolver, value: ClassValue) -> list[tuple[Parameter, ...]]:
    line = resolver.line(value.cls, value.space)
    if line is None or any("metaclass" in base for cls, _ in line for base in cls.bases):
        return []
    for cls, space in line:
        if not space.path or "__new__" in cls.members:
            return []
        marks = {mark.partition("(")[0].strip() for mark in cls.decorators}
        if marks & _DATACLASSES:
            plain = len(line) == 2 and not any("init" in mark for mark in cls.decorators)
            return _of_fields(cls) if plain else []
        found = cls.members.get("__init__")
        if found:
            functions = tuple(member for member in found if isinstance(member, Function))
            return _of_functions(functions, 1) if len(functions) == len(found) else []
    return []


def _of_fields(cls: Class) -> list[tuple[Parameter, ...]]:
    """The constructor that ``dataclass`` makes, of a class without bases; keyword names alone are sure."""
    variables = [member for found in cls.members.values() for member in found if isinstance(member, Variable)]
    if "__init__" in cls.members or any("field(" in v.value or "KW_ONLY" in v.annotation for v in variables):
        return []
    fields = [
        Parameter(name, "positional", bool(found[0].value))
        for name, found in cls.members.items()
        if isinstance(found[0], Variable) and found[0].annotation and "ClassVar" not in found[0].annotation
    ]
    return [tuple(fields)]
