"""Java for the index: where names are defined, bound, called and imported."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from assistant.workspace.grammar.rules import Callee, Header, Rules, first
from assistant.workspace.source import Source
from assistant.workspace.symbols import Import, Parameter

if TYPE_CHECKING:
    from tree_sitter import Node

OUTLINE = """
[(class_declaration) (interface_declaration) (enum_declaration) (record_declaration) (annotation_type_declaration)
 (method_declaration) (constructor_declaration) (compact_constructor_declaration)] @def
(import_declaration) @import_statement
[(field_declaration) (constant_declaration) (enum_constant)] @field
(record_declaration parameters: (formal_parameters (formal_parameter) @field))
[(method_invocation) (object_creation_expression)] @call
[(line_comment) (block_comment)] @comment
"""

MENTIONS = """
(identifier) @name
(type_identifier) @name @type
(field_access field: (identifier) @attribute) @member
(scoped_type_identifier) @member
[(method_invocation) (object_creation_expression)] @call
(import_declaration [(identifier) @import (scoped_identifier name: (_) @import)])
(enum_constant name: (_) @definition)
(formal_parameter name: (identifier) @write)
(spread_parameter (variable_declarator name: (identifier) @write))
(catch_formal_parameter name: (identifier) @write)
(inferred_parameters (identifier) @write)
(lambda_expression parameters: (identifier) @write)
(local_variable_declaration (variable_declarator name: (identifier) @write))
(enhanced_for_statement name: (identifier) @write)
(resource name: (identifier) @write)
(assignment_expression left: [(identifier) @write (field_access field: (_) @write)])
(update_expression (identifier) @write)
"""

_KINDS = {
    "class_declaration": "class",
    "record_declaration": "class",
    "interface_declaration": "interface",
    "annotation_type_declaration": "interface",
    "enum_declaration": "enum",
}


def _parameters(node: Node | None, source: Source) -> tuple[Parameter, ...]:
    found: list[Parameter] = []
    for child in node.named_children if node is not None else ():
        if child.type == "formal_parameter":
            annotation = source.of(child.child_by_field_name("type"))
            found.append(Parameter(source.of(child.child_by_field_name("name")), "positional_only", False, annotation))
        elif child.type == "spread_parameter":
            declarator = first(child, "variable_declarator")
            found.append(Parameter(source.of(declarator), "star", False, ""))
    return tuple(found)


def _bases(node: Node, source: Source) -> Iterator[str]:
    for child in node.named_children:
        if child.type == "superclass":
            yield from (source.of(c) for c in child.named_children)
        elif child.type in ("super_interfaces", "extends_interfaces"):
            listed = first(child, "type_list")
            yield from (source.of(c) for c in (listed.named_children if listed is not None else ()))


def _definitions(node: Node, source: Source) -> Iterable[Header]:
    name = node.child_by_field_name("name")
    if name is None:
        return []
    kind = _KINDS.get(node.type, "method")
    modifiers = first(node, "modifiers")
    marks = modifiers.named_children if modifiers is not None else ()
    return [
        Header(
            name,
            kind,
            node,
            node,
            node.child_by_field_name("body"),
            _parameters(node.child_by_field_name("parameters"), source),
            source.of(node.child_by_field_name("type")),
            tuple(_bases(node, source)),
            tuple(source.of(mark)[1:] for mark in marks if mark.type.endswith("annotation")),
        )
    ]


def _imports(node: Node, source: Source) -> Iterator[Import]:
    named = [child for child in node.named_children if child.type in ("identifier", "scoped_identifier")]
    path = "".join(source.of(named[0]).split()) if named else ""
    if any(child.type == "asterisk" for child in node.named_children):
        yield Import(path, "*")
    elif path:
        module, _, name = path.rpartition(".")
        yield Import(module, name, "", 0, name)


def _fields(node: Node, source: Source) -> Iterator[tuple[Node, str]]:
    annotation = source.of(node.child_by_field_name("type"))
    holders = node.children_by_field_name("declarator") or [node]
    for holder in holders:
        name = holder.child_by_field_name("name")
        if name is not None:
            yield name, annotation


def _callee(node: Node) -> Callee | None:
    arguments = node.child_by_field_name("arguments")
    if node.type == "object_creation_expression":
        made = node.child_by_field_name("type")
        if made is not None and made.type == "generic_type":
            made = made.named_child(0)
        return Callee(made.start_byte, made.end_byte, arguments) if made is not None else None
    name, of = node.child_by_field_name("name"), node.child_by_field_name("object")
    if name is None:
        return None
    return Callee(of.start_byte if of is not None else name.start_byte, name.end_byte, arguments)


_SKIPPED = {"line_comment": "skip", "block_comment": "skip", "ERROR": "star"}
RULES = Rules(
    OUTLINE,
    MENTIONS,
    _definitions,
    _imports,
    _fields,
    _callee,
    _SKIPPED,
    frozenset(("class_body", "interface_body", "enum_body", "block")),
)
