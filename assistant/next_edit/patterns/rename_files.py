"""A module's function, class or constant got another name: files that import it follow, their uses with them.

Which imports mean it is told by the module's last name, so a namesake from a module of the same last name is taken for it
(``stem`` is all there is to see). Open files first, then the index. ``__all__`` of its own file too.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from assistant.next_edit.patterns.context import Context, Site
from assistant.next_edit.patterns.import_lines import LISTS, statements
from assistant.next_edit.patterns.rename import Renamed, renames
from assistant.next_edit.types import Candidate, Document

MAX_FILES = 16


def find(context: Context) -> Iterator[Candidate]:
    for renamed in renames(context):
        if renamed.every[0].scope != "module" or not any(o.kind == "write" for o in renamed.done):
            continue
        yield from _exported(context, renamed)
        for document in _others(context, renamed):
            context.cancel.check()
            yield from _followed(context, document, renamed)


def _others(context: Context, renamed: Renamed) -> Iterator[Document]:
    seen = {renamed.document.path}
    for document in context.documents:
        if document.path not in seen and renamed.old in document.text:
            seen.add(document.path)
            yield document
    files = context.scene.files
    for path in files.naming(renamed.old, MAX_FILES) if files is not None else ():
        read = files.read(path) if files is not None and path not in seen else None
        seen.add(path)
        if read is not None and renamed.old in read.text:
            yield read


def _followed(context: Context, document: Document, renamed: Renamed) -> Iterator[Candidate]:
    now = context.trees.parsed(document)
    if now.tree is None:
        return
    stem = _stem(renamed.document.path)
    old, new = renamed.old, renamed.new
    for statement in statements(document.text, "python" if now.language == "python" else "tsx"):
        if statement.kind not in LISTS or _last(statement.module) not in (stem, ""):
            continue
        for name in statement.names:
            if name.name != old:
                continue
            sites = [Site(name.start, name.start + len(old), new)]
            if name.bound == old:
                found = now.same_variable(old, name.start) or ()
                sites += [
                    Site(o.start, o.end, f"{old}: {new}" if o.kind == "shorthand" else new) for o in found if o.kind != "import"
                ]
            features = {
                "left": float(len(sites)),
                "taken": float(bool(now.words(new))),
                "open": float(document.version is not None),
                "kept": renamed.swap.kept,
                "recent": float(renamed.swap.order == context.last_order),
                "certain": float(_is_beside(document.path, renamed.document.path, statement.module)),
            }
            why = f"'{old}' was renamed to '{new}' in {posixpath.basename(renamed.document.path)}"
            yield from context.candidates("rename_file", document, sites, why, len(renamed.done), features)


def _exported(context: Context, renamed: Renamed) -> Iterator[Candidate]:
    """Its entry in ``__all__``."""
    text = renamed.document.text
    listed = re.search(r"^__all__[^\[(=]*=\s*[\[(]([^\])]*)[\])]", text, re.MULTILINE)
    entry = re.search(rf"[\"'](?P<name>{re.escape(renamed.old)})[\"']", listed.group(1)) if listed else None
    if listed is not None and entry is not None:
        at = listed.start(1) + entry.start("name")
        site = Site(at, at + len(renamed.old), renamed.new)
        features = {"left": 1.0, "exported": 1.0, "recent": float(renamed.swap.order == context.last_order)}
        why = f"'{renamed.old}' was renamed to '{renamed.new}'"
        yield from context.candidates("rename_file", renamed.document, [site], why, len(renamed.done), features)


def _stem(path: str) -> str:
    folder, name = posixpath.split(path.replace("\\", "/"))
    stem = name.partition(".")[0]
    return posixpath.basename(folder) if stem in ("__init__", "index") else stem


def _is_beside(path: str, declaring: str, module: str) -> bool:
    """Whether the import can only mean the declaring file: it lies in the same folder, and the module is its bare name."""
    here, there = (posixpath.split(one.replace("\\", "/")) for one in (path, declaring))
    return here[0] == there[0] and module in (_stem(declaring), f".{_stem(declaring)}", f"./{_stem(declaring)}")


def _last(module: str) -> str:
    last = module.rpartition("/")[2] if "/" in module else module.rpartition(".")[2]
    return last.partition(".")[0]
