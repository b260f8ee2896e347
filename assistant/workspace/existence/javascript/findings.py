"""What in a JavaScript or TypeScript suggestion cannot exist: bare names, members of what is known, names and files of imports.

A name that nothing binds, that no surroundings bring and that stands nowhere else in the file unbound; a member of a standard
object, a literal, a module of the project or a class without unknown bases, where its word stands nowhere; any member that
nobody has ever written (`unwritten`). Types and guarded uses (``typeof``, conditions) stay silent.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from assistant.workspace.existence.findings import Finding
from assistant.workspace.existence.javascript import names
from assistant.workspace.existence.javascript.files import Files
from assistant.workspace.existence.javascript.members import Members
from assistant.workspace.existence.javascript.sheet import (
    Sheet,
    first_argument,
    is_asked_for,
    is_callee,
    is_guarded,
    is_target,
    is_unfinished,
    source_of,
)
from assistant.workspace.existence.javascript.unwritten import Unwritten
from assistant.workspace.grammar import javascript_scopes
from assistant.workspace.grammar.scope_table import Mention, Table

if TYPE_CHECKING:
    from tree_sitter import Node

_LEAST_SLIP = 4
_ASSIGNED = re.compile(rb"\s*(?:[-+*/%&|^]|\*\*|<<|>>>?|&&|\|\||\?\?)?=(?![=>])")
_DEFINED = re.compile(rb"\bfunction\b|\bclass\b|=>|\)[^;(){}]*\{")
_WITHIN = re.compile(rb"(?:[=!(,?+&|]|\b(?:return|await|new|not|and|or|in))\s*$")
_OPERATOR = re.compile(rb"(?:[=!<>]=|&&|\|\||\s[-+*/%])\s*$")
_OPERATED = re.compile(rb"\s*(?:[=!<>]=|&&|\|\||[-+*/%]\s)")


class Findings:
    """Looks through one sheet."""

    def __init__(self, sheet: Sheet, files: Files, is_written: Callable[[str], bool] | None) -> None:
        """``is_written``: whether any file of the workspace has a word; ``None`` without an index."""
        self._sheet, self._files, self._is_written_somewhere = sheet, files, is_written
        self._members, self._unwritten = Members(sheet, files), Unwritten(sheet, files)
        self._source = sheet.source

    def all(self) -> Iterator[Finding]:
        """Everything wrong, in no order."""
        nodes = list(self._nodes())
        yield from self._bare(nodes)
        for node in nodes:
            if node.type == "member_expression":
                yield from self._member(node)
            elif node.type == "import_specifier":
                yield from self._imported(node.child_by_field_name("name"), source_of(node))
            elif node.type == "shorthand_property_identifier_pattern":
                yield from self._required(node)
            elif node.type == "string":
                yield from self._module(node)

    def _nodes(self) -> Iterator[Node]:
        pending = [self._sheet.tree.root_node]
        while pending:
            node = pending.pop()
            if self._sheet.covers(node):
                yield node
                pending.extend(node.named_children)

    # -- names

    def _bare(self, nodes: list[Node]) -> Iterator[Finding]:
        found = {node.start_byte: node for node in nodes if node.type in ("identifier", "shorthand_property_identifier")}
        wanted = {self._source.of(node) for node in found.values()}
        unknown = {name for name in wanted if not names.is_global(name)}
        if not unknown or b"with (" in self._sheet.rest:
            return
        table = self._sheet.table(wanted)
        for mention in table.mentions:
            node = found.get(mention.start)
            if node is None or mention.name not in unknown or mention.kind not in ("read", "shorthand") or mention.space == "t":
                continue
            if javascript_scopes.resolve(mention.scope, mention.name, "vt") is None and self._is_sure(node, mention, table):
                yield Finding("name", mention.name, mention.start, mention.end, "the file", self._others(mention.name))

    def _is_sure(self, node: Node, mention: Mention, table: Table) -> bool:
        """Whether nothing else in the file speaks for a name that no scope binds."""
        if is_asked_for(node) or (is_unfinished(node) and not self._is_looked_into(node)):
            return False
        if mention.name.isupper() and self._is_written_somewhere is not None and self._is_written_somewhere(mention.name):
            return False  # a constant that a page or a build tool brings
        if mention.name.encode() not in self._sheet.words:
            return True
        others = [m for m in table.mentions if m.name == mention.name and not self._is_written(m)]
        if self._sheet.tree.root_node.has_error or not others:
            return False
        return all(javascript_scopes.resolve(m.scope, m.name, "vt") is not None for m in others)

    def _is_looked_into(self, node: Node) -> bool:
        """Whether a name is read whatever becomes of its statement: a dot follows it; or nobody has ever written it, and an
        operator stands beside it, or it is called in an expression.
        """
        data, name = self._source.data, self._source.of(node)
        before, after = data[max(0, node.start_byte - 20) : node.start_byte], data[node.end_byte : node.end_byte + 4]
        if after[:1] == b".":
            return True
        written = self._is_written_somewhere
        if written is None or names.is_member(name) or len(name) < _LEAST_SLIP or written(name):
            return False
        is_called = after[:1] == b"(" and _WITHIN.search(before) is not None
        return is_called or _OPERATOR.search(before) is not None or _OPERATED.match(after) is not None

    def _is_written(self, mention: Mention) -> bool:
        return mention.start < self._sheet.hole[1] and mention.end > self._sheet.hole[0]

    def _others(self, name: str) -> frozenset[str]:
        """Names that may be meant instead."""
        written = (word.decode("utf-8", "replace") for word in self._sheet.words)
        return (frozenset(written) | names.global_names()) - {name}

    # -- members

    def _member(self, node: Node) -> Iterator[Finding]:
        name, receiver = node.child_by_field_name("property"), node.child_by_field_name("object")
        if name is None or receiver is None or not self._sheet.covers(name) or name.type != "property_identifier":
            return
        if is_target(node) or is_guarded(node):
            return
        text = self._source.of(name)
        known = None
        if not node.has_error and not is_unfinished(node):
            known = self._members.of_this(receiver) if receiver.type == "this" else self._members.of_receiver(receiver)
            if known is None:
                known = self._slipped(text)
        if known is None and self._is_unwritten(name, receiver):
            known = self._unwritten.others()
        if known is not None and text not in known and not text.startswith("__"):
            kind = "self" if receiver.type == "this" else "attribute"
            where = self._source.of(receiver)[:80]
            ahead = kind == "self" and is_callee(node) and self._is_last()
            yield Finding(kind, text, name.start_byte, name.end_byte, where, known, ahead)

    def _is_last(self) -> bool:
        """Whether no function follows: who works from the top down has not written yet what is called here."""
        return _DEFINED.search(self._source.data, self._sheet.hole[1]) is None

    def _is_unwritten(self, name: Node, receiver: Node) -> bool:
        """Whether nobody has ever written a member: whatever becomes of the statement, unless it is about to be written."""
        text, written = self._source.of(name), self._is_written_somewhere
        if written is None or not self._unwritten.is_strange(text) or written(text):
            return False
        if _ASSIGNED.match(self._source.data, name.end_byte):
            return False
        return self._unwritten.is_ours(receiver, text)

    def _slipped(self, name: str) -> frozenset[str] | None:
        """Of a receiver that nobody knows: the name in the file that has two neighbouring letters the other way round, if the
        workspace writes such a name nowhere as it stands here.
        """
        written = self._is_written_somewhere
        if len(name) < _LEAST_SLIP or name.encode() in self._sheet.words or (written is not None and written(name)):
            return None
        turned = {name[:i] + name[i + 1] + name[i] + name[i + 2 :] for i in range(len(name) - 1) if name[i] != name[i + 1]}
        meant = {other for other in turned if other.encode() in self._sheet.words}
        return frozenset(meant) if len(meant) == 1 else None

    # -- imports

    def _imported(self, name: Node | None, module: Node | None) -> Iterator[Finding]:
        """A name that an import takes from a file or from one of Node's modules."""
        if name is None or module is None or not self._sheet.covers(name) or name.type != "identifier" or not self._sheet.path:
            return
        where, text = self._source.of(module).strip("'\"`"), self._source.of(name)
        target = self._files.resolve(where, self._sheet.path)
        known = self._files.words(target) if target else names.module(where)
        if known is not None and text not in known and text != "default":
            exported = self._files.exports(target) if target else known
            yield Finding("import", text, name.start_byte, name.end_byte, where, exported)

    def _required(self, node: Node) -> Iterator[Finding]:
        """``const { name } = require("...")``."""
        pattern = node.parent
        declared = pattern.parent if pattern is not None and pattern.type == "object_pattern" else None
        is_variable = declared is not None and declared.type == "variable_declarator"
        value = declared.child_by_field_name("value") if declared is not None and is_variable else None
        if value is None or value.type != "call_expression":
            return
        if self._source.of(value.child_by_field_name("function")) != "require" or value.has_error:
            return
        text, module = self._source.of(node), first_argument(value)
        where = self._source.of(module).strip("'\"`") if module is not None else ""
        target = self._files.resolve(where, self._sheet.path) if self._sheet.path else None
        known = self._files.words(target) if target else names.module(where)
        if known is not None and text not in known:
            exported = self._files.exports(target) if target else known
            yield Finding("import", text, node.start_byte, node.end_byte, where, exported)

    def _module(self, node: Node) -> Iterator[Finding]:
        """A file that an import names."""
        outer = node.parent
        is_source = outer is not None and outer.type in ("import_statement", "export_statement")
        written = self._source.of(node).strip("'\"`")
        if not is_source or not self._sheet.path or self._files.resolve(written, self._sheet.path) != "":
            return
        if not self._sheet.covers(node) or node.has_error or "?" in written:
            return
        folder = os.path.dirname(os.path.normpath(os.path.join(os.path.dirname(self._sheet.path), written)))
        last = written.rpartition("/")[2]
        stems = frozenset(name.partition(".")[0] for name in os.listdir(folder))
        end = node.end_byte - 1
        yield Finding("import", last, end - len(last.encode()), end, written, stems)
