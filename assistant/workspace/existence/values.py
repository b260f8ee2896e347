"""What an expression may be, as far as that can be said without running it."""

from __future__ import annotations

from dataclasses import dataclass

from assistant.workspace.existence.modules import Namespace
from assistant.workspace.existence.outline import Class, Function


@dataclass(frozen=True)
class ModuleValue:
    """An imported module."""

    space: Namespace


@dataclass(frozen=True)
class ClassValue:
    """A class; its bases are names of ``space``."""

    cls: Class
    space: Namespace


@dataclass(frozen=True)
class InstanceValue:
    """An object of a class. ``above``: it is ``super()``, which has what the bases have."""

    cls: Class
    space: Namespace
    above: bool = False


@dataclass(frozen=True)
class FunctionValue:
    """A function, with all its definitions (overloads). ``skip``: how many parameters the receiver fills."""

    found: tuple[Function, ...]
    space: Namespace
    skip: int = 0


@dataclass(frozen=True)
class EitherValue:
    """One of several: a conditional import."""

    values: tuple[ModuleValue | ClassValue | InstanceValue | FunctionValue, ...]


Value = ModuleValue | ClassValue | InstanceValue | FunctionValue | EitherValue


class Missing:
    """Not there, for sure. ``names``: what is there instead."""

    def __init__(self, names: frozenset[str] = frozenset()) -> None:
        self.names = names


Answer = Value | Missing | None
"""``None``: nobody can say."""
