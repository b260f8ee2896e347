"""Every member that the value of an expression may have, as far as it is evident: standard objects, literals, modules of the
project and of Node, classes without unknown bases.

Generous: a word that is written in a file counts as a member of all that the file makes. ``None`` is the usual answer.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from assistant.workspace.existence.javascript import names
from assistant.workspace.existence.javascript.files import Files
from assistant.workspace.existence.javascript.sheet import WORD, Sheet, first_argument, source_of
from assistant.workspace.grammar import javascript_scopes
from assistant.workspace.grammar.scope_table import Mention

if TYPE_CHECKING:
    from tree_sitter import Node

_LITERALS = {"string": "String", "template_string": "String", "array": "Array", "regex": "RegExp", "number": "Number"}
_OWN_THIS = ("function_expression", "function_declaration", "generator_function", "generator_function_declaration", "pair")
_DYNAMIC_THIS = re.compile(
    rb"\bthis\s*\[|Object\.(?:assign|defineProperty|defineProperties|setPrototypeOf)\s*\(\s*(?:this|[\w$.]+\.prototype|[A-Z])"
    rb"|\bnew\s+Proxy\b|\.prototype\s*\[|\bmixin|\[key:\s*string\]|\bwith\s*\("
)
_EXTENDS = re.compile(r"\bclass\s+([A-Za-z_$][\w$]*)(?:\s*<[^{]*?>)?(?:\s+extends\s+([\w$.]+(?:\s*\()?))?")


class Members:
    """Answers for one sheet."""

    def __init__(self, sheet: Sheet, files: Files) -> None:
        self._sheet, self._files = sheet, files
        self._source = sheet.source

    def of_receiver(self, receiver: Node) -> frozenset[str] | None:
        """Every member that a receiver may have; ``None`` where nobody can say."""
        if receiver.type in _LITERALS:
            return self._with_words(names.members(_LITERALS[receiver.type]))
        if receiver.type != "identifier":
            return None
        name = self._source.of(receiver)
        table = self._sheet.table({name})
        here = next((m for m in table.mentions if m.start == receiver.start_byte), None)
        home = javascript_scopes.resolve(here.scope, name, "vt") if here is not None else None
        if home is None:
            return self._with_words(names.statics(name))
        made = [m for m in table.mentions if m.name == name and m.kind != "read"]
        same = [m for m in made if javascript_scopes.resolve(m.scope, name, m.space) == home]
        if len(same) != 1 or same[0].kind == "shorthand":
            return None
        return self._bound(self._at(same[0]))

    def _at(self, mention: Mention) -> Node | None:
        return self._sheet.tree.root_node.descendant_for_byte_range(mention.start, mention.end)

    def _with_words(self, known: frozenset[str] | None) -> frozenset[str] | None:
        """What is listed, and what else is written in the file: it may have been added."""
        return known | {w.decode("utf-8", "replace") for w in self._sheet.words} if known is not None else None

    def _bound(self, name: Node | None) -> frozenset[str] | None:
        """What the value has that the declaration at ``name`` gives to it."""
        outer = name.parent if name is not None else None
        if outer is None:
            return None
        if outer.type == "namespace_import":
            return self._of_module(source_of(outer), False)
        if outer.type == "import_clause":
            return self._of_module(source_of(outer), True)
        if outer.type != "variable_declarator" or outer.child_by_field_name("name") != name:
            return None
        value = outer.child_by_field_name("value")
        if value is None or outer.child_by_field_name("type") is not None:
            return None
        if value.type == "call_expression" and self._source.of(value.child_by_field_name("function")) == "require":
            return self._of_module(first_argument(value), True)
        return self._of_value(value) if self._source.of(outer.parent).startswith("const") else None

    def _of_value(self, value: Node) -> frozenset[str] | None:
        if value.type in _LITERALS:
            return self._with_words(names.members(_LITERALS[value.type]))
        maker = value.child_by_field_name("constructor") if value.type == "new_expression" else None
        if maker is None or maker.type != "identifier":
            return None
        name = self._source.of(maker)
        if names.members(name) is not None and name.encode() not in _declared(self._sheet.rest):
            return self._with_words(names.members(name))
        return self._of_class(name)

    def _of_module(self, module: Node | None, is_default: bool) -> frozenset[str] | None:
        """What a module has, or what it exports as a whole, where that is a class, an object or a function of its own."""
        name = self._source.of(module).strip("'\"`") if module is not None else ""
        listed = names.module(name)
        if listed is not None:
            return self._with_words(listed)
        target = self._files.resolve(name, self._sheet.path) if self._sheet.path else None
        if not target:
            return None
        if is_default:
            made = self._files.contents(target)
            return self._of_file(target) if made is not None and made.is_plain else None
        words = self._files.words(target)
        return words | {"default"} if words is not None else None

    # -- classes

    def of_this(self, node: Node) -> frozenset[str] | None:
        """What the class around may have; ``None`` for another ``this``."""
        here: Node | None = node
        while here is not None and here.type not in ("class_body", *_OWN_THIS):
            if here.type == "method_definition" and (here.parent is None or here.parent.type != "class_body"):
                return None
            here = here.parent
        cls = here.parent if here is not None and here.type == "class_body" else None
        if cls is None or any(child.type == "decorator" for child in cls.children):
            return None
        heritage = next((child for child in cls.named_children if child.type == "class_heritage"), None)
        own = self._own_words()
        if heritage is None or own is None:
            return own
        extended = re.match(r"(?:extends\s+)([\w$]+)\s*(?:<|\{|implements|$)", self._source.of(heritage) + " {")
        if self._source.of(heritage).startswith("implements"):
            return own
        return self._of_class(extended.group(1)) if extended else None

    def _own_words(self) -> frozenset[str] | None:
        if _DYNAMIC_THIS.search(self._sheet.rest):
            return None
        listed = names.members("Function") or frozenset()
        return frozenset(w.decode("utf-8", "replace") for w in self._sheet.words) | listed

    def _of_class(self, name: str, depth: int = 0) -> frozenset[str] | None:
        """Every word that members of a class and its bases may have: of this file, or of one that it is imported from."""
        text = self._sheet.rest.decode("utf-8", "replace")
        own = self._own_words()
        if own is None or depth > 3:
            return None
        bases = {cls: base for cls, base in _EXTENDS.findall(text)}
        if name in bases:
            is_plain = "." not in bases[name] and "(" not in bases[name]
            return (self._of_class(bases[name], depth + 1) if is_plain else None) if bases[name] else own
        if names.members(name) is not None:
            return own | (names.members(name) or frozenset())
        there = self._of_import(name, text)
        return own | there if there is not None else None

    def _of_import(self, name: str, text: str) -> frozenset[str] | None:
        """The same of a class that is imported from a file of the project."""
        found = re.search(rf"\bimport\s+([^\"';]*\b{re.escape(name)}\b[^\"';]*?)\s*\bfrom\s*[\"']([^\"']+)[\"']", text)
        target = self._files.resolve(found.group(2), self._sheet.path) if found and self._sheet.path else None
        if found is None or not target:
            return None
        made, is_default = self._files.contents(target), name in found.group(1).partition("{")[0]
        return self._of_file(target) if made is not None and (made.is_plain or not is_default) else None

    def _of_file(self, path: str) -> frozenset[str] | None:
        """Every word that members of a file's classes and objects may have; ``None`` where something of them is elsewhere."""
        made, words = self._files.contents(path), self._files.words(path)
        if made is None or words is None or _DYNAMIC_THIS.search(made.text.encode()):
            return None
        classes = _EXTENDS.findall(made.text)
        bases = {base for _, base in classes if base} - {cls for cls, _ in classes}
        inherited = [names.members(base) for base in bases]
        if any(known is None for known in inherited):
            return None
        return words.union(names.members("Function") or (), *(known for known in inherited if known is not None))


def _declared(text: bytes) -> frozenset[bytes]:
    """Names of the classes and functions that a text declares, and of what it imports."""
    return frozenset(re.findall(rb"\b(?:class|function|const|let|var)\s+([\w$]+)", text)) | frozenset(
        word for clause in re.findall(rb"\bimport\s+([^\"';]+)\s+from\b", text) for word in WORD.findall(clause)
    )
