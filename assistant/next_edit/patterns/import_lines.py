"""Import statements of Python and JavaScript/TypeScript as text: which there are, and how one more name gets in or one out.

Reads whole statements by regular expressions: quick enough for every open file at each keystroke. Knows no scopes.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple

from assistant.next_edit.patterns.context import Site
from assistant.next_edit.patterns.tokens import line_start

_PYTHON = re.compile(
    r"^(?P<indent>[ \t]*)from[ \t]+(?P<module>[.\w]+)[ \t]+import[ \t]+(?:\((?P<many>[^()]*)\)|(?P<names>[^\n(#;]+))"
    r"|^(?P<indent2>[ \t]*)import[ \t]+(?P<modules>[\w.]+(?:[ \t]+as[ \t]+\w+)?(?:[ \t]*,[ \t]*[\w.]+)*)[ \t]*\r?$",
    re.MULTILINE,
)
_SCRIPT = re.compile(
    r"^(?P<indent>[ \t]*)import[ \t]+(?P<type>type[ \t]+)?(?:(?P<default>[\w$]+)[ \t]*,?[ \t]*)?"
    r"(?:\{(?P<many>[^{}]*)\}|\*[ \t]+as[ \t]+(?P<star>[\w$]+))?[ \t]*"
    r"from[ \t]*(?P<quote>[\"'])(?P<module>[^\"'\n]+)[\"'][ \t]*;?",
    re.MULTILINE,
)
_REQUIRE = re.compile(
    r"^(?P<indent>[ \t]*)(?:const|let|var)[ \t]+(?:\{(?P<many>[^{}]*)\}|(?P<default>[\w$]+))[ \t]*=[ \t]*"
    r"require\([\"'](?P<module>[^\"'\n]+)[\"']\)[ \t]*;?(?=[ \t]*\r?$)",
    re.MULTILINE,
)
_NAME = re.compile(
    r"(?P<type>type[ \t]+)?(?P<name>[\w$]+)(?:(?:[ \t]+as[ \t]+|[ \t]*:[ \t]*)(?P<alias>[\w$]+))?(?:[ \t]*#[^\n]*)?"
)
_SOURCE = re.compile(r"(?:from\s*|require\()[\"']([^\"']+)[\"']")


LISTS = ("from", "type")
"""Kinds of statement that a name can be added to."""


class Name(NamedTuple):
    """One imported name; ``start``/``end`` of its source, an alias included."""

    name: str
    bound: str
    start: int
    end: int


class Statement(NamedTuple):
    """One import. ``module`` of ``from module import names``; of ``import module`` there is one name, the bound one.

    ``kind``: ``from``, ``import`` (Python), ``type``, ``default``, ``star`` (JavaScript); of ``require`` as of the ``import``
    that does the same. ``list_start``/``list_end``: what holds the names, without brackets.
    """

    kind: str
    module: str
    names: tuple[Name, ...]
    start: int
    end: int
    indent: str
    list_start: int
    list_end: int


def statements(text: str, language: str) -> list[Statement]:
    """The imports of a file, in order."""
    if language == "python":
        return [found for m in _PYTHON.finditer(text) for found in _python(m)]
    if language in ("javascript", "typescript", "tsx"):
        found = [made for m in _SCRIPT.finditer(text) for made in _script(m)]
        found += [made for m in _REQUIRE.finditer(text) for made in _required(m)] if "require(" in text else []
        return sorted(found, key=lambda statement: statement.start)
    return []


def _python(m: re.Match[str]) -> Iterator[Statement]:
    if m.group("modules") is not None:
        names = tuple(_modules(m))
        yield Statement("import", names[0].name, names, m.start(), m.end(), m.group("indent2"), *m.span("modules"))
        return
    group = "many" if m.group("many") is not None else "names"
    names = tuple(_names(m.group(group), m.start(group)))
    if names:
        yield Statement("from", m.group("module"), names, m.start(), m.end(), m.group("indent"), *m.span(group))


def _modules(m: re.Match[str]) -> Iterator[Name]:
    for part in re.finditer(r"([\w.]+)(?:[ \t]+as[ \t]+(\w+))?", m.group("modules")):
        start = m.start("modules") + part.start()
        yield Name(part.group(1), part.group(2) or part.group(1).partition(".")[0], start, start + len(part.group()))


def _names(text: str, start: int) -> Iterator[Name]:
    for part in re.finditer(r"[^,\n]+", text):
        found = _NAME.match(part.group().strip())
        if found is None:
            continue
        at = start + part.start() + len(part.group()) - len(part.group().lstrip())
        end = at + max(found.end("name"), found.end("alias"))
        yield Name(found.group("name"), found.group("alias") or found.group("name"), at, end)


def _script(m: re.Match[str]) -> Iterator[Statement]:
    indent, module = m.group("indent"), m.group("module")
    if m.group("default"):
        yield Statement("default", module, _default(m), m.start(), m.end(), indent, *m.span("default"))
    if m.group("star"):
        name = Name("*", m.group("star"), *m.span("star"))
        yield Statement("star", module, (name,), m.start(), m.end(), indent, *m.span("star"))
    if m.group("many") is not None:
        names = tuple(_names(m.group("many"), m.start("many")))
        kind = "type" if m.group("type") else "from"
        yield Statement(kind, module, names, m.start(), m.end(), indent, *m.span("many"))


def _required(m: re.Match[str]) -> Iterator[Statement]:
    group = "many" if m.group("many") is not None else "default"
    names = tuple(_names(m.group(group), m.start(group))) if group == "many" else _default(m)
    if names:
        kind = "from" if group == "many" else "default"
        yield Statement(kind, m.group("module"), names, m.start(), m.end(), m.group("indent"), *m.span(group))


def _default(m: re.Match[str]) -> tuple[Name, ...]:
    return (Name("default", m.group("default"), *m.span("default")),)


def with_name(text: str, statement: Statement, name: str) -> Site | None:
    """The edit that adds a name to a ``from`` import, where it belongs in the order that the names have."""
    names = statement.names
    if statement.kind not in LISTS or not names or any(n.bound == name for n in names):
        return None
    key = _order([n.name for n in names], text.startswith("from", statement.start + len(statement.indent)))
    after = [n for n in names if key is None or key(n.name) < key(name)]
    own_lines = "\n" in text[statement.list_start : names[0].start]
    gap = "\n" + _indent(text, names[0].start) if own_lines and (len(names) < 2 or _lines(text, names)) else " "
    if not after:
        return Site(names[0].start, names[0].start, f"{name},{gap}")
    last = after[-1]
    if gap == " ":
        return Site(last.end, last.end, f", {name}")
    has_comma = text[last.end : last.end + 1] == ","
    at = last.end + has_comma
    return Site(at, at, f"{gap}{name}," if has_comma else f",{gap}{name}")


def without_name(text: str, statement: Statement, name: str) -> Site | None:
    """The edit that takes a name out; the whole line when it is the only one."""
    found = next((n for n in statement.names if n.bound == name), None)
    if found is None:
        return None
    others = [n for n in statement.names if n is not found]
    if not others:
        if len(re.findall(r"\bimport\b|\brequire\(", text[statement.start : statement.end])) != 1:
            return None
        stop = text.find("\n", statement.end)
        end = len(text) if stop == -1 else stop + 1
        rest = text[statement.end : end].strip()
        return Site(statement.start, end, "") if rest in ("", ")", ";") or rest.startswith(("#", "//")) else None
    i = statement.names.index(found)
    if i + 1 < len(statement.names):
        return Site(found.start, statement.names[i + 1].start, "")
    before = statement.names[i - 1]
    has_comma = text[found.end : found.end + 1] == "," and "\n" in text[before.end : found.start]
    return Site(before.end + has_comma, found.end + has_comma, "")


def new_statement(text: str, known: list[Statement], line: str) -> Site:
    """The edit that puts an import on a line of its own: into the block of its kind, in order where that has one."""
    top = [s for s in known if not s.indent]
    end_mark = "\r\n" if "\r\n" in text[:2000] else "\n"
    if not top:
        at = _after_header(text)
        return Site(at, at, line + end_mark)
    block = _block(text, top, line)
    kinds = {_traits(text[s.start : s.end])[0] for s in block}
    if len(kinds) == 1 and _traits(line)[0] > max(kinds):  # behind those of the other kind; in Python a block of its own
        stop = _end_of(text, block[-1])
        return Site(stop, stop, ("" if _SOURCE.search(line) else end_mark) + line + end_mark)
    keys = [_sort(text[s.start : s.end]) for s in block]
    before = [s for s, key in zip(block, keys, strict=True) if key < _sort(line)]
    if not before and keys == sorted(keys):
        return Site(block[0].start, block[0].start, line + end_mark)
    stop = _end_of(text, (before if keys == sorted(keys) else block)[-1])
    return Site(stop, stop, line + end_mark) if text[stop - 1 : stop] == "\n" else Site(stop, stop, end_mark + line)


def _block(text: str, top: list[Statement], line: str) -> list[Statement]:
    """Those of the statements that stand together, and among which the new one belongs."""
    blocks: list[list[Statement]] = []
    for statement in top:
        if (
            blocks
            and not text[_end_of(text, blocks[-1][-1]) : statement.start].strip("\r\n \t")
            and ("\n" not in text[_end_of(text, blocks[-1][-1]) : statement.start])
        ):
            blocks[-1].append(statement)
        else:
            blocks.append([statement])
    wanted = _traits(line)

    def fit(block: list[Statement]) -> tuple[int, int]:
        traits = [_traits(text[s.start : s.end]) for s in block]
        return max(_likeness(wanted, t) for t in traits), sum(1 for t in traits if t[0] == wanted[0])

    return max(blocks, key=fit)


def _traits(line: str) -> tuple[int, str]:
    """What kind of module it is (the standard library's, another, a relative one) and its first part."""
    source = _SOURCE.search(line)
    if source:
        name = source.group(1)
        return (3 if name.startswith(".") else 2), name.rpartition("/")[0] or name
    module = re.match(r"\s*(?:from|import)\s+([.\w]+)", line)
    name = module.group(1) if module else ""
    first = name.partition(".")[0]
    return (0 if first == "__future__" else 3 if not first else 1 if first in sys.stdlib_module_names else 2), first


def _likeness(a: tuple[int, str], b: tuple[int, str]) -> int:
    return 2 * (a[0] == b[0]) + (a[0] == b[0] and a[1] == b[1])


def _end_of(text: str, statement: Statement) -> int:
    """Behind the statement's last line."""
    end = statement.end
    if text[statement.list_start - 1 : statement.list_start] == "(":
        end = max(end, text.find(")", statement.list_end))
    stop = text.find("\n", end)
    return len(text) if stop == -1 else stop + 1


def _after_header(text: str) -> int:
    """Behind a docstring, comments and directives at the top."""
    found = re.match(
        r"(?:[ \t]*(?:#|//)[^\n]*\n|[ \t]*\n|[rR]?(?:\"\"\".*?\"\"\"|'''.*?''')[ \t]*\n|[\"']use \w+[\"'];?[ \t]*\n)+",
        text,
        re.DOTALL,
    )
    return found.end() if found else 0


def _sort(line: str) -> tuple[int, str]:
    source = _SOURCE.search(line)
    if source:
        return 0, source.group(1)
    module = re.match(r"\s*(from|import)\s+([.\w]+)", line)
    return (int(module.group(1) == "from"), module.group(2).lower()) if module else (2, line)


def _indent(text: str, offset: int) -> str:
    start = line_start(text, offset)
    return text[start : start + len(text[start:offset]) - len(text[start:offset].lstrip())]


def _lines(text: str, names: tuple[Name, ...]) -> bool:
    return "\n" in text[names[0].end : names[1].start]


def _order(names: list[str], is_python: bool) -> Callable[[str], tuple[int, str]] | None:
    """How the names are sorted, if they are; Python's sorters put constants first unless they are told otherwise."""
    keys: tuple[Callable[[str], tuple[int, str]], ...] = (_folded, _plain, _classes)
    keys = (_classes, _folded, _plain) if is_python else keys
    return next((key for key in keys if all(key(a) <= key(b) for a, b in pairwise(names))), None)


def _plain(name: str) -> tuple[int, str]:
    return 0, name


def _folded(name: str) -> tuple[int, str]:
    return 0, name.lower()


def _classes(name: str) -> tuple[int, str]:
    """Constants, then classes, then the rest."""
    return (0 if name.isupper() else 1 if name[:1].isupper() else 2), name.lower()
