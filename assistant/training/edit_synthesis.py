"""Edits made up on real code: the renames, signatures, repeats and siblings that one change brings along.

Knows Python's syntax tree. Every maker takes a file and gives changes that belong together, the first one first, or None
where the file offers none. Half of them are turned round, so that what the author wrote is as often the goal as the start.
"""

from __future__ import annotations

import ast
import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

from assistant.edit_format import Change
from assistant.training.edit_patches import MOST_SITES, WORDS, Made, Patch, Source, end_of, line_changes, new_name, turned
from assistant.training.edit_repeats import change_calls, replace_repeated, swapped
from assistant.training.edits import Segment, Session

Maker = Callable[[Source, random.Random], Made]


def sessions(source: Source, rng: random.Random, count: int) -> Iterator[Session]:
    """Up to ``count`` made-up edits of the file, of kinds drawn at random."""
    for _ in range(count):
        kind = rng.choice(list(MAKERS))
        made = MAKERS[kind](source, rng)
        changes = line_changes(source, made) if made else None
        if changes is None or not 2 <= len(changes) <= MOST_SITES:
            continue
        segment = Segment(source.path, tuple(line + "\n" for line in source.lines), tuple(changes))
        yield Session(kind, (turned(segment) if rng.random() < 0.5 else segment,), kind != "import-follows-use")


def _rename(
    source: Source, spots: Sequence[tuple[int, int]], old: str, taken: set[str], rng: random.Random
) -> list[Patch] | None:
    new = new_name(source, old, rng)
    if new == old or new in taken or len({line for line, _ in spots}) < 2:
        return None
    if any(source.lines[line][column : column + len(old)] != old for line, column in spots):
        return None  # inside an f-string some Pythons report no true column
    return [Patch(line, column, column + len(old), new) for line, column in sorted(set(spots))]


def rename_local(source: Source, rng: random.Random) -> list[Patch] | None:
    """A parameter or a local variable, everywhere in its function."""
    functions = [n for n in ast.walk(source.tree) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))]
    if not functions:
        return None
    function = rng.choice(functions)
    spots = defaultdict(list)
    bound: set[str] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Name):
            spots[node.id].append((node.lineno - 1, node.col_offset))
            if isinstance(node.ctx, ast.Store):
                bound.add(node.id)
        elif isinstance(node, ast.arg):
            spots[node.arg].append((node.lineno - 1, node.col_offset))
            bound.add(node.arg)
        elif isinstance(node, (ast.Global, ast.Nonlocal)):
            return None
    names = sorted(name for name in bound - {"self", "cls"} if len({line for line, _ in spots[name]}) >= 3)
    if not names:
        return None
    name = rng.choice(names)
    return _rename(source, spots[name], name, set(spots), rng)


def rename_attribute(source: Source, rng: random.Random) -> list[Patch] | None:
    """An attribute of ``self``, everywhere in its class."""
    classes = [node for node in ast.walk(source.tree) if isinstance(node, ast.ClassDef)]
    if not classes:
        return None
    spots = defaultdict(list)
    for node in ast.walk(rng.choice(classes)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
            if node.lineno == node.end_lineno:
                spots[node.attr].append((node.lineno - 1, end_of(node) - len(node.attr)))
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            spots[node.name].append((node.lineno - 1, source.lines[node.lineno - 1].find(node.name + "(")))
    names = sorted(name for name, found in spots.items() if len({line for line, _ in found}) >= 3)
    if not names:
        return None
    name = rng.choice(names)
    return _rename(source, spots[name], name, set(spots), rng)


def rename_global(source: Source, rng: random.Random) -> list[Patch] | None:
    """A function, class or constant of the module, everywhere in the file."""
    spots = defaultdict(list)
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Name):
            spots[node.id].append((node.lineno - 1, node.col_offset))
    defined: set[str] = set()
    for node in source.tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            spots[node.name].append((node.lineno - 1, source.lines[node.lineno - 1].find(node.name)))
            defined.add(node.name)
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            defined.add(node.targets[0].id)
    names = sorted(name for name in defined if len({line for line, _ in spots[name]}) >= 2)
    if not names:
        return None
    name = rng.choice(names)
    return _rename(source, spots[name], name, set(spots), rng)


# A definition and what depends on it.


def change_signature(source: Source, rng: random.Random) -> list[Patch] | None:
    """A function of this file gains a parameter, or swaps its first two; its calls follow."""
    calls = defaultdict(list)
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and source.text(node):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            calls[name].append(node)
    functions = [
        node
        for node in ast.walk(source.tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and 1 <= len(calls[node.name]) <= 8 and _plain(node)
    ]
    if not functions:
        return None
    function = rng.choice(functions)
    uses = calls[function.name]
    own = [a for a in function.args.args if a.arg not in ("self", "cls")]
    if len(own) > 1 and not function.args.defaults and rng.random() < 0.4 and all(len(n.args) > 1 for n in uses):
        head = swapped(source, own[0], own[1])  # type: ignore[arg-type]
        return head + [patch for node in uses for patch in swapped(source, node.args[0], node.args[1])]
    name = rng.choice(WORDS)
    if not own or any(a.arg == name for a in own):
        return None
    end = max(map(end_of, (*own, *function.args.defaults)))
    value = rng.choice((name, name, "None", "True", f"self.{name}"))
    defaults = ("=None", "=False", "=0") if function.args.defaults else ("", "=None", "=False")
    made = [Patch(function.lineno - 1, end, end, f", {name}" + rng.choice(defaults))]
    for node in uses:
        close = (node.end_col_offset or 1) - 1
        made.append(Patch(node.lineno - 1, close, close, f"{', ' if node.args or node.keywords else ''}{name}={value}"))
    return made


def _plain(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Parameters on the def's own line and of the ordinary sort only."""
    given = function.args
    own = (*given.args, *given.defaults)
    simple = not (given.posonlyargs or given.kwonlyargs or given.vararg or given.kwarg)
    return simple and bool(own) and all(getattr(n, "end_lineno", 0) == function.lineno for n in own)


def sibling(source: Source, rng: random.Random) -> Made:
    """A parameter of ``__init__`` goes, and with it the line that keeps it (turned round: it comes)."""
    found = []
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef) and node.name == "__init__" and _plain(node):
            found += [(node, a, line) for a in node.args.args[1:] if (line := _kept(source, node, a.arg)) is not None]
    if not found:
        return None
    function, parameter, line = rng.choice(found)
    text = source.lines[function.lineno - 1]
    before = function.args.args[function.args.args.index(parameter) - 1]
    ends = [end for end in map(end_of, (before, *function.args.defaults)) if end <= parameter.col_offset]
    later = re.search(r",|\)", text[_after_value(function, parameter) :])
    if later is None:
        return None
    stop = _after_value(function, parameter) + later.start()
    shorter = text[: max(ends)] + text[stop:]
    return [Change(function.lineno - 1, function.lineno, shorter + "\n"), Change(line, line + 1, "")]


def _after_value(function: ast.FunctionDef, parameter: ast.arg) -> int:
    """Where the parameter ends, its default with it."""
    given = function.args
    index = given.args.index(parameter) - (len(given.args) - len(given.defaults))
    return (given.defaults[index] if index >= 0 else parameter).end_col_offset or 0


def _kept(source: Source, function: ast.FunctionDef, name: str) -> int | None:
    """The line ``self.x = x``, where the function uses ``x`` nowhere else."""
    uses = [node for node in ast.walk(function) if isinstance(node, ast.Name) and node.id == name]
    if len(uses) != 1 or len(function.body) < 2:
        return None
    line = uses[0].lineno - 1
    return line if re.fullmatch(rf"\s+self\.\w+ = {name}", source.lines[line]) else None


def import_follows_use(source: Source, rng: random.Random) -> Made:
    """The only line that uses an imported name goes, and the import with it (turned round: both come)."""
    statements: dict[int, ast.stmt] = {}
    uses = defaultdict(list)
    for node in ast.walk(source.tree):
        if isinstance(node, (ast.Expr, ast.Assign, ast.Return)) and node.lineno == node.end_lineno:
            statements[node.lineno] = node
        elif isinstance(node, ast.Name):
            uses[node.id].append(node.lineno)
    found = []
    for node in source.tree.body:
        if isinstance(node, ast.ImportFrom) and node.lineno == node.end_lineno:
            found += [(node, a) for a in node.names if len(uses[a.asname or a.name]) == 1 and a.name != "*"]
    found = [(node, a) for node, a in found if uses[a.asname or a.name][0] in statements]
    if not found:
        return None
    node, alias = rng.choice(found)
    use = uses[alias.asname or alias.name][0] - 1
    rest = [source.text(a) or a.name for a in node.names if a is not alias]
    shorter = source.lines[node.lineno - 1].partition("import")[0] + "import " + ", ".join(rest) + "\n" if rest else ""
    return [Change(use, use + 1, ""), Change(node.lineno - 1, node.lineno, shorter)]


MAKERS: dict[str, Maker] = {
    "rename-local": rename_local,
    "rename-attribute": rename_attribute,
    "rename-global": rename_global,
    "replace-repeated": replace_repeated,
    "change-calls": change_calls,
    "change-signature": change_signature,
    "sibling": sibling,
    "import-follows-use": import_follows_use,
}
