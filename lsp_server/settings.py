"""A client's JSON -> `assistant.config.Config` and a list of complaints. Never raises.

Driven by the dataclass alone: a new setting needs no line here. Knows nothing of where the JSON came from.
"""

from __future__ import annotations

import dataclasses
import math
import typing
from collections.abc import Mapping
from typing import Any

from assistant.config import Config

SECTION = "sotto"


class _UnusableError(Exception):
    """The value cannot serve; the text says what would."""


def camel(name: str) -> str:
    """``max_tokens`` -> ``maxTokens``, the spelling that clients use."""
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


_TYPES: dict[str, Any] = typing.get_type_hints(Config)
_FIELDS = {key: field for field in dataclasses.fields(Config) for key in (field.name, camel(field.name))}


def read(client: object, base: Config | None = None) -> tuple[Config, list[str]]:
    """Read settings, bare or under ``sotto``, in camelCase or snake_case.

    A setting that is absent or null keeps its value in ``base``; an unusable one gets its default and a complaint;
    unknown names are other people's and ignored.
    """
    base = base or Config()
    if client is None:
        return base, []
    if not isinstance(client, Mapping):
        return base, [f"the settings must be an object of names and values, not {_brief(client)}"]
    section = client.get(SECTION, client)
    if section is None:
        return base, []
    if not isinstance(section, Mapping):
        return base, [f"`{SECTION}` must be an object of names and values, not {_brief(section)}"]
    return _apply(section, base)


def _apply(section: Mapping[Any, Any], base: Config) -> tuple[Config, list[str]]:
    values: dict[str, Any] = {}
    complaints: list[str] = []
    for key, value in section.items():
        field = _FIELDS.get(str(key).removeprefix(f"{SECTION}."))
        if field is None or value is None:
            continue
        try:
            values[field.name] = _value(field, value, complaints)
        except _UnusableError as reason:
            values[field.name] = getattr(Config(), field.name)
            complaints.append(f"{camel(field.name)} must be {reason}, not {_brief(value)}")
    return dataclasses.replace(base, **values), complaints


def _value(field: dataclasses.Field[Any], value: object, complaints: list[str]) -> object:
    """``value`` as the field's type wants it. Raises `_UnusableError`; complains of single bad entries of a map itself."""
    kind = _TYPES[field.name]
    if kind is bool:
        return _bool(value)
    if kind in (int, float):
        return _number(kind, field.metadata, value)
    if kind is str:
        return _text(field.metadata, value)
    if typing.get_origin(kind) is dict:
        return _switches(field, value, complaints)
    return _texts(value)


def _bool(value: object) -> bool:
    if not isinstance(value, bool):
        raise _UnusableError("true or false")
    return value


def _number(kind: type, rules: Mapping[str, Any], value: object) -> int | float:
    low, high = rules.get("minimum", -math.inf), rules.get("maximum", math.inf)
    wanted = f"a {'whole ' if kind is int else ''}number from {low} to {high}"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _UnusableError(wanted)
    # JSON has one kind of number: 32.0 is a whole one.
    if not low <= value <= high or (kind is int and value != int(value)):
        raise _UnusableError(wanted)
    return int(value) if kind is int else float(value)


def _text(rules: Mapping[str, Any], value: object) -> str:
    choices = rules.get("choices")
    if not isinstance(value, str) or (choices and value not in choices):
        raise _UnusableError(f"one of {', '.join(choices)}" if choices else "a text")
    return value


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(entry, str) for entry in value):
        raise _UnusableError("a list of texts")
    return tuple(value)


def _switches(field: dataclasses.Field[Any], value: object, complaints: list[str]) -> dict[str, bool]:
    """A map of switches laid over the default one, so that naming one language leaves the others as they are."""
    if not isinstance(value, Mapping):
        raise _UnusableError("an object of names and true or false")
    for name, switch in value.items():
        if not isinstance(switch, bool):
            complaints.append(f"{camel(field.name)}.{name} must be true or false, not {_brief(switch)}")
    default: dict[str, bool] = getattr(Config(), field.name)
    return {**default, **{str(name): switch for name, switch in value.items() if isinstance(switch, bool)}}


def _brief(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def message(complaints: list[str]) -> str:
    """All complaints as the one sentence for the user."""
    return f"Sotto uses the defaults instead of settings it cannot read: {'; '.join(complaints)}."
