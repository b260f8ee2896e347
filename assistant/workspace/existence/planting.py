"""Real code as suggestions, and the same with one thing in it that does not exist.

A case is the rest of a line behind a random place in it, of Python or of JavaScript and TypeScript. Recipe of a planted one:
take a name of that rest by chance (a bare name that is read, an attribute, a keyword argument, an imported name) or a call, and
make of it, by chance, ``order`` (its words in another order; a single word with two letters swapped), ``plural`` (an "s" more
or less), ``invented`` (a word of another name of the file appended), or, in Python, ``borrowed`` (a name that the tree gives
only to a method of an unrelated class, in place of an attribute of ``self`` or of a module); a call of Python gets an argument
too many or loses one.
Whatever name comes out is used nowhere in the tree, in the standard library's top names and in the builtin types, but for
``borrowed``. Uses none of the filter's own judgement.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.workspace import languages
from assistant.workspace.source import Source
from assistant.workspace.walk import is_written_by_hand

if TYPE_CHECKING:
    from tree_sitter import Node

MAX_FILE = 300_000
_READERS = (
    "argument_list call binary_operator comparison_operator return_statement subscript not_operator boolean_operator"
    " if_statement"
)
_WORD = re.compile(r"[^\W\d]\w*")
_ALWAYS = frozenset(["self", "cls", "super", "print", "len", "None", "True", "False"])


@dataclass(frozen=True)
class Case:
    """``text`` without the rest of a line, the place, and that rest. ``kind``: what was planted, "" for real code; ``how``:
    by which rule; ``name``: the true name.
    """

    path: str
    text: str
    offset: int
    rest: str
    kind: str = ""
    how: str = ""
    name: str = ""


class Tree:
    """The files under a folder in one of `KINDS`, but for what a machine has written or squeezed."""

    def __init__(self, root: Path, kind: str = "python") -> None:
        self.root, self.kind = root.resolve(), KINDS[kind]
        self.files: dict[str, str] = {}
        for path in sorted(self.root.rglob("*")):
            is_code = path.suffix in self.kind.suffixes and not {"node_modules", "dist"} & set(
                path.relative_to(self.root).parts
            )
            if is_code and path.is_file() and path.stat().st_size <= MAX_FILE:
                text = path.read_text("utf-8", "replace").replace("\r\n", "\n")
                if is_written_by_hand(text):
                    self.files[str(path)] = text
        self._hidden: Counter[str] = Counter()
        self.words = frozenset(word for text in self.files.values() for word in _WORD.findall(text))
        self.defined = frozenset(word for text in self.files.values() for word in self.kind.defined.findall(text))
        self.methods = _only_methods(self.files)
        self._roots: dict[str, tuple[Source, Node]] = {}

    def hide(self, case: Case) -> None:
        """From now on the words that a case leaves out of its file are not written there."""
        whole = (word.lower() for word in _WORD.findall(self.files[case.path]))
        left = (word.lower() for word in _WORD.findall(case.text))
        self._hidden = Counter(whole) - Counter(left)

    def is_written(self, word: str) -> bool:
        """Whether any file, of whatever language, has a word in any case, as an index answers."""
        low = word.lower()
        return self.counts[low] > self._hidden[low]

    @cached_property
    def others(self) -> dict[str, str]:
        """The files of other languages."""
        found = {}
        for path in sorted(self.root.rglob("*")):
            is_other = path.suffix not in self.kind.suffixes and languages.language_of(str(path))
            if is_other and "node_modules" not in path.parts and path.is_file() and path.stat().st_size <= MAX_FILE:
                found[str(path)] = path.read_text("utf-8", "replace")
        return found

    @cached_property
    def counts(self) -> Counter[str]:
        """How often the files have each word, in lower case."""
        texts = (*self.files.values(), *self.others.values())
        return Counter(word.lower() for text in texts for word in _WORD.findall(text))

    def parsed(self, path: str) -> tuple[Source, Node] | None:
        """A file and its syntax tree; ``None`` for one with errors."""
        if path not in self._roots:
            parser = languages.parser(languages.language_of(path))
            source = Source(self.files[path])
            if parser is None:
                return None
            self._roots[path] = source, parser.parse(source.data).root_node
        source, root = self._roots[path]
        return None if root.has_error else (source, root)


def _only_methods(files: dict[str, str]) -> dict[str, tuple[str, str]]:
    """For each name that one class alone defines and nothing else has: its file and its class's line."""
    seen: dict[str, list[tuple[str, str]]] = {}
    for path, text in files.items():
        owner = ""
        for line in text.splitlines():
            if line.startswith("class "):
                owner = line
            elif line[:1].strip() and not line.startswith(("#", ")", "@")):
                owner = ""
            found = re.match(r" {4}(?:async )?def ([a-z]\w+)\(self", line)
            if found and owner:
                seen.setdefault(found.group(1), []).append((path, owner))
    return {name: places[0] for name, places in seen.items() if len(places) == 1}


def real_cases(tree: Tree, count: int, seed: int = 0) -> Iterator[Case]:
    """``count`` real rests of code lines, each file as often as its length says."""
    rng = random.Random(seed)
    paths = [path for path in tree.files if tree.parsed(path) is not None and tree.files[path].strip()]
    weights = [len(tree.files[path]) for path in paths]
    for _ in range(count * 50 if paths else 0):
        path = rng.choices(paths, weights)[0]
        case = _case(tree, path, rng)
        if case is not None:
            yield case
            count -= 1
            if not count:
                return


def _case(tree: Tree, path: str, rng: random.Random) -> Case | None:
    text = tree.files[path]
    at = rng.randrange(len(text))
    start, end = text.rfind("\n", 0, at) + 1, text.find("\n", at)
    end = len(text) if end == -1 else end
    line = text[start:end]
    indent = len(line) - len(line.lstrip())
    if not line.strip() or at < start + indent or not text[at:end].strip() or not _is_code(tree, path, at):
        return None
    rest = text[at:end].rstrip()
    return Case(path, text[:at] + text[at + len(rest) :], at, rest)


def _is_code(tree: Tree, path: str, at: int) -> bool:
    parsed = tree.parsed(path)
    if parsed is None:
        return False
    source, root = parsed
    here: Node | None = root.descendant_for_byte_range(source.byte(at), source.byte(at) + 1)
    while here is not None and here.type not in (
        "string",
        "comment",
        "concatenated_string",
        "interpolation",
        "jsx_text",
        "regex",
    ):
        here = here.parent
    return here is None


def planted_cases(tree: Tree, count: int, seed: int = 0) -> Iterator[Case]:
    """``count`` cases with one thing in them that does not exist."""
    rng = random.Random(seed)
    for case in real_cases(tree, count * 40, seed + 1):
        made = plant(tree, case, rng)
        if made is not None:
            yield made
            count -= 1
            if not count:
                return


def plant(tree: Tree, case: Case, rng: random.Random) -> Case | None:
    """The case with one thing of its rest replaced; ``None`` if there is nothing to replace."""
    parsed = tree.parsed(case.path)
    if parsed is None:
        return None
    source, root = parsed
    low, high = source.byte(case.offset), source.byte(case.offset + len(case.rest))
    targets: dict[str, list[Node]] = {}
    for node in _inside(root, low, high):
        kind = tree.kind.planted(node, source)
        if kind:
            targets.setdefault(kind, []).append(node)
    if not targets:
        return None
    kind = rng.choice(sorted(targets))
    node = rng.choice(targets[kind])
    how, text = _argument(node, source, rng) if kind == "arity" else _renamed(tree, case, node, kind, source, rng)
    if not text:
        return None
    start, end = source.char(node.start_byte) - case.offset, source.char(node.end_byte) - case.offset
    rest = case.rest[:start] + text + case.rest[end:]
    return Case(case.path, case.text, case.offset, rest, kind, how, source.of(node))


def _inside(root: Node, low: int, high: int) -> Iterator[Node]:
    pending = [root]
    while pending:
        node = pending.pop()
        if node.end_byte > low and node.start_byte < high:
            if node.type not in ("string", "comment"):
                pending.extend(node.named_children)
            if node.start_byte >= low and node.end_byte <= high:
                yield node


def _in_python(node: Node, source: Source) -> str:
    """What may be planted at a node, "" for nothing."""
    outer = node.parent
    if outer is None:
        return ""
    if node.type == "argument_list" and outer.type == "call":
        return "arity"
    if node.type != "identifier" or source.of(node) in _ALWAYS or source.of(node).startswith("__"):
        return ""
    if outer.type == "attribute" and outer.child_by_field_name("attribute") == node:
        return "" if _is_written(outer) else "attribute"
    if outer.type == "keyword_argument" and outer.child_by_field_name("name") == node:
        return "keyword"
    if outer.type == "dotted_name" and outer.parent is not None and outer.parent.type == "import_from_statement":
        return "import" if outer.parent.child_by_field_name("module_name") != outer else ""
    is_read = outer.type in _READERS.split() or (outer.type == "attribute" and outer.child_by_field_name("object") == node)
    value = (
        outer.type in ("assignment", "keyword_argument") and node == outer.named_children[-1] and outer.named_child_count > 1
    )
    return "name" if is_read or value else ""


def mentioned(path: str, text: str, start: int, end: int) -> set[str]:
    """The names that ``text[start:end]`` mentions and does not bind: read, behind a dot, of keywords, imported."""
    parser, source = languages.parser(languages.language_of(path)), Source(text)
    planted = next(kind.planted for kind in KINDS.values() if Path(path).suffix in kind.suffixes)
    if parser is None:
        return set()
    low, high = source.byte(start), source.byte(end)
    nodes = _covered(parser.parse(source.data).root_node, low, high)
    return {source.of(node) for node in nodes if planted(node, source) not in ("", "arity")}


def _covered(root: Node, low: int, high: int) -> Iterator[Node]:
    pending = [root]
    while pending:
        node = pending.pop()
        if node.end_byte > low and node.start_byte < high:
            yield node
            pending.extend(node.named_children)


def _is_written(node: Node) -> bool:
    outer = node.parent
    while outer is not None and outer.type in ("pattern_list", "tuple_pattern", "expression_list"):
        node, outer = outer, outer.parent
    if outer is None or outer.type in ("delete_statement", "as_pattern_target"):
        return True
    return outer.type in ("assignment", "augmented_assignment", "for_statement") and outer.child_by_field_name("left") == node


def _renamed(tree: Tree, case: Case, node: Node, kind: str, source: Source, rng: random.Random) -> tuple[str, str]:
    name = source.of(node)
    ways = ["order", "plural", "invented", *(["borrowed"] if kind == "attribute" and tree.methods else [])]
    how = rng.choice(ways)
    if how == "borrowed":
        return how, _borrowed(tree, case, node, source, rng)
    made = {"order": _order, "plural": _plural, "invented": _invented}[how](name, case, rng)
    return how, "" if made in tree.words or made == name or made in COMMON else made


def _order(name: str, case: Case, rng: random.Random) -> str:
    parts = re.findall(r"_+|[A-Z]?[a-z0-9]+|[A-Z]+", name)
    words = [i for i, part in enumerate(parts) if not part.startswith("_")]
    if len(words) > 1:
        i, j = rng.sample(words, 2)
        parts[i], parts[j] = parts[j], parts[i]
        return "".join(parts)
    at = rng.randrange(len(name) - 1) if len(name) > 2 else 0
    return name[:at] + name[at : at + 2][::-1] + name[at + 2 :] if len(name) > 3 else name


def _plural(name: str, case: Case, rng: random.Random) -> str:
    return name[:-1] if name.endswith("s") and not name.endswith("ss") else name + "s"


def _invented(name: str, case: Case, rng: random.Random) -> str:
    parts = sorted({part for word in _WORD.findall(case.text) for part in word.lower().split("_") if 3 <= len(part) <= 8})
    part = rng.choice(parts) if parts else "value"
    is_camel = name[:1].isupper() or not case.path.endswith(".py")
    return name + part.capitalize() if is_camel else f"{name}_{part}"


def _borrowed(tree: Tree, case: Case, node: Node, source: Source, rng: random.Random) -> str:
    outer = node.parent
    receiver = source.of(outer.child_by_field_name("object")) if outer is not None else ""
    is_module = re.search(rf"^import {re.escape(receiver)}$", tree.files[case.path], re.MULTILINE) is not None
    if receiver != "self" and not is_module:
        return ""
    others = [name for name, (path, line) in tree.methods.items() if path != case.path and "Mixin" not in line]
    name = rng.choice(others) if others else ""
    same_file = re.search(rf"\b{re.escape(name)}\b", tree.files[case.path]) is not None
    related = (
        _heads(tree.methods[name][1]) & _heads(" ".join(re.findall(r"^class .*", tree.files[case.path], re.M)))
        if name
        else set()
    )
    return "" if same_file or related else name


def _heads(line: str) -> set[str]:
    return set(_WORD.findall(line)) - {"class", "object", "metaclass", "ABCMeta", "abc", "ABC", "Generic", "T", "Exception"}


def _argument(node: Node, source: Source, rng: random.Random) -> tuple[str, str]:
    """An argument list with one argument by place too many, or without its first; "" where it has none or a star."""
    plain = [c for c in node.named_children if c.type not in ("keyword_argument", "comment")]
    text = source.of(node)
    if any(child.type in ("list_splat", "dictionary_splat", "generator_expression") for child in node.named_children):
        return "", ""
    if rng.random() < 0.5:
        at = source.char(plain[-1].end_byte) - source.char(node.start_byte) if plain else 1
        return "more", text[:at] + (", None" if plain else "None, " if node.named_child_count else "None") + text[at:]
    if not plain or node.named_child_count != len(plain):
        return "", ""
    kept = ", ".join(source.of(child) for child in plain[1:])
    return "less", f"({kept})"


_READING = (
    "arguments binary_expression return_statement subscript_expression unary_expression parenthesized_expression new_expression"
    " call_expression template_substitution spread_element ternary_expression array await_expression"
)


def _in_javascript(node: Node, source: Source) -> str:
    """The same for JavaScript and TypeScript."""
    outer = node.parent
    if outer is None or source.of(node) in _NEVER:
        return ""
    if node.type == "property_identifier" and outer.type == "member_expression":
        written = outer.parent is not None and outer.parent.type in ("assignment_expression", "update_expression")
        is_left = written and outer.parent is not None and outer.parent.named_children[0] == outer
        return "" if is_left else "attribute"
    if node.type != "identifier":
        return ""
    if outer.type == "import_specifier":
        return "import" if outer.child_by_field_name("alias") is None else ""
    is_value = outer.type in ("variable_declarator", "assignment_expression", "pair") and node == outer.named_children[-1]
    is_object = outer.type == "member_expression" and outer.child_by_field_name("object") == node
    is_read = outer.type in _READING.split() or is_object or (is_value and outer.named_child_count > 1)
    return "name" if is_read else ""


_UNTOUCHED = "this super undefined require module exports console window document prototype length"
_NEVER = frozenset(_UNTOUCHED.split())


@dataclass(frozen=True)
class Planting:
    """Which files are of a kind, what they define at the top of a line, and what may be planted at a node."""

    suffixes: tuple[str, ...]
    defined: re.Pattern[str]
    planted: Callable[[Node, Source], str]


_TOP = (
    r"^(?:export )?(?:default )?(?:declare )?(?:abstract )?(?:async )?(?:function\*?|class|const|let|var|interface|type|enum) "
    r"([A-Za-z_$][\w$]*)"
)
KINDS = {
    "python": Planting((".py",), re.compile(r"^(?:async )?(?:def|class) (\w+)", re.MULTILINE), _in_python),
    "javascript": Planting(
        (".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".mts", ".cts"), re.compile(_TOP, re.MULTILINE), _in_javascript
    ),
}
COMMON = frozenset(name for kind in (str, bytes, list, dict, set, tuple, int, float, object, type) for name in dir(kind))
