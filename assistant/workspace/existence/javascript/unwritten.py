"""Members that nobody has ever written: of a receiver that nothing is known of, by a word that stands nowhere.

Nowhere in the file, in the workspace, in what engines, browsers and Node bring, and not behind a package that is not read
here. In grown repositories one line in 500 has such a member and is right; a model that writes one has made it
up. Silent without a whole index, about what comes from outside (packages, the environment), and about constants.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from assistant.workspace.existence.javascript import names
from assistant.workspace.existence.javascript.files import Files
from assistant.workspace.existence.javascript.sheet import Sheet, first_argument, is_binding_of, source_of
from assistant.workspace.grammar import javascript_scopes

if TYPE_CHECKING:
    from tree_sitter import Node

MIN_WORDS = 1_000
"""A workspace with fewer identifiers has not written enough to say that one is new to it."""

_LEAST = 3
_MAX_STEPS = 4  # from a name to what it was made of
_INNER = {
    "member_expression": "object",
    "subscript_expression": "object",
    "call_expression": "function",
    "new_expression": "constructor",
}
_WRAPPERS = ("await_expression", "parenthesized_expression", "non_null_expression", "as_expression", "satisfies_expression")
_IMPORTS = ("import_specifier", "namespace_import", "import_clause")
_MEMBER = re.compile(rb"\.\s*([A-Za-z_$][\w$]*)")


class Unwritten:
    """Answers for one sheet."""

    def __init__(self, sheet: Sheet, files: Files) -> None:
        self._sheet, self._files = sheet, files
        self._source = sheet.source

    def is_strange(self, name: str) -> bool:
        """Whether a member's name is no word of the file, of the platform, and no constant."""
        if len(name) < _LEAST or "$" in name or name.startswith("__") or name.isupper():
            return False
        return not names.is_member(name) and name.encode() not in self._sheet.words

    def is_ours(self, receiver: Node, name: str) -> bool:
        """Whether a receiver comes from code that is read: then it has no member that is written nowhere."""
        if re.search(r"\benv\b", self._source.of(receiver)[-20:]):
            return False
        here: Node | None = receiver
        for _ in range(_MAX_STEPS):
            root = _root(here)
            if root is None:
                return True
            declared = self._declaration(root)
            if declared is None:
                return True
            if declared.type in _IMPORTS:
                return self._is_read(source_of(declared), name)
            here = declared.child_by_field_name("value")
            module = self._required(here)
            if module is not None:
                return self._is_read(module, name)
        return False

    def others(self) -> frozenset[str]:
        """Members that the file writes, one of which may be meant."""
        return frozenset(word.decode("utf-8", "replace") for word in _MEMBER.findall(self._sheet.rest))

    def _declaration(self, root: Node) -> Node | None:
        """The import or the variable's declaration that binds a name; ``None`` for a parameter, a function, a global."""
        name = self._source.of(root)
        table = self._sheet.table({name})
        here = next((m for m in table.mentions if m.start == root.start_byte), None)
        home = javascript_scopes.resolve(here.scope, name, "vt") if here is not None else None
        if home is None:
            return None
        for mention in table.mentions:
            is_made = mention.name == name and mention.kind != "read"
            if is_made and javascript_scopes.resolve(mention.scope, name, mention.space) == home:
                node = self._sheet.tree.root_node.descendant_for_byte_range(mention.start, mention.end)
                found = is_binding_of(node, (*_IMPORTS, "variable_declarator"))
                if found is not None:
                    return found
        return None

    def _required(self, value: Node | None) -> Node | None:
        """The string of ``require("...")``, with or without what follows it."""
        here = value
        while here is not None and here.type == "member_expression":
            here = here.child_by_field_name("object")
        if here is None or here.type != "call_expression":
            return None
        is_require = self._source.of(here.child_by_field_name("function")) in ("require", "import")
        return first_argument(here) if is_require else None

    def _is_read(self, module: Node | None, name: str) -> bool:
        """Whether a module is one of Node's, or a file of the project that has been read and does not have the word."""
        where = self._source.of(module).strip("'\"`") if module is not None else ""
        if names.module(where) is not None:
            return True
        target = self._files.resolve(where, self._sheet.path) if self._sheet.path else None
        made = self._files.contents(target) if target else None
        return made is not None and name not in made.words


def _root(node: Node | None) -> Node | None:
    """The name that a chain of members, calls and brackets begins with."""
    while node is not None and node.type != "identifier":
        if node.type in _INNER:
            node = node.child_by_field_name(_INNER[node.type])
        elif node.type in _WRAPPERS and node.named_children:
            node = node.named_children[0]
        else:
            return None
    return node
