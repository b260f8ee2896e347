"""What a name at a cursor means in the workspace, as far as imports, annotations, assignments and classes make it evident.

Text and the index's symbols, no types: what is not evident is ``None``. Sees one snapshot; ranks and writes nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence

from assistant.types import Snapshot
from assistant.workspace.index import WorkspaceIndex, real
from assistant.workspace.lookup import Lookup, Symbol
from assistant.workspace.module_files import module_files
from assistant.workspace.record import Record

TYPES = frozenset(("class", "struct", "interface", "enum"))
SELVES = frozenset(("self", "cls", "this"))
_MOST_BASES = 3
_CLASS = re.compile(r"^([ \t]*)(?:export[ \t]+|default[ \t]+|abstract[ \t]+|public[ \t]+)*class[ \t]+(\w+)", re.MULTILINE)


class Meaning:
    """Answers for one cursor. ``is_known`` says whether its document is one of the workspace's files."""

    def __init__(self, index: WorkspaceIndex, snapshot: Snapshot) -> None:
        self._index, self._snapshot = index, snapshot
        self.lookup = Lookup(index)
        self.path = real(snapshot.path or "")
        self.made: Record | None = index.record(self.path) if snapshot.path else None
        self.is_known = self.made is not None
        imports = self.made.symbols.imports if self.made is not None else ()
        self.bound = {i.bound: (i.module, i.name, i.level) for i in imports if i.bound}
        self.bound.update({i.module: (i.module, "", i.level) for i in imports if i.bound and not (i.name or i.alias)})
        self._head = snapshot.text[: snapshot.offset]
        self._asked: set[str] = set()

    def resolve(self, dotted: str) -> Symbol | None:
        """The definition that a dotted name evidently means."""
        owner, _, name = dotted.rpartition(".")
        if not owner:
            return self.top_level(name)
        if modules := self.modules(owner):
            here = (s for path in modules for s in self.lookup.outline(path) if s.qualified == name)
            return next(here, None) or self._passed_on(name, modules)
        kind = self.type_of(owner)
        if kind is not None:
            return next((s for base in self.family(kind) for s in self.inside(base) if s.name == name), None)
        if owner.partition(".")[0] in self.bound:
            return None  # of another package
        found = [s for s in self.lookup.definitions(name, 4) if s.kind == "method"]
        return found[0] if len(found) == 1 and not name.startswith("__") else None

    def top_level(self, name: str) -> Symbol | None:
        """What a bare name means in this file: its own definition, or an imported one."""
        if name not in self.bound:
            return next((s for s in self.lookup.outline(self.path) if s.qualified == name), None)
        module, original, level = self.bound[name]
        if not original or original == "*":
            return None
        files = self._existing(module_files(module, original, level, self.path, self._index.roots))
        found = (s for s in self.lookup.definitions(original, 12) if s.qualified == original and s.path in files)
        return next(found, None) or self._passed_on(original, files)

    def _passed_on(self, name: str, modules: Sequence[str]) -> Symbol | None:
        """What a package offers by that name and another file of it defines."""
        folders = tuple(os.path.dirname(path) + os.sep for path in modules)
        found = self.lookup.definitions(name, 12) if folders else []
        near = (s for s in found if s.qualified == name and s.kind != "variable" and s.path.startswith(folders))
        return next(near, None)

    def modules(self, name: str) -> list[str]:
        """Files of the module that an imported name stands for; none when it stands for something in a module."""
        module, original, level = self.bound.get(name, ("", "", 0))
        if not (module or original):
            return []
        dotted = f"{module}.{original}" if module and original else module or original
        full = module if original == "*" else dotted
        return self._existing(module_files(full, "", level, self.path, self._index.roots))

    def _existing(self, paths: Iterable[str]) -> list[str]:
        asked = list(dict.fromkeys(paths))[:60]
        sql = f"SELECT path FROM file WHERE path IN ({', '.join('?' * len(asked))})"
        here = {str(path) for (path,) in self._index.store.query(sql, asked)} | self._index.buffers.paths()
        return [path for path in asked if path in here]

    def type_of(self, receiver: str) -> Symbol | None:
        """The class whose members ``receiver.`` gives."""
        if receiver in self._asked:  # x = x.copy() says nothing of x
            return None
        self._asked.add(receiver)
        try:
            return self.enclosing_class() if receiver in SELVES else self._type_of(receiver)
        finally:
            self._asked.discard(receiver)

    def _type_of(self, receiver: str) -> Symbol | None:
        owner, _, name = receiver.rpartition(".")
        if owner not in ("", "self", "this"):
            return None
        symbol = self.top_level(receiver) if not owner else None
        if symbol is not None and symbol.kind in TYPES:
            return symbol
        said = (self.resolve(one) for one in self._said_types(name, owner))
        return next((s for s in said if s is not None and s.kind in TYPES), None)

    def _said_types(self, variable: str, owner: str) -> Iterator[str]:
        """What the text says of a variable's type, the nearest first: an annotation, or a constructor's call."""
        text = (self._snapshot.text if owner else self._head)[-40_000:]
        target = rf"{owner}\.{re.escape(variable)}" if owner else rf"(?<![\w.]){re.escape(variable)}"
        name = r"([A-Za-z_][\w.]*)"
        patterns = (
            rf"{target}[ \t]*\??:[ \t]*[\"']?(?:Optional\[)?{name}",
            rf"{target}[ \t]*=[ \t]*(?:await[ \t]+|new[ \t]+)?{name}\(",
        )
        found = [(m.start(), m.group(1)) for pattern in patterns for m in re.finditer(pattern, text)]
        yield from (one for _, one in sorted(found, reverse=True)[:4])
        given = re.search(rf"{target}[ \t]*=[ \t]*(\w+)[ \t]*;?$", text, re.MULTILINE) if owner else None
        parameter = re.search(rf"[(,\s]{given.group(1)}[ \t]*\??:[ \t]*[\"']?{name}", text) if given else None
        if parameter:  # self.x = x, where x is an annotated parameter
            yield parameter.group(1)

    def enclosing_class(self) -> Symbol | None:
        """The class around the cursor, by indentation: a tree of half a statement is a guess."""
        line = self._head[self._head.rfind("\n") + 1 :]
        depth = len(line) - len(line.lstrip())
        around = [m.group(2) for m in _CLASS.finditer(self._head) if len(m.group(1)) < depth]
        known = self.lookup.outline(self.path) if around else []
        return next((s for s in known if s.name == around[-1] and s.kind in TYPES), None)

    def family(self, symbol: Symbol) -> Iterator[Symbol]:
        """A class and those of its bases that can only be one class of the workspace."""
        seen, waiting = set[tuple[str, str]](), [symbol]
        while waiting and len(seen) <= _MOST_BASES:
            one = waiting.pop(0)
            if (one.path, one.qualified) in seen:
                continue
            seen.add((one.path, one.qualified))
            yield one
            for base in one.bases:
                found = self.lookup.definitions(base.rpartition(".")[2].partition("[")[0], 4)
                known = [s for s in found if s.kind in TYPES]
                waiting += known if len(known) == 1 else [s for s in known if s.path == one.path][:1]

    def inside(self, symbol: Symbol) -> list[Symbol]:
        """What stands directly in a class."""
        return self.lookup.members(symbol.path, symbol.qualified)
