"""What kind of syntax the cursor stands in, as numbers: one of `KINDS`, read from a small tree, and one of `TONGUES`.

Only what lies before the cursor is parsed, some forty lines of it with a word put at the cursor and open brackets closed: what
follows is often broken while one types, and the study has none of it. Without a grammar the kind is left out. Knows no text
but through the tree, and keeps none.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from assistant.completion.context import Site
from assistant.workspace import languages, parse
from assistant.workspace.brackets import PAIRS

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

REACH = 1_500  # characters before the cursor: 0.2 ms
_PROBE = "x"

# By the names of the grammars' nodes, from the cursor outwards; the first that fits says what it is.
_KINDS = {
    "import": r"import|use_declaration|preproc_include",
    "parameters": r"parameter",
    "arguments": r"argument",
    "subscript": r"subscript|index|slice",
    "collection": r"^list|initializer_list|dict|^set|tuple|array|^object$|^pair$",
    "attribute": r"attribute|member_expression|field_expression|selector|scoped",
    "assignment": r"assign|declarator|short_var|let_declaration",
    "leave": r"return|yield|raise|throw|assert",
    "branch": r"^if|^elif|else|while|^for|switch|match|case|^with|except|catch|^try",
    "operation": r"binary|boolean|comparison|unary|not_operator|conditional|ternary",
    "lambda": r"lambda|arrow_function|closure",
    "define": r"function|method|class|struct|interface|impl_item|decorator",
    "block": r"block|body|statement_list",
    "top": r"^module$|program|translation_unit|source_file",
    "broken": r"^ERROR$",
}
KINDS = tuple(f"node_{name}" for name in (*_KINDS, "text"))
_NAMES = [(f"node_{name}", re.compile(pattern)) for name, pattern in _KINDS.items()]
_TONGUES = ("python", "javascript", "typescript", "go", "rust", "java", "c", "cpp")
_SAME = {"tsx": "typescript"}
TONGUES = tuple(f"language_{name}" for name in (*_TONGUES, "other"))


def of_syntax(site: Site) -> dict[str, float]:
    """One of `TONGUES`, and one of `KINDS` where there is a grammar."""
    language = languages.resolve(site.language, site.path)
    tongue = _SAME.get(language, language)
    found = {name: float(name == f"language_{tongue if tongue in _TONGUES else 'other'}") for name in TONGUES}
    kind = "node_text" if site.in_text else _kind(site, language)
    return {**found, **{name: float(name == kind) for name in KINDS}} if kind else found


def _kind(site: Site, language: str) -> str:
    """Empty where nothing can be said."""
    parser = _parser(language)
    if parser is None:
        return ""
    before = site.text[max(0, site.offset - REACH) : site.offset]
    before = before[before.find("\n") + 1 if site.offset > REACH else 0 :]
    before = before[parse.safe_start(before, language) :]
    probe = "" if _in_word(before) else _PROBE
    closers = "".join(PAIRS.get(mark, mark) for mark in reversed([entry.mark for entry in site.stack]))
    at = len(before.encode("utf-8", "replace")) + len(probe)
    tree = parser.parse(f"{before}{probe}{closers}\n".encode("utf-8", "replace"))
    return _outwards(tree.root_node.descendant_for_byte_range(at - 1, at))


def _outwards(node: Node | None) -> str:
    while node is not None:
        for kind, pattern in _NAMES:
            if node.is_named and pattern.search(node.type):
                return kind
        node = node.parent
    return "node_top"


def _in_word(text: str) -> bool:
    return text[-1:].isalnum() or text[-1:] == "_"


@cache
def _parser(language: str) -> Parser | None:
    return languages.parser(language)
