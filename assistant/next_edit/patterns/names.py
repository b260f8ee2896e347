"""One name in the ways that code writes it: snake_case, camelCase, PascalCase, CONSTANT_CASE, kebab-case, run together."""

from __future__ import annotations

import re

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def words(name: str) -> list[str]:
    """The lower-case words of a name."""
    return [word.lower() for word in _WORDS.findall(name)]


def variants(old: str, new: str) -> dict[str, str]:
    """How ``old`` may be written, and what it becomes when it is called ``new``."""
    a, b = words(old), words(new)
    found = {old: new}
    if not a or not b:
        return found
    forms = [
        ("_".join(a), "_".join(b)),
        ("_".join(a).upper(), "_".join(b).upper()),
        (_pascal(a), _pascal(b)),
        (_camel(a), _camel(b)),
        ("-".join(a), "-".join(b)),
        (" ".join(a), " ".join(b)),
    ]
    for one, other in forms:
        if len(one) > 1:
            found.setdefault(one, other)
    return found


def _pascal(parts: list[str]) -> str:
    return "".join(part.capitalize() for part in parts)


def _camel(parts: list[str]) -> str:
    return parts[0] + _pascal(parts[1:])


def replaced(text: str, mapping: dict[str, str]) -> str:
    """``text`` with every whole word of the mapping replaced; also as a part of a longer name, at its word ends."""
    keys = sorted(mapping, key=len, reverse=True)
    pattern = "|".join(_part(key) for key in keys)
    return re.sub(pattern, lambda m: mapping[m.group()], text)


def _part(key: str) -> str:
    """The key where it is a name, or whole words of one: ``name`` in ``user_name``, ``Name`` in ``userName``."""
    before = r"(?<![^\W\d_])" if not key[:1].isupper() else r"(?<![A-Z])"
    return rf"{before}{re.escape(key)}(?![a-z0-9])"
