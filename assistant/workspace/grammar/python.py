"""Python for the index: where names are defined, bound, called and imported."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from assistant.workspace.grammar.rules import Header, Rules, wrapped
from assistant.workspace.source import Source
from assistant.workspace.symbols import Import, Parameter

if TYPE_CHECKING:
    from tree_sitter import Node

OUTLINE = """
[(function_definition) (class_definition) (type_alias_statement)] @def
(module (expression_statement (assignment) @def))
(module (if_statement (block (expression_statement (assignment) @def))))
(module (if_statement (else_clause (block (expression_statement (assignment) @def)))))
(module (try_statement (block (expression_statement (assignment) @def))))
(module (try_statement (except_clause (block (expression_statement (assignment) @def)))))
(class_definition body: (block (expression_statement (assignment) @field)))
(assignment left: (attribute object: (identifier))) @field
(pattern_list (attribute object: (identifier)) @field)
(call function: [(identifier) (attribute)] @callee)
[(import_statement) (import_from_statement) (future_import_statement)] @import_statement
(comment) @comment
"""

MENTIONS = """
(identifier) @name
(attribute attribute: (identifier) @attribute) @member
(call) @call
(keyword_argument name: (identifier) @keyword)
(import_statement (dotted_name (identifier) @import))
(import_from_statement (dotted_name (identifier) @import))
(relative_import (dotted_name (identifier) @import))
(aliased_import [(identifier) @import (dotted_name (identifier) @import)])
(assignment left: [(identifier) @write (attribute attribute: (identifier) @write)])
(augmented_assignment left: [(identifier) @write (attribute attribute: (identifier) @write)])
(pattern_list [(identifier) @write (attribute attribute: (identifier) @write)])
(tuple_pattern [(identifier) @write (attribute attribute: (identifier) @write)])
(list_pattern [(identifier) @write (attribute attribute: (identifier) @write)])
(list_splat_pattern [(identifier) @write (attribute attribute: (identifier) @write)])
(dictionary_splat_pattern (identifier) @write)
(named_expression name: (identifier) @write)
(for_statement left: [(identifier) @write (attribute attribute: (identifier) @write)])
(for_in_clause left: (identifier) @write)
(as_pattern_target [(identifier) @write (attribute attribute: (identifier) @write)])
(case_pattern (dotted_name . (identifier) @write .))
(case_pattern (as_pattern (identifier) @write))
(splat_pattern (identifier) @write)
(delete_statement [(identifier) @write (attribute attribute: (identifier) @write)])
(delete_statement (expression_list [(identifier) @write (attribute attribute: (identifier) @write)]))
[(global_statement (identifier) @write) (nonlocal_statement (identifier) @write)]
(parameters (identifier) @write)
(lambda_parameters (identifier) @write)
(typed_parameter (identifier) @write)
(default_parameter name: (identifier) @write)
(typed_default_parameter name: (identifier) @write)
"""

_PARAMETERS = {"list_splat_pattern": "star", "dictionary_splat_pattern": "star_star"}


def _parameter(node: Node, source: Source) -> Parameter:
    annotation = source.of(node.child_by_field_name("type"))
    if node.type in ("default_parameter", "typed_default_parameter"):
        return Parameter(source.of(node.child_by_field_name("name")), "positional", True, annotation)
    inner = node.named_child(0) if node.type == "typed_parameter" else node
    kind = _PARAMETERS.get(inner.type, "positional")
    name = source.of(inner).lstrip("* \t\n")
    return Parameter(name, kind, False, annotation)


def parameters(node: Node | None, source: Source) -> tuple[Parameter, ...]:
    """The parameters of a ``parameters`` or ``lambda_parameters`` node."""
    found: list[Parameter] = []
    keyword_only = False
    for child in node.named_children if node is not None else ():
        kind = child.type
        if kind == "positional_separator":
            found = [p._replace(kind="positional_only") for p in found]
        elif kind == "keyword_separator":
            keyword_only = True
        elif kind not in ("comment", "ERROR", "tuple_pattern"):
            parameter = _parameter(child, source)
            if keyword_only and parameter.kind == "positional":
                parameter = parameter._replace(kind="keyword_only")
            keyword_only = keyword_only or parameter.kind == "star"
            found.append(parameter)
    return tuple(found)


def docstring(body: Node | None) -> Node | None:
    """The string that is the first statement of a body."""
    if body is None or body.named_child_count == 0:
        return None
    statement = next((child for child in body.named_children if child.type != "comment"), None)
    if statement is None or statement.type != "expression_statement" or statement.named_child_count != 1:
        return None
    only = statement.named_child(0)
    return only if only.type == "string" else None


def _names(left: Node) -> Iterator[Node]:
    pending = [left]
    while pending:
        node = pending.pop()
        if node.type == "identifier":
            yield node
        elif node.type in ("pattern_list", "tuple_pattern", "list_pattern", "list_splat_pattern"):
            pending.extend(reversed(node.named_children))


def _definitions(node: Node, source: Source) -> Iterable[Header]:
    if node.type == "assignment":
        left = node.child_by_field_name("left")
        annotation = source.of(node.child_by_field_name("type"))
        return [Header(name, "variable", node, node, returns=annotation) for name in (_names(left) if left else ())]
    if node.type == "type_alias_statement":
        left = node.named_child(0)
        name = left.descendant_for_byte_range(left.start_byte, left.start_byte)
        return [Header(name, "type", node, node)] if name is not None and name.type == "identifier" else []
    header = _block(node, source)
    return [header] if header else []


def _block(node: Node, source: Source) -> Header | None:
    name, body = node.child_by_field_name("name"), node.child_by_field_name("body")
    if name is None:
        return None
    outer = wrapped(node, "decorated_definition")
    decorators = [source.of(c)[1:].strip() for c in outer.named_children if c.type == "decorator"] if outer != node else []
    bases = node.child_by_field_name("superclasses")
    return Header(
        name,
        "class" if node.type == "class_definition" else "function",
        outer,
        node,
        body,
        parameters(node.child_by_field_name("parameters"), source),
        source.of(node.child_by_field_name("return_type")),
        tuple(source.of(base) for base in bases.named_children if base.type != "comment") if bases else (),
        tuple(decorators),
        docstring=docstring(body),
        is_async=node.child(0).type == "async",
    )


def _imports(node: Node, source: Source) -> Iterator[Import]:
    names = node.children_by_field_name("name")
    if node.type == "import_statement":
        for name in names:
            module, alias = _aliased(name, source)
            yield Import(module, "", alias, 0, alias or module.split(".")[0])
        return
    origin = node.child_by_field_name("module_name")
    written = source.of(origin) if origin is not None else "__future__"
    module = written.lstrip(". \t\n")
    level = written[: len(written) - len(module)].count(".")
    for name in names:
        bare, alias = _aliased(name, source)
        yield Import(module, bare, alias, level, alias or bare)
    if any(child.type == "wildcard_import" for child in node.named_children):
        yield Import(module, "*", "", level)


def _aliased(node: Node, source: Source) -> tuple[str, str]:
    if node.type != "aliased_import":
        return "".join(source.of(node).split()), ""
    return "".join(source.of(node.child_by_field_name("name")).split()), source.of(node.child_by_field_name("alias"))


def _fields(node: Node, source: Source) -> Iterator[tuple[Node, str]]:
    left = node if node.type == "attribute" else node.child_by_field_name("left")
    if left is not None and left.type == "attribute":
        if source.of(left.child_by_field_name("object")) != "self":  # a predicate of the query costs as much as all of it
            return
        name = left.child_by_field_name("attribute")
        names = [name] if name is not None else []
    else:
        names = list(_names(left)) if left is not None else []
    annotation = source.of(node.child_by_field_name("type"))
    for name in names:
        yield name, annotation


RULES = Rules(
    OUTLINE,
    MENTIONS,
    _definitions,
    _imports,
    _fields,
    arguments={
        "keyword_argument": "keyword",
        "list_splat": "star",
        "dictionary_splat": "star_star",
        "parenthesized_expression": "",
        "comment": "skip",
        "ERROR": "star",
    },
    bodies=frozenset(("block",)),
)
