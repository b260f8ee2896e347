"""JavaScript and TypeScript for the index: where names are defined, bound, called and imported.

``RULES`` is for JavaScript with JSX; ``TYPED_RULES`` for TypeScript and TSX, whose grammars have other node names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from assistant.workspace.grammar.rules import Callee, Header, Rules, first, wrapped
from assistant.workspace.source import Source
from assistant.workspace.symbols import Import, Parameter

if TYPE_CHECKING:
    from tree_sitter import Node

_COMMON_OUTLINE = """
[(function_declaration) (generator_function_declaration) (class_declaration) (method_definition)] @def
(variable_declarator value: [(arrow_function) (function_expression) (generator_function) (class)]) @def
(program [(lexical_declaration (variable_declarator) @def) (variable_declaration (variable_declarator) @def)])
(program (export_statement
  [(lexical_declaration (variable_declarator) @def) (variable_declaration (variable_declarator) @def)]))
(assignment_expression left: (member_expression) right: [(arrow_function) (function_expression) (class)]) @def
(pair value: [(arrow_function) (function_expression)]) @def
[(import_statement) (export_statement source: (_))] @import_statement
(variable_declarator value: (call_expression function: (identifier))) @import_statement
[(call_expression) (new_expression)] @call
(comment) @comment
"""

_COMMON_MENTIONS = """
[(identifier) (property_identifier) (private_property_identifier) (shorthand_property_identifier)
 (shorthand_property_identifier_pattern)] @name
(member_expression property: [(property_identifier) (private_property_identifier)] @attribute) @member
[(call_expression) (new_expression)] @call
(import_clause (identifier) @import)
(namespace_import (identifier) @import)
(import_specifier (identifier) @import)
(export_specifier (identifier) @import)
(variable_declarator name: (identifier) @write)
(assignment_expression left: [(identifier) @write (member_expression property: (_) @write)])
(augmented_assignment_expression left: [(identifier) @write (member_expression property: (_) @write)])
(update_expression [(identifier) @write (member_expression property: (_) @write)])
(for_in_statement left: (identifier) @write)
(shorthand_property_identifier_pattern) @write
(array_pattern (identifier) @write)
(rest_pattern (identifier) @write)
(pair_pattern value: (identifier) @write)
(assignment_pattern left: (identifier) @write)
(catch_clause parameter: (identifier) @write)
(arrow_function parameter: (identifier) @write)
(pair key: (property_identifier) @definition)
(method_definition name: (_) @definition)
"""

OUTLINE = (
    _COMMON_OUTLINE
    + """
(field_definition) @field
(assignment_expression left: (member_expression object: (this))) @field
"""
)

MENTIONS = (
    _COMMON_MENTIONS
    + """
(formal_parameters (identifier) @write)
"""
)

TYPED_OUTLINE = (
    _COMMON_OUTLINE
    + """
[(function_signature) (method_signature) (abstract_method_signature) (abstract_class_declaration) (interface_declaration)
 (type_alias_declaration) (enum_declaration) (internal_module) (module)] @def
(internal_module (statement_block (export_statement (lexical_declaration (variable_declarator) @def))))
(required_parameter (accessibility_modifier)) @field
[(public_field_definition) (property_signature)] @field
(enum_body name: (property_identifier) @field)
(enum_assignment) @field
(assignment_expression left: (member_expression object: (this))) @field
"""
)

TYPED_MENTIONS = (
    _COMMON_MENTIONS
    + """
[(type_identifier)] @name @type
(required_parameter pattern: (identifier) @write)
(optional_parameter pattern: (identifier) @write)
"""
)

_KINDS = {
    "class_declaration": "class",
    "abstract_class_declaration": "class",
    "class": "class",
    "interface_declaration": "interface",
    "type_alias_declaration": "type",
    "enum_declaration": "enum",
    "internal_module": "namespace",
    "module": "namespace",
}
_WRAPPERS = ("export_statement", "ambient_declaration")


def _parameter(node: Node, source: Source) -> Parameter:
    kind = node.type
    typed = kind in ("required_parameter", "optional_parameter")
    pattern = node.child_by_field_name("pattern") if typed else node
    optional = kind == "optional_parameter" or (typed and node.child_by_field_name("value") is not None)
    if pattern is not None and pattern.type == "assignment_pattern":
        optional, pattern = True, pattern.child_by_field_name("left")
    annotation = source.of(node.child_by_field_name("type")).lstrip(": ") if typed else ""
    if pattern is not None and pattern.type == "rest_pattern":
        return Parameter(source.of(pattern).lstrip(". "), "star", False, annotation)
    plain = pattern is not None and pattern.type == "identifier"
    return Parameter(source.of(pattern) if plain else "", "positional_only", optional, annotation)


def _parameters(function: Node, source: Source) -> tuple[Parameter, ...]:
    single = function.child_by_field_name("parameter")
    if single is not None:
        return (Parameter(source.of(single), "positional_only"),)
    listed = function.child_by_field_name("parameters")
    children = listed.named_children if listed is not None else ()
    named = [child for child in children if child.type not in ("comment", "ERROR")]
    return tuple(p for p in (_parameter(child, source) for child in named) if p.name != "this")


def _outer(node: Node) -> Node:
    """With ``const``, ``export`` and ``declare``, when the declaration holds nothing else."""
    parent = node.parent
    if node.type == "variable_declarator" and parent is not None and parent.named_child_count == 1:
        node = parent
    return wrapped(node, *_WRAPPERS)


def _definitions(node: Node, source: Source) -> Iterable[Header]:
    header = _header(node, source)
    return [header] if header is not None and header.name.type not in ("string", "computed_property_name", "number") else []


def _header(node: Node, source: Source) -> Header | None:
    name = node.child_by_field_name("name") or node.child_by_field_name("key")
    prefix = ""
    if node.type == "assignment_expression":
        name, prefix = _member(node.child_by_field_name("left"), source)
    if name is None or name.type in ("object_pattern", "array_pattern"):
        return None
    value = node.child_by_field_name("value") or node.child_by_field_name("right")
    function = value if value is not None and node.type not in _KINDS else node
    if function.type in ("arrow_function", "function_expression", "generator_function"):
        return _callable(node, name, function, source, prefix)
    if function is node and node.type not in _KINDS and node.type != "variable_declarator":
        return _callable(node, name, node, source, prefix)
    kind = _KINDS.get(function.type, "variable")
    body = function.child_by_field_name("body") if kind != "variable" else None
    annotation = source.of(node.child_by_field_name("type")).lstrip(": ")
    bases = tuple(_bases(function, source)) if kind in ("class", "interface") else ()
    decorators = tuple(source.of(d)[1:] for d in node.children_by_field_name("decorator"))
    return Header(name, kind, _outer(node), node, body, returns=annotation, bases=bases, decorators=decorators, prefix=prefix)


def _callable(node: Node, name: Node, function: Node, source: Source, prefix: str) -> Header:
    returns = source.of(function.child_by_field_name("return_type")).lstrip(": ")
    method = node.type in ("method_definition", "method_signature", "abstract_method_signature", "pair")
    return Header(
        name,
        "method" if method else "function",
        _outer(node),
        node,
        function.child_by_field_name("body"),
        _parameters(function, source),
        returns,
        prefix=prefix,
        is_async=any(child.type == "async" for child in function.children[:6]),
    )


def _member(left: Node | None, source: Source) -> tuple[Node | None, str]:
    """The name of ``Foo.prototype.bar = function``, and ``Foo``."""
    if left is None or left.type != "member_expression":
        return None, ""
    written = source.of(left.child_by_field_name("object"))
    parts = [p for p in written.split(".") if p not in ("prototype", "module", "exports", "this", "window", "self")]
    prefix = ".".join(parts)
    return left.child_by_field_name("property"), prefix if prefix.replace(".", "").isidentifier() and len(prefix) < 100 else ""


def _bases(node: Node, source: Source) -> Iterator[str]:
    for clause in node.named_children:
        if clause.type == "class_heritage":
            inner = [c for c in clause.named_children if c.type in ("extends_clause", "implements_clause")]
            for part in inner or [clause]:
                yield from (source.of(c) for c in part.named_children if c.type != "type_arguments")
        elif clause.type == "extends_type_clause":
            yield from (source.of(c) for c in clause.named_children)


def _string(node: Node | None, source: Source) -> str:
    return source.of(node).strip("'\"`")


def _imports(node: Node, source: Source) -> Iterator[Import]:
    if node.type == "variable_declarator":
        yield from _required(node, source)
        return
    module = _string(node.child_by_field_name("source") or first(node, "string"), source)
    clause = first(node, "import_clause")
    if clause is None:
        exported = first(node, "export_clause")
        names = [source.of(c.child_by_field_name("name")) for c in exported.named_children] if exported is not None else [""]
        yield from (Import(module, name) for name in names)
        return
    for part in clause.named_children:
        if part.type == "identifier":
            yield Import(module, "default", source.of(part), 0, source.of(part))
        elif part.type == "namespace_import":
            alias = source.of(first(part, "identifier"))
            yield Import(module, "*", alias, 0, alias)
        elif part.type == "named_imports":
            yield from (_specifier(c, module, source) for c in part.named_children if c.type == "import_specifier")


def _specifier(node: Node, module: str, source: Source) -> Import:
    name, alias = source.of(node.child_by_field_name("name")), source.of(node.child_by_field_name("alias"))
    return Import(module, name, alias, 0, alias or name)


def _required(node: Node, source: Source) -> Iterator[Import]:
    name, call = node.child_by_field_name("name"), node.child_by_field_name("value")
    listed = call.child_by_field_name("arguments") if call is not None else None
    argument = first(listed, "string") if listed is not None else None
    if name is None or call is None or argument is None or source.of(call.child_by_field_name("function")) != "require":
        return
    module = _string(argument, source)
    if name.type == "identifier":
        yield Import(module, "*", source.of(name), 0, source.of(name))
    for part in name.named_children if name.type == "object_pattern" else ():
        if part.type == "shorthand_property_identifier_pattern":
            yield Import(module, source.of(part), "", 0, source.of(part))
        elif part.type == "pair_pattern":
            key, value = source.of(part.child_by_field_name("key")), source.of(part.child_by_field_name("value"))
            yield Import(module, key, value, 0, value)


def _fields(node: Node, source: Source) -> Iterator[tuple[Node, str]]:
    annotation = source.of(node.child_by_field_name("type")).lstrip(": ")
    if node.type == "property_identifier":
        yield node, ""
        return
    if node.type == "assignment_expression":
        left = node.child_by_field_name("left")
        name = left.child_by_field_name("property") if left is not None else None
    else:
        name = next((n for f in ("name", "property", "pattern") if (n := node.child_by_field_name(f)) is not None), None)
    if name is not None and name.type in ("property_identifier", "private_property_identifier", "identifier"):
        yield name, annotation


def _callee(node: Node) -> Callee | None:
    function = node.child_by_field_name("function") or node.child_by_field_name("constructor")
    if function is None or function.type in ("super", "import"):
        return None
    return Callee(function.start_byte, function.end_byte, node.child_by_field_name("arguments"))


_ARGUMENTS = {"spread_element": "star", "comment": "skip", "ERROR": "star"}
_BODIES = frozenset(("class_body", "interface_body", "statement_block"))
RULES = Rules(OUTLINE, MENTIONS, _definitions, _imports, _fields, _callee, _ARGUMENTS, _BODIES)
TYPED_RULES = Rules(TYPED_OUTLINE, TYPED_MENTIONS, _definitions, _imports, _fields, _callee, _ARGUMENTS, _BODIES)
