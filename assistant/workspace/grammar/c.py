"""C and C++ for the index: where names are defined, bound, called and included. Macros are not expanded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from assistant.workspace.grammar.rules import Callee, Header, Rules, innermost, wrapped
from assistant.workspace.source import Source
from assistant.workspace.symbols import Import, Parameter

if TYPE_CHECKING:
    from tree_sitter import Node

OUTLINE = """
(function_definition) @def
(declaration declarator: [(function_declarator) (pointer_declarator declarator: (function_declarator))]) @def
(translation_unit (declaration) @def)
[(struct_specifier name: (_) body: (_)) (union_specifier name: (_) body: (_)) (enum_specifier name: (_) body: (_))] @def
[(type_definition) (preproc_def) (preproc_function_def)] @def
(preproc_include) @import_statement
[(field_declaration) (enumerator)] @field
(call_expression) @call
(comment) @comment
"""

MENTIONS = """
[(identifier) (field_identifier)] @name
(type_identifier) @name @type
(field_expression field: (field_identifier) @attribute) @member
(call_expression) @call
(enumerator name: (_) @definition)
(parameter_declaration declarator: [(identifier) @write (pointer_declarator (identifier) @write)])
(init_declarator declarator: [(identifier) @write (pointer_declarator (identifier) @write)])
(declaration declarator: [(identifier) @write (pointer_declarator (identifier) @write)])
(assignment_expression left: [(identifier) @write (field_expression field: (_) @write)])
(update_expression argument: [(identifier) @write (field_expression field: (_) @write)])
"""

CPP_OUTLINE = (
    OUTLINE
    + """
[(class_specifier name: (_) body: (_)) (namespace_definition name: (_)) (alias_declaration) (concept_definition)] @def
(field_declaration declarator: [(function_declarator) (pointer_declarator declarator: (function_declarator))
  (reference_declarator (function_declarator))]) @def
(namespace_definition body: (declaration_list (declaration) @def))
(new_expression) @call
"""
)

CPP_MENTIONS = (
    MENTIONS
    + """
(namespace_identifier) @name
(qualified_identifier name: (identifier) @attribute) @member
(qualified_identifier) @member
(new_expression) @call
(for_range_loop declarator: (identifier) @write)
(reference_declarator (identifier) @write)
(optional_parameter_declaration declarator: (identifier) @write)
"""
)

_KINDS = {
    "struct_specifier": "struct",
    "union_specifier": "struct",
    "class_specifier": "class",
    "enum_specifier": "enum",
    "type_definition": "type",
    "alias_declaration": "type",
    "concept_definition": "type",
    "preproc_def": "macro",
    "preproc_function_def": "macro",
    "namespace_definition": "namespace",
}
_MAX_DEPTH = 50  # of pointers to functions that return pointers


def _function(node: Node | None) -> Node | None:
    """The function declarator inside a declarator, if the name declares a function and not a pointer to one."""
    for _ in range(_MAX_DEPTH):
        if node is None or node.type == "function_declarator":
            break
        if node.type == "reference_declarator" and node.named_child_count:
            node = node.named_child(0)
        else:
            node = node.child_by_field_name("declarator")
    inner = node.child_by_field_name("declarator") if node is not None else None
    return None if inner is None or inner.type == "parenthesized_declarator" else node


def _parameters(node: Node | None, source: Source) -> tuple[Parameter, ...]:
    found: list[Parameter] = []
    for child in node.children if node is not None else ():
        if child.type in ("parameter_declaration", "optional_parameter_declaration"):
            declarator = child.child_by_field_name("declarator")
            name = _name(declarator)
            annotation = source.of(child.child_by_field_name("type"))
            if declarator is None and annotation == "void" and node is not None and node.named_child_count == 1:
                continue
            optional = child.type == "optional_parameter_declaration"
            found.append(Parameter(source.of(name), "positional_only", optional, annotation))
        elif child.type in ("variadic_parameter", "...", "variadic_parameter_declaration"):
            found.append(Parameter("", "star"))
        elif child.type == "identifier":  # of a macro
            found.append(Parameter(source.of(child), "positional_only"))
    return tuple(found)


def _name(declarator: Node | None) -> Node | None:
    """The identifier that a declarator declares."""
    for _ in range(_MAX_DEPTH):
        if declarator is None or declarator.type.endswith(("identifier", "destructor_name", "operator_name")):
            return declarator if declarator is None or declarator.type != "qualified_identifier" else _last(declarator)
        inner = declarator.child_by_field_name("declarator") or declarator.child_by_field_name("name")
        if inner is None and declarator.type.endswith("declarator") and declarator.named_child_count:
            inner = declarator.named_child(declarator.named_child_count - 1)
        declarator = inner
    return None


def _last(qualified: Node) -> Node | None:
    name = innermost(qualified, "name")
    return name if name is not None and name.type.endswith(("identifier", "operator_name", "destructor_name")) else None


def _definitions(node: Node, source: Source) -> Iterable[Header]:
    if node.type in _KINDS:
        return _types(node, source)
    declarators = node.children_by_field_name("declarator")
    found: list[Header] = []
    for declarator in declarators:
        function = _function(declarator)
        if function is not None:
            found.extend(_callable(node, function, source))
        elif node.type == "declaration":
            found.extend(_variable(node, declarator, source))
    return found


def _callable(node: Node, function: Node, source: Source) -> Iterator[Header]:
    written = function.child_by_field_name("declarator")
    name = _last(written) if written is not None and written.type == "qualified_identifier" else _name(written) or written
    if name is None or name.type in ("structured_binding_declarator",):
        return
    prefix = ""
    if written is not None and written.type == "qualified_identifier":
        scope = source.slice(written.start_byte, name.start_byte).rstrip(":~ ").replace("::", ".")
        prefix = scope.split("<")[0]
    body, parameters = node.child_by_field_name("body"), function.child_by_field_name("parameters")
    returns = source.of(node.child_by_field_name("type"))
    kind = "method" if node.type == "field_declaration" else "function"
    outer = wrapped(node, "template_declaration")
    yield Header(name, kind, outer, node, body, _parameters(parameters, source), returns, prefix=prefix)


def _variable(node: Node, declarator: Node, source: Source) -> Iterator[Header]:
    parent = node.parent
    if parent is None or parent.type not in ("translation_unit", "declaration_list"):
        return
    name = _name(declarator)
    if name is not None and name.type == "identifier":
        yield Header(name, "variable", declarator, node, returns=source.of(node.child_by_field_name("type")))


def _types(node: Node, source: Source) -> Iterator[Header]:
    kind = _KINDS[node.type]
    body = node.child_by_field_name("body") or node.child_by_field_name("value" if kind == "macro" else "body")
    if node.type == "type_definition":
        names = [_name(declarator) for declarator in node.children_by_field_name("declarator")]
        inner = node.child_by_field_name("type")
        if inner is not None and inner.child_by_field_name("body") is not None and inner.child_by_field_name("name") is None:
            kind, body = _KINDS.get(inner.type, "type"), inner.child_by_field_name("body")
    else:
        names = [node.child_by_field_name("name")]
    bases = next((child for child in node.named_children if child.type == "base_class_clause"), None)
    listed = tuple(source.of(b) for b in bases.named_children if b.type != "access_specifier") if bases is not None else ()
    parameters = _parameters(node.child_by_field_name("parameters"), source) if kind == "macro" else ()
    for name in names:
        if name is not None:
            yield Header(name, kind, wrapped(node, "template_declaration"), node, body, parameters, bases=listed)


def _imports(node: Node, source: Source) -> Iterator[Import]:
    path = source.of(node.child_by_field_name("path"))
    if path:
        yield Import(path.strip('<>"'), level=int(path.startswith('"')))


def _fields(node: Node, source: Source) -> Iterator[tuple[Node, str]]:
    if node.type == "enumerator":
        name = node.child_by_field_name("name")
        if name is not None:
            yield name, ""
        return
    annotation = source.of(node.child_by_field_name("type"))
    for declarator in node.children_by_field_name("declarator"):
        name = _name(declarator)
        if name is not None and _function(declarator) is None:
            yield name, annotation


def _callee(node: Node) -> Callee | None:
    function = node.child_by_field_name("function") or node.child_by_field_name("type")
    if function is None:
        return None
    end, start = function.end_byte, function.start_byte
    for _ in range(_MAX_DEPTH):  # a call of a template ends with its arguments, not with its name
        inner = function.child_by_field_name("name") or function.child_by_field_name("field")
        if inner is None:
            break
        function, end = inner, inner.end_byte
    return Callee(start, end, node.child_by_field_name("arguments"))


_SKIPPED = {"comment": "skip", "ERROR": "star"}
RULES = Rules(
    OUTLINE,
    MENTIONS,
    _definitions,
    _imports,
    _fields,
    _callee,
    _SKIPPED,
    frozenset(("preproc_ifdef", "preproc_if", "declaration_list", "field_declaration_list", "compound_statement")),
)
