"""Go for the index: where names are defined, bound, called and imported."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from assistant.workspace.grammar.rules import Header, Rules
from assistant.workspace.source import Source
from assistant.workspace.symbols import Import, Parameter

if TYPE_CHECKING:
    from tree_sitter import Node

OUTLINE = """
[(function_declaration) (method_declaration) (method_elem) (type_spec) (type_alias)] @def
(source_file [(const_declaration (const_spec) @def) (var_declaration [(var_spec) @def (var_spec_list (var_spec) @def)])])
(import_spec) @import_statement
(field_declaration) @field
(call_expression) @call
(comment) @comment
"""

MENTIONS = """
[(identifier) (field_identifier)] @name
(type_identifier) @name @type
(selector_expression field: (field_identifier) @attribute) @member
(qualified_type name: (type_identifier)) @member
(call_expression) @call
(field_declaration name: (field_identifier) @definition)
(short_var_declaration left: (expression_list (identifier) @write))
(assignment_statement left: (expression_list [(identifier) @write (selector_expression field: (_) @write)]))
(range_clause left: (expression_list (identifier) @write))
[(var_spec name: (identifier) @write) (const_spec name: (identifier) @write)]
(parameter_declaration name: (identifier) @write)
(variadic_parameter_declaration name: (identifier) @write)
[(inc_statement (identifier) @write) (dec_statement (identifier) @write)]
(keyed_element . (literal_element (identifier) @keyword))
"""

_TYPES = {"struct_type": "struct", "interface_type": "interface"}


def _parameters(node: Node | None, source: Source) -> tuple[Parameter, ...]:
    found: list[Parameter] = []
    for child in node.named_children if node is not None else ():
        annotation = source.of(child.child_by_field_name("type"))
        kind = "star" if child.type == "variadic_parameter_declaration" else "positional_only"
        if child.type in ("parameter_declaration", "variadic_parameter_declaration"):
            names = [source.of(name) for name in child.children_by_field_name("name")] or [""]
            found.extend(Parameter(name, kind, False, annotation) for name in names)
    return tuple(found)


def _receiver(node: Node, source: Source) -> str:
    receiver = node.child_by_field_name("receiver")
    if receiver is None or receiver.named_child_count == 0:
        return ""
    written = source.of(receiver.named_child(0).child_by_field_name("type"))
    return written.lstrip("*( ").split("[")[0].rstrip(") ")


def _definitions(node: Node, source: Source) -> Iterable[Header]:
    if node.type in ("const_spec", "var_spec"):
        annotation = source.of(node.child_by_field_name("type"))
        names = [name for name in node.children_by_field_name("name") if name.type == "identifier"]
        return [Header(name, "variable", node, node, returns=annotation) for name in names]
    name = node.child_by_field_name("name")
    if name is None:
        return []
    parent = node.parent
    alone = parent is not None and parent.type == "type_declaration" and parent.named_child_count == 1
    outer = parent if alone and parent is not None else node
    if node.type in ("type_spec", "type_alias"):
        written = node.child_by_field_name("type")
        kind = _TYPES.get(written.type, "type") if written is not None else "type"
        return [Header(name, kind, outer, outer, _open_brace(written) if kind != "type" else None)]
    kind = "function" if node.type == "function_declaration" else "method"
    return [
        Header(
            name,
            kind,
            node,
            node,
            node.child_by_field_name("body"),
            _parameters(node.child_by_field_name("parameters"), source),
            source.of(node.child_by_field_name("result")),
            prefix=_receiver(node, source),
        )
    ]


def _open_brace(written: Node | None) -> Node | None:
    children = written.children if written is not None else []
    return next((c for c in children if c.type in ("{", "field_declaration_list")), None)


def _imports(node: Node, source: Source) -> Iterator[Import]:
    path = source.of(node.child_by_field_name("path")).strip('"`')
    alias = source.of(node.child_by_field_name("name"))
    if alias == ".":
        yield Import(path, "*")
    elif alias == "_":
        yield Import(path, "", alias)
    else:
        yield Import(path, "", alias, 0, alias or _package(path))


def _package(path: str) -> str:
    """The usual name of the package at a path: its last part, a version (``v2``) apart."""
    parts = [part for part in path.split("/") if not (part[:1] == "v" and part[1:].isdigit())]
    return parts[-1] if parts else ""


def _fields(node: Node, source: Source) -> Iterator[tuple[Node, str]]:
    written = node.child_by_field_name("type")
    names = node.children_by_field_name("name")
    if not names and written is not None:  # an embedded type is a field of its name
        yield written.named_children[-1] if written.type == "qualified_type" else written, source.of(written)
    for name in names:
        yield name, source.of(written)


RULES = Rules(
    OUTLINE,
    MENTIONS,
    _definitions,
    _imports,
    _fields,
    arguments={"variadic_argument": "star", "comment": "skip", "ERROR": "star"},
)
