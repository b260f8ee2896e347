"""Rust for the index: where names are defined, bound, called and imported."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from assistant.workspace.grammar.rules import Callee, Header, Rules
from assistant.workspace.source import Source
from assistant.workspace.symbols import Import, Parameter

if TYPE_CHECKING:
    from tree_sitter import Node

OUTLINE = """
[(function_item) (function_signature_item) (struct_item) (union_item) (enum_item) (trait_item) (impl_item) (mod_item)
 (type_item) (const_item) (static_item) (macro_definition)] @def
(use_declaration) @import_statement
[(field_declaration) (enum_variant)] @field
[(call_expression) (macro_invocation)] @call
[(line_comment) (block_comment)] @comment
"""

MENTIONS = """
[(identifier) (field_identifier) (shorthand_field_identifier)] @name
(type_identifier) @name @type
(field_expression field: (field_identifier) @attribute) @member
(scoped_identifier name: (identifier) @attribute) @member
(scoped_type_identifier) @member
[(call_expression) (macro_invocation)] @call
(use_declaration [(identifier) @import (scoped_identifier name: (_) @import)])
(use_list [(identifier) @import (scoped_identifier name: (_) @import)])
(use_as_clause alias: (_) @import)
(field_declaration name: (_) @definition)
(enum_variant name: (_) @definition)
(field_initializer field: (_) @keyword)
(let_declaration pattern: (identifier) @write)
(parameter pattern: (identifier) @write)
(closure_parameters (identifier) @write)
(mut_pattern (identifier) @write)
(tuple_pattern (identifier) @write)
(for_expression pattern: (identifier) @write)
(assignment_expression left: [(identifier) @write (field_expression field: (_) @write)])
(compound_assignment_expr left: [(identifier) @write (field_expression field: (_) @write)])
"""

_KINDS = {
    "function_item": "function",
    "function_signature_item": "function",
    "struct_item": "struct",
    "union_item": "struct",
    "enum_item": "enum",
    "trait_item": "interface",
    "impl_item": "impl",
    "mod_item": "namespace",
    "type_item": "type",
    "const_item": "variable",
    "static_item": "variable",
    "macro_definition": "macro",
}
_MAX_USES = 2_000  # names of one `use` that are read
_MAX_ATTRIBUTES = 20


def _parameters(node: Node | None, source: Source) -> tuple[Parameter, ...]:
    found: list[Parameter] = []
    for child in node.named_children if node is not None else ():
        if child.type == "self_parameter":
            found.append(Parameter("self", "positional_only", False, source.of(child)))
        elif child.type == "parameter":
            pattern = child.child_by_field_name("pattern")
            name = source.of(pattern) if pattern is not None and pattern.type == "identifier" else ""
            found.append(Parameter(name, "positional_only", False, source.of(child.child_by_field_name("type"))))
        elif child.type == "variadic_parameter":
            found.append(Parameter("", "star"))
    return tuple(found)


def _bare_type(node: Node | None) -> Node | None:
    """``S`` of ``&S<T>`` and ``a::S``."""
    while node is not None and node.type not in ("type_identifier", "primitive_type"):
        node = node.child_by_field_name("type") or node.child_by_field_name("name")
    return node


def _definitions(node: Node, source: Source) -> Iterable[Header]:
    kind = _KINDS[node.type]
    name = _bare_type(node.child_by_field_name("type")) if kind == "impl" else node.child_by_field_name("name")
    if name is None or name.type == "metavariable":
        return []
    trait, bounds = node.child_by_field_name("trait"), node.child_by_field_name("bounds")
    bases = [trait] if trait is not None else bounds.named_children if bounds is not None else []
    modifiers = next((child for child in node.children[:3] if child.type == "function_modifiers"), None)
    attributes = _attributes(node)
    returns = node.child_by_field_name("return_type") or (node.child_by_field_name("type") if kind == "variable" else None)
    return [
        Header(
            name,
            kind,
            node,
            node,
            node.child_by_field_name("body"),
            _parameters(node.child_by_field_name("parameters"), source),
            source.of(returns),
            tuple(source.of(base) for base in bases),
            tuple(source.of(a).lstrip("#[ ").rstrip("] ") for a in reversed(attributes)),
            is_async=modifiers is not None and "async" in source.of(modifiers),
            first=attributes[-1] if attributes else None,
        )
    ]


def _attributes(node: Node) -> list[Node]:
    """The ``#[...]`` before an item, the nearest first."""
    found: list[Node] = []
    before = node.prev_named_sibling
    while before is not None and before.type == "attribute_item" and len(found) < _MAX_ATTRIBUTES:
        found.append(before)
        before = before.prev_named_sibling
    return found


def _imports(node: Node, source: Source) -> Iterator[Import]:
    pending = [("", argument)] if (argument := node.child_by_field_name("argument")) is not None else []
    for _ in range(_MAX_USES):
        if not pending:
            return
        path, use = pending.pop()
        if use.type == "scoped_use_list":
            path = _join(path, source.of(use.child_by_field_name("path")))
            listed = use.child_by_field_name("list")
            pending.extend((path, c) for c in reversed(listed.named_children if listed is not None else ()))
        elif use.type == "use_list":
            pending.extend((path, c) for c in reversed(use.named_children))
        elif use.type == "use_as_clause":
            alias = source.of(use.child_by_field_name("alias"))
            yield _use(path, source.of(use.child_by_field_name("path")), alias)
        elif use.type == "use_wildcard":
            yield Import(_join(path, source.of(use).removesuffix("*").rstrip(": ")), "*")
        elif use.type not in ("line_comment", "block_comment"):
            yield _use(path, source.of(use), "")


def _join(path: str, more: str) -> str:
    return f"{path}::{more}" if path and more else path or more


def _use(path: str, written: str, alias: str) -> Import:
    module, _, name = _join(path, written).rpartition("::")
    if name == "self":
        name = module.rpartition("::")[2]
        module = module.rpartition("::")[0]
    bound = "" if alias == "_" else alias or name
    return Import(module, name, alias, 0, bound)


def _fields(node: Node, source: Source) -> Iterator[tuple[Node, str]]:
    name = node.child_by_field_name("name")
    if name is not None:
        yield name, source.of(node.child_by_field_name("type"))


def _callee(node: Node) -> Callee | None:
    if node.type == "macro_invocation":
        macro, tokens = node.child_by_field_name("macro"), node.named_children[-1]
        return Callee(macro.start_byte, macro.end_byte, tokens) if macro is not None else None
    function = node.child_by_field_name("function")
    if function is not None and function.type == "generic_function":
        function = function.child_by_field_name("function")
    if function is None:
        return None
    return Callee(function.start_byte, function.end_byte, node.child_by_field_name("arguments"))


_SKIPPED = {"line_comment": "skip", "block_comment": "skip", "attribute_item": "skip", "ERROR": "star"}
RULES = Rules(OUTLINE, MENTIONS, _definitions, _imports, _fields, _callee, _SKIPPED, frozenset(("declaration_list", "block")))
