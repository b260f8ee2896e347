"""A name that the user began to use and that nothing declares gets its import; an import whose last use went away goes too.

Where a name comes from is learnt from the other files: what they import under it, what they define; then from the standard
library. Names that one module has are also said together. Python and JavaScript/TypeScript, with `import` or `require` as the
file has them. Star imports in the file: silent.
"""

from __future__ import annotations

import builtins
import dataclasses
import posixpath
import re
import sys
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from assistant.next_edit.patterns.context import Context, Site
from assistant.next_edit.patterns.import_lines import LISTS, Name, Statement, new_statement, statements, with_name, without_name
from assistant.next_edit.patterns.standard_names import ALSO, USUAL
from assistant.next_edit.patterns.tokens import is_word, tokens
from assistant.next_edit.patterns.trees import Parsed
from assistant.next_edit.place import difference
from assistant.next_edit.types import Candidate, Document

MAX_NAMES = 12
MAX_FILES = 24
SHOWN = 2  # sources of one name
_SCRIPTS = ("javascript", "typescript", "tsx")


class _Origin(NamedTuple):
    """Where a name may come from: ``from module import name`` or one of the other kinds of `Statement`."""

    kind: str
    module: str
    name: str
    alias: str
    trust: float


def missing(context: Context) -> Iterator[Candidate]:
    """The imports that new names want."""
    for document, now in _edited(context):
        yield from _missing(context, document, now)


def unused(context: Context) -> Iterator[Candidate]:
    """The imports that nothing needs any more."""
    for document, now in _edited(context):
        yield from _unused(context, document, now)


def _edited(context: Context) -> Iterator[tuple[Document, Parsed]]:
    for document in context.documents:
        if not context.edits_of(document.uri):
            continue
        now = context.now(document)
        if now.tree is not None and now.language in ("python", *_SCRIPTS):
            yield document, now


# -- a new name


def _missing(context: Context, document: Document, now: Parsed) -> Iterator[Candidate]:
    known = statements(document.text, now.language)
    likely: dict[tuple[str, str], list[_Origin]] = {}
    for name, offset in _new_names(context, document, now):
        context.cancel.check()
        origins = _origins(context, document, now.language, name, document.text[offset + len(name) : offset + len(name) + 1])
        total = sum(origins.values())
        at_hand = {statement.module for statement in known}
        first = sorted(origins.items(), key=lambda one: (one[0].module not in at_hand, -one[1]))
        for origin, count in first[:SHOWN]:
            written = _written(document, known, now.language, origin)
            if written is None:
                continue
            features = {
                "files": float(count),
                "share": count / total,
                "trust": origin.trust,
                "extends": float(written[1]),
                "typing": float(context.is_typing(document.uri, offset, offset + len(name))),
                "origins": float(len(origins)),
            }
            why = f"'{name}' is used but not imported"
            yield from context.candidates("import", document, [written[0]], why, 1, features)
        for origin, _ in first[:1]:
            likely.setdefault((origin.kind, origin.module), []).append(origin)
    for (kind, module), several in likely.items():
        if kind in LISTS and len(several) > 1 and (site := _together(document, now.language, several)) is not None:
            features = {"names": float(len(several)), "trust": min(origin.trust for origin in several)}
            why = f"{len(several)} names of '{module}' are used but not imported"
            yield from context.candidates("import", document, [site], why, len(several), features)


def _together(document: Document, language: str, origins: list[_Origin]) -> Site | None:
    """One edit that imports several names of one module."""
    made = document
    for origin in origins:
        written = _written(made, statements(made.text, language), language, origin)
        if written is None:
            return None
        start, end, text = written[0]
        made = dataclasses.replace(made, text=made.text[:start] + text + made.text[end:])
    whole = difference(document.text, made.text)
    return Site(whole.start, whole.end, whole.text)


def _new_names(context: Context, document: Document, now: Parsed) -> list[tuple[str, int]]:
    """Names in code the user wrote that nothing in the file declares, each with a place."""
    found: dict[str, int] = {}
    for edit in context.edits_of(document.uri):
        for token in tokens(document.text, edit.start, edit.end):
            name, before = token.text, document.text[token.start - 1 : token.start]
            if is_word(name) and name not in found and before != "." and not hasattr(builtins, name) and name not in edit.base:
                found[name] = token.start
    fresh = []
    for name, offset in found.items():
        context.cancel.check()
        if len(name) > 1 and now.is_code(offset, offset + len(name)) and now.is_bound(name, offset) is False:
            fresh.append((name, offset))
        if len(fresh) == MAX_NAMES:
            break
    return fresh


def _origins(context: Context, document: Document, language: str, name: str, then: str) -> Counter[_Origin]:
    found: Counter[_Origin] = Counter()
    for other in _others(context, document, name):
        context.cancel.check()
        if name not in other.text or _is_script(other) != (language in _SCRIPTS):
            continue
        for statement in statements(other.text, "python" if language == "python" else "tsx"):
            if _is_itself(document, other, statement.module):
                continue
            for one in statement.names:
                if one.bound == name:
                    module = _seen_from(document, other, statement.module, language)
                    plain = one.name.partition(".")[0] if statement.kind == "import" else one.name
                    alias = one.bound if one.bound != plain else ""
                    found[_Origin(statement.kind, module, one.name, alias, 1.0)] += 1
        if _defines(other.text, name, language):
            module = _module_of(document, other, language)
            if module:
                kind = "type" if _defines_type(other.text, name) and "import type" in document.text + other.text else "from"
                found[_Origin(kind, module, name, "", 0.8)] += 1
    if language == "python" and not found:
        if name in USUAL:
            found[_Origin("from", USUAL[name], name, "", 0.6)] += 1
        elif name in ALSO:
            found[_Origin("from", ALSO[name], name, "", 0.5)] += 1
        elif name in sys.stdlib_module_names and then == ".":
            found[_Origin("import", name, name, "", 0.7)] += 1
    return found


def _others(context: Context, document: Document, name: str) -> Iterator[Document]:
    seen = {document.path}
    for other in context.documents:
        if other.path not in seen:
            seen.add(other.path)
            yield other
    files = context.scene.files
    for path in files.naming(name, MAX_FILES) if files is not None else ():
        if path not in seen:
            seen.add(path)
            read = files.read(path) if files is not None else None
            if read is not None:
                yield read


def _is_itself(document: Document, other: Document, module: str) -> bool:
    """Whether a module that another file imports from is this very file."""
    own = posixpath.splitext(_slashes(document.path))[0].removesuffix("/__init__").removesuffix("/index")
    folder = posixpath.dirname(_slashes(other.path))
    if module.startswith("./") or module.startswith("../"):
        return posixpath.splitext(posixpath.normpath(posixpath.join(folder, module)))[0].removesuffix("/index") == own
    name = module.lstrip(".").replace(".", "/")
    return bool(name) and f"/{own}".endswith(f"/{name}") and _is_script(document) is False


def _defines_type(text: str, name: str) -> bool:
    return re.search(rf"^export[ \t]+(?:interface|type)[ \t]+{re.escape(name)}(?![\w$])", text, re.MULTILINE) is not None


def _is_script(document: Document) -> bool:
    return document.path.rpartition(".")[2] in ("js", "jsx", "ts", "tsx", "mjs", "cjs", "mts", "cts")


def _seen_from(document: Document, other: Document, module: str, language: str) -> str:
    """A module that ``other`` names, as ``document`` has to name it."""
    if not module.startswith("."):
        return module
    here, there = posixpath.dirname(_slashes(document.path)), posixpath.dirname(_slashes(other.path))
    if here == there:
        return module
    if language in _SCRIPTS:
        return _relative(here, posixpath.normpath(posixpath.join(there, module)))
    dots = len(module) - len(module.lstrip("."))
    for _ in range(dots - 1):
        there = posixpath.dirname(there)
    return _dots(here, posixpath.join(there, module.lstrip(".").replace(".", "/")))


def _module_of(document: Document, other: Document, language: str) -> str:
    """The module that another file is, as ``document`` may name it; "" when that is not to be seen from the paths."""
    here, path = posixpath.dirname(_slashes(document.path)), posixpath.splitext(_slashes(other.path))[0]
    if language in _SCRIPTS:
        return _relative(here, path.removesuffix("/index"))
    path = path.removesuffix("/__init__")
    styles = [s.module for s in statements(document.text, "python") if s.kind == "from" and not s.indent]
    if any(module.startswith(".") for module in styles) and here.partition("/")[0] == path.partition("/")[0]:
        return _dots(here, path)
    parts = [part for part in path.split("/") if part]
    firsts = {module.partition(".")[0] for module in styles}
    top = next((i for i, part in enumerate(parts) if part in firsts), None)
    return ".".join(parts[top:]) if top is not None else ""


def _dots(here: str, path: str) -> str:
    """``path`` relative to the package ``here``, with dots."""
    steps = posixpath.relpath(path or ".", here or ".").split("/")
    ups = sum(1 for step in steps if step == "..")
    return "." * (ups + 1) + ".".join(step for step in steps if step not in ("..", "."))


def _relative(here: str, path: str) -> str:
    found = posixpath.relpath(path or ".", here or ".")
    return found if found.startswith(".") else f"./{found}"


def _slashes(path: str) -> str:
    return path.replace("\\", "/")


def _defines(text: str, name: str, language: str) -> bool:
    """Whether a file has it at its top level, for others to import."""
    word = re.escape(name)
    if language == "python":
        return (
            re.search(rf"^(?:(?:async[ \t]+)?def|class)[ \t]+{word}\b|^{word}[ \t]*(?::[^\n=]+)?=[^=]", text, re.MULTILINE)
            is not None
        )
    kinds = r"(?:async[ \t]+)?(?:abstract[ \t]+)?(?:function\*?|class|const|let|var|interface|type|enum)"
    return re.search(rf"^export[ \t]+{kinds}[ \t]+{word}(?![\w$])", text, re.MULTILINE) is not None


def _written(document: Document, known: list[Statement], language: str, origin: _Origin) -> tuple[Site, bool] | None:
    """The edit, and whether it only adds to a statement."""
    name = f"{origin.name} as {origin.alias}" if origin.alias else origin.name
    module = origin.module.rstrip("/")
    same = [s for s in known if s.kind == origin.kind in LISTS and s.module.rstrip("/") == module and not s.indent]
    if len(same) == 1:  # a file with several writes a line for each name
        is_required = "require(" in document.text[same[0].list_end : same[0].end]
        site = with_name(document.text, same[0], name.replace(" as ", ": ") if is_required else name)
        return (site, True) if site is not None else None
    line = _line(document.text, known, language, origin, name)
    return (new_statement(document.text, known, line), False) if line else None


def _line(text: str, known: list[Statement], language: str, origin: _Origin, name: str) -> str:
    if language == "python":
        return f"from {origin.module} import {name}" if origin.kind == "from" else f"import {name}"
    first = next((text[s.start : s.end] for s in known), "")
    quote = '"' if '"' in first else "'"
    end = ";" if not first or first.rstrip().endswith(";") else ""
    if "require(" in first:
        names = f"{{ {name.replace(' as ', ': ')} }}" if origin.kind in LISTS else origin.alias or origin.name
        return f"{first.split()[0]} {names} = require({quote}{origin.module}{quote}){end}"
    listed = f"{{ {name} }}"
    bound = {
        "from": listed,
        "type": f"type {listed}",
        "star": f"* as {origin.alias or origin.name}",
        "default": origin.alias or origin.name,
    }
    return f"import {bound[origin.kind]} from {quote}{origin.module}{quote}{end}"


# -- an import without a use


def _unused(context: Context, document: Document, now: Parsed) -> Iterator[Candidate]:
    if document.path.rpartition("/")[2].startswith("__init__.") or now.errors:
        return
    gone: dict[str, int] = {}
    for edit in context.edits_of(document.uri):
        for token in tokens(edit.base, edit.old_start, edit.old_end):
            if is_word(token.text):
                gone.setdefault(token.text, edit.order)
    for statement in statements(document.text, now.language) if gone else ():
        context.cancel.check()
        for one in statement.names:
            if one.bound not in gone or "__future__" in statement.module:
                continue
            if any(not statement.start <= at < statement.end for at in now.words(one.bound)):
                continue
            yield from _swapped(context, document, now, one)
            if _is_becoming(context, document, now, one):
                continue
            site = without_name(document.text, statement, one.bound)
            if site is None or context.is_touched(document, site.start, site.end):
                continue
            features = {
                "whole": float(len(statement.names) == 1),
                "recent": float(gone[one.bound] == context.last_order),
                "uses": float(len(context.before(document).words(one.bound)) - 1),
            }
            yield from context.candidates(
                "unused_import", document, [site], f"the last use of '{one.bound}' is gone", 1, features
            )


def _is_becoming(context: Context, document: Document, now: Parsed, gone: Name) -> bool:
    """Whether its last use has a name now that nothing declares: a rename is under way, and the import is to follow it."""
    swaps = (s for s in context.swapped if (s.uri, s.old) == (document.uri, gone.bound))
    return any(now.is_bound(swap.new, swap.start) is False for swap in swaps)


def _swapped(context: Context, document: Document, now: Parsed, gone: Name) -> Iterator[Candidate]:
    """Another name of the same module in place of one whose last use became that other name's."""
    swap = next((s for s in context.swapped if s.uri == document.uri and s.old == gone.bound == gone.name), None)
    if swap is None or context.is_touched(document, gone.start, gone.end) or now.is_bound(swap.new, swap.start) is not False:
        return
    if context.is_typing(document.uri, swap.start, swap.start + len(swap.new)) and swap.new in swap.old:
        return
    support = sum(1 for s in context.swapped if (s.uri, s.old, s.new) == (swap.uri, swap.old, swap.new))
    features = {
        "recent": float(swap.order == context.last_order),
        "typing": float(context.is_typing(document.uri, swap.start, swap.start + len(swap.new))),
    }
    why = f"'{swap.new}' is used where '{swap.old}' was"
    yield from context.candidates("import_swap", document, [Site(gone.start, gone.end, swap.new)], why, support, features)
