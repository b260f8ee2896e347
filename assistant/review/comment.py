"""A draft of a docstring or comment for one function, by intent, from what the code says: never a word that it does not.

Intents: ``what`` (name, parameters, result, exceptions), ``why`` (who calls it), ``use`` (a call that is there), ``how`` (what
it calls, in order), ``property`` (what holds of it). Python and JavaScript/TypeScript. Without an index there are no callers.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assistant.review.rules.page import FUNCTIONS, Function, Page, field, nth, page_of, within
from assistant.workspace import languages
from assistant.workspace.index import WorkspaceIndex
from assistant.workspace.lookup import Lookup
from assistant.workspace.words import subwords

if TYPE_CHECKING:
    from tree_sitter import Node

MOST_CALLERS = 3
MOST_CALLS = 8
MOST_FILES = 40
WIDTH = 88

_INNER = FUNCTIONS | {"class_definition", "class_declaration"}


@dataclass(frozen=True)
class Draft:
    """Insert ``text`` at ``offset``."""

    offset: int
    text: str


@dataclass(frozen=True)
class Caller:
    """A call of the function: the definition it stands in, its place and its line."""

    inside: str
    path: str
    line: int
    code: str


def draft(
    text: str, language: str, line: int, intent: str, path: str = "", index: WorkspaceIndex | None = None
) -> Draft | None:
    """The draft for the function whose header begins on ``line``; ``None`` without one, with a comment there already, or
    when the code says nothing to this intent.
    """
    bare = undocumented(text, language, line, path)
    if bare is None:
        return None
    page, function = bare
    return placed(page, function, facts(page, function, intent, path, index))


def undocumented(text: str, language: str, line: int, path: str = "") -> tuple[Page, Function] | None:
    """The function whose header begins on ``line``, if it has a body and no comment yet."""
    page = page_of(text, languages.resolve(language, path))
    function = _at(page, line) if page is not None else None
    if page is None or function is None or function.body is None or _is_documented(page, function):
        return None
    return page, function


def facts(page: Page, function: Function, intent: str, path: str, index: WorkspaceIndex | None) -> list[str]:
    """What the code says to an intent, as lines of a comment; none when it says nothing."""
    return _said(page, function, intent, list(_callers(function, path, index)) if intent in ("why", "use") else [])


def placed(page: Page, function: Function, said: list[str]) -> Draft | None:
    """The comment with these lines, where the language wants it."""
    return (_docstring if page.language == "python" else _jsdoc)(page, function, said) if said else None


def _at(page: Page, line: int) -> Function | None:
    here = [one for one in page.functions if line in (one.node.start_point[0], one.outer.start_point[0])]
    return min(here, key=lambda one: one.node.start_byte, default=None)


def _is_documented(page: Page, function: Function) -> bool:
    if page.language != "python":
        before = function.outer.prev_sibling
        return before is not None and before.type == "comment" and page.src(before).startswith("/**")
    first = nth(function.body, 0) if function.body is not None else None
    inner = nth(first, 0) if first is not None and first.type == "expression_statement" else None
    return inner is not None and inner.type == "string"


def _said(page: Page, function: Function, intent: str, callers: list[Caller]) -> list[str]:
    if intent == "what":
        return _what(page, function)
    if intent == "why" and callers:
        shown = [f"{one.inside or 'module level'} ({one.path}:{one.line + 1})" for one in callers[:MOST_CALLERS]]
        more = f" and {len(callers) - len(shown)} more" if len(callers) > len(shown) else ""
        return wrapped(f"Called by {_listed(shown)}{more}.")
    if intent == "use" and callers:
        one = callers[0]
        return [f"As in {one.path}:{one.line + 1}: {one.code}"]
    if intent == "how":
        calls = list(dict.fromkeys(_calls(page, function)))
        more = ", ..." if len(calls) > MOST_CALLS else ""
        return wrapped(f"Calls {', then '.join(calls[:MOST_CALLS])}{more}.") if calls else []
    return [f"{fact}." for fact in properties(page, function)] if intent == "property" else []


def _what(page: Page, function: Function) -> list[str]:
    words = " ".join(word.lower() for word in subwords(function.name))
    said = [f"{words[:1].upper()}{words[1:]}." if words else f"{function.name}."]
    given = [one for one in function.parameters if one.name and one.name not in ("self", "cls", "this")]
    raised = list(dict.fromkeys(_raised(page, function)))
    if page.language != "python":
        said += [f"@param {f'{{{one.annotation}}} ' if one.annotation else ''}{one.name}" for one in given]
        result = page.src(field(function.node, "return_type")).lstrip(": ")
        return [*said, *([f"@returns {{{result}}}"] if result else []), *(f"@throws {{{name}}}" for name in raised)]
    if given:
        shown = (f"    {one.name}{f' ({one.annotation})' if one.annotation else ''}:" for one in given)
        said += ["", "Args:", *(line.removesuffix(":") for line in shown)]
    result = page.src(field(function.node, "return_type"))
    if result and result != "None":
        said += ["", "Returns:", f"    {result}"]
    return [*said, *(["", "Raises:", *(f"    {name}" for name in raised)] if raised else [])]


def _raised(page: Page, function: Function) -> Iterator[str]:
    """Names of exceptions that the body itself raises."""
    for node in within(function.body, "raise_statement", "throw_statement", stop=_INNER):
        value: Node | None = nth(node, 0)
        while value is not None and value.type in ("call", "new_expression", "call_expression"):
            value = field(value, "function") or field(value, "constructor")
        name = page.src(value)
        if re.fullmatch(r"[\w.]*\b[A-Z]\w*", name):
            yield name


def _calls(page: Page, function: Function) -> Iterator[str]:
    found = within(function.body, "call", "call_expression", stop=_INNER)
    for node in sorted(found, key=lambda one: one.end_byte):
        name, parent = page.src(field(node, "function")), node.parent
        is_raised = parent is not None and parent.type in ("raise_statement", "throw_statement")
        if not is_raised and re.fullmatch(r"[\w.$]+", name):
            yield name


def properties(page: Page, function: Function) -> Iterator[str]:
    """What holds of a function by its own code: how it is called, what it raises, what it sets."""
    body = function.body
    if function.is_async:
        yield "Is a coroutine; await it" if page.language == "python" else "Returns a promise"
    if within(body, "yield", "yield_expression", stop=_INNER):
        yield "Is a generator"
    raised = list(dict.fromkeys(_raised(page, function)))
    if raised:
        yield f"Raises {_listed(raised)}" if page.language == "python" else f"Throws {_listed(raised)}"
    written = list(dict.fromkeys(_written(page, function)))
    if written:
        yield f"Sets {_listed(written)}"
    if page.language == "python" and not raised and not within(body, "return_statement", "yield", stop=_INNER):
        yield "Returns nothing"


def _written(page: Page, function: Function) -> Iterator[str]:
    for node in within(function.body, "assignment", "augmented_assignment", "assignment_expression", stop=_INNER):
        name = page.src(field(node, "left"))
        if re.fullmatch(r"(?:self|this)\.\w+", name):
            yield name


def _callers(function: Function, path: str, index: WorkspaceIndex | None) -> Iterator[Caller]:
    """Calls by the function's name, as far as the index knows; a name that several definitions have proves nothing."""
    if index is None:
        return
    lookup = Lookup(index)
    if len({(one.path, one.qualified) for one in lookup.definitions(function.name, 3) if one.kind != "field"}) > 1:
        return
    roots = sorted(index.roots, key=len, reverse=True)
    for file in lookup.callers(function.name)[:MOST_FILES]:
        symbols, text = lookup.symbols(file), lookup.text(file)
        for call in symbols.calls if symbols is not None else ():
            if call.name == function.name:
                inside = symbols.definitions[call.scope].qualified if symbols is not None and call.scope >= 0 else ""
                code = " ".join(text[call.start : call.end].split())
                line = text.count("\n", 0, call.start)
                root = next((one for one in roots if file.startswith(one.rstrip(os.sep) + os.sep)), "")
                shown = os.path.relpath(file, root).replace(os.sep, "/") if root else os.path.basename(file)
                yield Caller(inside, shown, line, code if len(code) <= WIDTH else code[: WIDTH - 4] + " ...")


def _docstring(page: Page, function: Function, said: list[str]) -> Draft | None:
    """As the first statement of the body."""
    first = nth(function.body, 0) if function.body is not None else None
    if first is None or first.start_point[0] == function.node.start_point[0]:
        return None  # the body stands on the header's line
    row = first.start_point[0]
    indent = page.lines[row][: len(page.lines[row]) - len(page.lines[row].lstrip())]
    quoted = [line.replace("\\", "\\\\").replace('"""', '\\"\\"\\"') for line in said]
    newline = "\r\n" if "\r\n" in page.text else "\n"
    lines = [f'"""{quoted[0]}"""'] if len(quoted) == 1 else [f'"""{quoted[0]}', *quoted[1:], '"""']
    made = newline.join(f"{indent}{line}" if line else "" for line in lines)
    return Draft(_line_start(page.text, row), made + newline)


def _jsdoc(page: Page, function: Function, said: list[str]) -> Draft | None:
    """Above the function."""
    row = function.outer.start_point[0]
    line = page.lines[row]
    indent = line[: len(line) - len(line.lstrip())]
    newline = "\r\n" if "\r\n" in page.text else "\n"
    inner = [f" * {text}".rstrip().replace("*/", "* /") for text in said]
    made = newline.join(f"{indent}{text}" for text in ["/**", *inner, " */"])
    return Draft(_line_start(page.text, row), made + newline)


def _line_start(text: str, row: int) -> int:
    at = 0
    for _ in range(row):
        at = text.index("\n", at) + 1
    return at


def _listed(names: Iterable[str]) -> str:
    some = list(names)
    return some[0] if len(some) == 1 else f"{', '.join(some[:-1])} and {some[-1]}"


def wrapped(text: str) -> list[str]:
    """The lines of a comment of usual width."""
    lines, line = [], ""
    for word in text.split(" "):
        if line and len(line) + 1 + len(word) > WIDTH:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return [*lines, line]
