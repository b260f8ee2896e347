"""The scopes of JavaScript and TypeScript: hoisting, blocks, closures, destructuring, and TypeScript's types.

One iterative walk. A type and a value of one name in one scope are one symbol, as in the TypeScript compiler; names are
looked up in the namespace their place asks for. What ``with``, ``eval``, namespaces that merge and enum members make
uncertain is marked so. Labels, property names and JSX's lower-case tags are no variables.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from assistant.workspace.grammar.javascript_patterns import Patterns
from assistant.workspace.grammar.scope_table import Scope, Table
from assistant.workspace.source import Source

if TYPE_CHECKING:
    from tree_sitter import Node, Tree

_STRICT = re.compile(r"^\s*(?:import|export)\b|^\s*[\"']use strict[\"']", re.MULTILINE)
_FUNCTIONS = (
    "function_declaration",
    "generator_function_declaration",
    "function_expression",
    "generator_function",
    "arrow_function",
    "method_definition",
    "function_signature",
    "method_signature",
    "abstract_method_signature",
    "call_signature",
    "construct_signature",
    "function_type",
    "constructor_type",
)
_CLASSES = ("class_declaration", "abstract_class_declaration", "class")
_DECLARED = ("function_declaration", "generator_function_declaration", "function_signature")
_HOISTS = ("function", "module", "static", "namespace")  # where ``var`` goes


def build(tree: Tree, source: Source, only: Sequence[int] | None = None, strict: bool = False) -> Table:
    """The scopes of a parsed file. ``strict``: functions in blocks are the block's own, as in every module. ``only`` as in
    `Walk`.
    """
    walk = _Walk(tree.root_node, source, strict or _STRICT.search(source.text) is not None, only)
    walk.run()
    return walk.table


def resolve(scope: Scope, name: str, space: str) -> tuple[Scope, str] | None:
    """The nearest scope that declares ``name`` in one of the namespaces of ``space``."""
    here: Scope | None = scope
    while here is not None:
        if ("v" in space and name in here.bound) or ("t" in space and name in here.types):
            return here, name
        here = here.parent
    return None


class _Walk(Patterns):
    def __init__(self, root: Node, source: Source, strict: bool, only: Sequence[int] | None) -> None:
        super().__init__(root, source, resolve, only)
        self._strict = strict
        self._bodies: list[Scope] = []
        self._enter = {
            "identifier": self._read,
            "type_identifier": self._read_type,
            "shorthand_property_identifier": self._shorthand,
            "variable_declaration": self._variables,
            "lexical_declaration": self._variables,
            "using_declaration": self._variables,
            "assignment_expression": self._assignment,
            "augmented_assignment_expression": self._assignment,
            "update_expression": self._assignment,
            "for_statement": self._block,
            "for_in_statement": self._for_in,
            "statement_block": self._block,
            "switch_body": self._block,
            "catch_clause": self._catch,
            "class_static_block": self._static,
            "import_statement": self._import,
            "import_alias": self._import_alias,
            "export_statement": self._export,
            "with_statement": self._uncertain,
            "call_expression": self._call,
            "enum_declaration": self._enum,
            "internal_module": self._namespace,
            "module": self._namespace,
            "interface_declaration": self._type,
            "type_alias_declaration": self._type,
            "index_signature": self._index_signature,
            "conditional_type": self._block,
            "infer_type": self._infer,
            "nested_type_identifier": self._nested_type,
            "nested_identifier": self._nested,
            "jsx_opening_element": self._tag,
            "jsx_closing_element": self._tag,
            "jsx_self_closing_element": self._tag,
            "jsx_namespace_name": self._ignore,
            **dict.fromkeys(_FUNCTIONS, self._function),
            **dict.fromkeys(_CLASSES, self._class),
        }

    def run(self) -> None:
        super().run()
        for body in self._bodies:  # `function f(a) { var a }` declares nothing new
            if body.parent is not None:
                body.bound -= body.parent.bound

    # -- scopes

    def _block(self, node: Node, scope: Scope) -> None:
        self.children(node, self.scope("block", node, scope))

    def _function(self, node: Node, scope: Scope) -> None:
        name = node.child_by_field_name("name")
        inner = self.scope("function", node, scope)
        if node.type in _DECLARED:
            self.bind(name, self._home_of_function(scope))
        elif name is not None and name.type == "identifier":  # a function expression's own name
            inner.parent = self.scope("function", node, scope)
            self.bind(name, inner.parent)
        else:
            self.push(name, scope)
        self._parameters(node, inner)
        body = node.child_by_field_name("body")
        if body is not None and body.type == "statement_block":
            block = self.scope("function", body, inner)
            self._bodies.append(block)
            self.children(body, block)
        else:
            self.push(body, inner)

    def _home_of_function(self, scope: Scope) -> Scope:
        """Where a function declaration's name goes: its block; in sloppy mode the function around, where it is seen too."""
        return scope if self._strict else self._hoisted(scope)

    def _hoisted(self, scope: Scope) -> Scope:
        while scope.kind not in _HOISTS and scope.parent is not None:
            scope = scope.parent
        return scope

    def _parameters(self, node: Node, inner: Scope) -> None:
        for field in ("type_parameters", "parameter", "parameters", "return_type", "type"):
            child = node.child_by_field_name(field)
            if child is None:
                continue
            if field == "type_parameters":
                self._type_parameters(child, inner)
            elif field == "parameter":
                self.targets(child, inner, inner)
            elif field == "parameters":
                for parameter in child.named_children:
                    self._parameter(parameter, inner)
            else:
                self.push(child, inner)

    def _parameter(self, node: Node, inner: Scope) -> None:
        if node.type not in ("required_parameter", "optional_parameter"):
            self.targets(node, inner, inner)
            return
        pattern = node.child_by_field_name("pattern")
        is_property = any(child.type in ("accessibility_modifier", "override_modifier", "readonly") for child in node.children)
        for child in node.named_children:
            if child != pattern:
                self.push(child, inner)
        if pattern is not None:
            self.targets(pattern, inner, inner, "unsure" if is_property else "write")

    def _type_parameters(self, node: Node, scope: Scope) -> None:
        for parameter in node.named_children:
            name = parameter.child_by_field_name("name")
            self.bind(name, scope, space="t")
            for child in parameter.named_children:
                if child != name:
                    self.push(child, scope)

    def _class(self, node: Node, scope: Scope) -> None:
        name = node.child_by_field_name("name")
        inner = self.scope("class", node, scope)
        self.bind(name, inner if node.type == "class" else scope, space="vt")
        for child in node.named_children:
            if child.type == "type_parameters":
                self._type_parameters(child, inner)
            elif child.type == "decorator":
                self.push(child, scope)
            elif child != name:
                self.push(child, inner)

    def _static(self, node: Node, scope: Scope) -> None:
        inner = self.scope("static", node, scope)
        for child in node.named_children:
            self.children(child, inner)

    def _catch(self, node: Node, scope: Scope) -> None:
        inner = self.scope("block", node, scope)
        parameter = node.child_by_field_name("parameter")
        for child in node.named_children:
            if child == parameter:
                self.targets(child, inner, inner)
            else:
                self.push(child, inner)

    # -- declarations

    def _variables(self, node: Node, scope: Scope) -> None:
        is_var = node.type == "variable_declaration"
        for child in node.named_children:
            if child.type != "variable_declarator":
                self.push(child, scope)
                continue
            name = child.child_by_field_name("name")
            if name is not None:
                self._declare(name, scope, is_var)
            for part in child.named_children:
                if part != name:
                    self.push(part, scope)

    def _declare(self, pattern: Node, scope: Scope, is_var: bool) -> None:
        if not is_var:
            self.targets(pattern, scope, scope)
            return
        self.targets(pattern, scope, self._hoisted(scope))

    def _for_in(self, node: Node, scope: Scope) -> None:
        inner = self.scope("block", node, scope)
        left, kind = node.child_by_field_name("left"), node.child_by_field_name("kind")
        for child in node.named_children:
            if child != left:
                self.push(child, inner)
        if left is None:
            return
        if kind is None:
            self.targets(left, inner, None)
        else:
            self._declare(left, inner, self.text(kind) == "var")

    def _assignment(self, node: Node, scope: Scope) -> None:
        left = node.child_by_field_name("left") or node.child_by_field_name("argument")
        for child in node.named_children:
            if child == left:
                self.targets(child, scope, None)
            else:
                self.push(child, scope)

    def _enum(self, node: Node, scope: Scope) -> None:
        self.bind(node.child_by_field_name("name"), scope, space="vt")
        body = node.child_by_field_name("body")
        if body is None:
            return
        inner = self.scope("block", body, scope)
        inner.unsure = True  # its members are names inside of it, and properties outside
        for child in body.named_children:
            name = child if child.type == "property_identifier" else child.child_by_field_name("name")
            inner.bound.add(self.text(name))
            self.push(child.child_by_field_name("value"), inner)

    def _namespace(self, node: Node, scope: Scope) -> None:
        name = node.child_by_field_name("name")
        if name is not None and name.type == "identifier":
            self.bind(name, scope, space="vt")
        else:
            self.push(name, scope)
        body = node.child_by_field_name("body")
        if body is not None:
            inner = self.scope("namespace", body, scope)
            inner.unsure = True  # another part of it, here or elsewhere, sees what it exports
            self.children(body, inner)

    def _type(self, node: Node, scope: Scope) -> None:
        name = node.child_by_field_name("name")
        inner = self.scope("type", node, scope)
        self.bind(name, scope, space="t")
        for child in node.named_children:
            if child.type == "type_parameters":
                self._type_parameters(child, inner)
            elif child != name:
                self.push(child, inner)

    def _index_signature(self, node: Node, scope: Scope) -> None:
        inner, name = self.scope("type", node, scope), node.child_by_field_name("name")
        for child in node.named_children:
            if child.type == "mapped_type_clause":
                key = child.child_by_field_name("name")
                self.bind(key, inner, space="t")
                for part in child.named_children:
                    if part != key:
                        self.push(part, inner)
            elif child != name:
                self.push(child, inner)

    def _infer(self, node: Node, scope: Scope) -> None:
        name = node.named_child(0) if node.named_child_count else None
        home = scope
        while home.kind != "block" and home.parent is not None:  # the conditional type around it
            home = home.parent
        self.bind(name, home, space="t")
        for child in node.named_children[1:]:
            self.push(child, scope)

    # -- modules

    def _import(self, node: Node, scope: Scope) -> None:
        pending = [c for c in node.named_children if c.type in ("import_clause", "import_require_clause")]
        while pending:
            part = pending.pop()
            if part.type == "identifier":
                self.bind(part, scope, space="vt")
            elif part.type == "import_specifier":
                alias, name = part.child_by_field_name("alias"), part.child_by_field_name("name")
                if alias is not None:
                    self.bind(alias, scope, space="vt")
                elif name is not None and name.type == "identifier":
                    self.bind(name, scope, "import", "vt")
            elif part.type != "string":
                pending.extend(part.named_children)

    def _import_alias(self, node: Node, scope: Scope) -> None:
        children = node.named_children
        if children:
            self.bind(children[0], scope, space="vt")
        for child in children[1:]:
            self.push(child, scope)

    def _export(self, node: Node, scope: Scope) -> None:
        outside = node.child_by_field_name("source") is not None
        for child in node.named_children:
            if child.type != "export_clause":
                if child.type != "namespace_export":
                    self.push(child, scope)
                continue
            for part in child.named_children if not outside else ():
                name = part.child_by_field_name("name")
                if name is not None and name.type == "identifier":
                    alias = part.child_by_field_name("alias")
                    self.mention(name, scope, "shorthand" if alias is None else "read", "vt")

    # -- what no name is sure beside

    def _uncertain(self, node: Node, scope: Scope) -> None:
        self.table.errors.append((node.start_byte, node.end_byte))
        self.children(node, scope)

    def _call(self, node: Node, scope: Scope) -> None:
        function = node.child_by_field_name("function")
        if function is not None and function.type == "identifier" and self.text(function) == "eval":
            self.table.errors.append((node.start_byte, node.end_byte))
        self.children(node, scope)
