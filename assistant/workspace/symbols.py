"""What a file says of itself: definitions, references, calls, imports and fields, as plain immutable values.

Produced by ``extract.extract`` and ``document.DocumentTree``; read by the index, by next edit and by review. Every offset
is a code point into the text that was given, ``end`` is exclusive. Names are as written: nothing here resolves a name
to another file, nothing knows types. Rows that occur by the thousand are named tuples: they compare and hash as the
plain tuples they are, and go into a database as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")

MODULE = -1
"""The ``parent``/``scope`` of what stands in no definition."""

MAX_SIGNATURE = 300
MAX_DOCSTRING = 2_000
"""Characters of a signature and of a docstring that are kept."""


class Parameter(NamedTuple):
    """One parameter of a function.

    ``kind``: ``positional`` (by place or by name), ``positional_only``, ``keyword_only``, ``star`` (``*args``, ``...rest``,
    a C ellipsis: any number), ``star_star`` (``**kwargs``). Python alone tells the first three apart; elsewhere every plain
    parameter is ``positional_only``, as it can only be given by place. A receiver (``self``, ``cls``, Rust's ``self``) is
    listed as written; Go's receiver is not. ``name`` is empty for a destructured or nameless one.
    ``optional``: it has a default, or a ``?``. ``annotation`` is the type's source text, "" without one.
    """

    name: str
    kind: str = "positional"
    optional: bool = False
    annotation: str = ""


class Definition(NamedTuple):
    """Something with a name that other code can mention.

    ``kind``: ``function``, ``method``, ``class``, ``interface`` (also a Rust trait), ``struct``, ``enum``, ``type`` (alias),
    ``namespace`` (also a Rust ``mod``), ``macro``, ``variable`` (module or namespace level only: locals are not definitions,
    members of classes are `ClassField`), ``impl`` (a Rust impl block: it has the name of its type, and is no name of its own).
    A prototype without a body is a ``function`` or ``method`` as well, with ``body_start == end``.
    ``qualified``: dotted from the file's top, ``Outer.method``; for a method that is written outside of its type (Go, C++) the
    type is the outer name.
    ``start``/``end``: the whole construct with its decorators and ``export``, without the comment before it.
    ``signature``: the header on one line, without decorators, body and final colon or brace, at most 300 characters; for a
    variable its first line. ``docstring``: Python's docstring or the comment block directly above, without its quotes, comment
    marks and common indentation, at most 2,000 characters; ``doc_start``/``doc_end`` where it stands (0, 0 when there is none).
    ``body_start``: where the body begins. ``parent``: index of the enclosing definition in ``FileSymbols.definitions`` (always
    smaller than the own index), or ``MODULE``.
    ``bases``: of a class, as written, ``metaclass=M`` included; of a Rust ``impl`` its trait. ``decorators``: source text
    without the ``@``. ``returns``: the return type's text, a variable's annotation.
    """

    name: str
    qualified: str
    kind: str
    start: int
    end: int
    name_start: int
    signature: str
    docstring: str = ""
    doc_start: int = 0
    doc_end: int = 0
    body_start: int = 0
    parent: int = MODULE
    parameters: tuple[Parameter, ...] = ()
    bases: tuple[str, ...] = ()
    decorators: tuple[str, ...] = ()
    returns: str = ""
    is_async: bool = False

    @property
    def required(self) -> int:
        """How many arguments a call by place must give, ``self`` or ``cls`` of a Python method included."""
        return sum(1 for p in self.parameters if p.kind in ("positional", "positional_only") and not p.optional)

    @property
    def accepts(self) -> int | None:
        """How many arguments by place a call may give at most; ``None`` for any number."""
        if any(p.kind == "star" for p in self.parameters):
            return None
        return sum(1 for p in self.parameters if p.kind in ("positional", "positional_only"))


class Reference(NamedTuple):
    """One mention of a name in code (never in a comment or a string; f-string holes are code).

    ``kind``: ``read``, ``write`` (assigned, deleted, bound by a parameter, ``for``, ``with``, ``except``), ``call`` (it is
    called), ``attribute`` (read after a dot), ``import`` (bound or named by an import), ``keyword`` (the name of a keyword
    argument), ``definition`` (the name of a definition itself, or of a field that is declared without being assigned),
    ``type`` (a type name, in grammars that tell them apart). Names longer than 200 bytes are left out.
    ``receiver``: what stands before the dot when that is a dotted name (``self``, ``os.path``), ``?`` when it is any other
    expression, "" for a bare name; set for ``attribute``, ``call`` and ``write``. ``scope``: index of the innermost enclosing
    definition (its own header, decorators and defaults included), or ``MODULE``.
    """

    name: str
    start: int
    kind: str
    receiver: str = ""
    scope: int = MODULE


class Call(NamedTuple):
    """One call. ``callee`` is dotted as written (``os.path.join``), with ``?`` for a part that is not a name: ``?.strip``.

    ``arity`` counts arguments by place without ``*args``; ``keywords`` are the names of keyword arguments; ``star`` and
    ``star_star`` say that unknown arguments by place or by name come in addition. ``start``/``end``: the whole call with its
    arguments; ``name_start``: where the last name of the callee stands. ``scope`` as in `Reference`.
    """

    callee: str
    start: int
    end: int
    name_start: int
    arity: int
    keywords: tuple[str, ...] = ()
    star: bool = False
    star_star: bool = False
    scope: int = MODULE

    @property
    def name(self) -> str:
        """The last name of the callee."""
        return self.callee.rpartition(".")[2]


class Import(NamedTuple):
    """One name that an import brings in, or one module that it loads.

    ``import a.b as c``: module ``a.b``, name "", alias ``c``. ``from ..m import x as y``: module ``m``, name ``x``, alias
    ``y``, level 2. ``from m import *``: name ``*``. JavaScript: module is the text of the string, name ``default`` for a
    default import, ``*`` with an alias for ``* as ns``, "" for one that binds nothing; ``const x = require("m")`` counts, and
    ``export {a} from "m"``, which binds nothing. Go: module is the path; Rust: ``use a::b::C as D`` is module ``a::b``, name
    ``C``; Java: module ``a.b``, name ``C``; C: module is the header's path, level 1 when it is in quotes.
    ``bound``: the name that it makes visible in this file; "" when it binds none, or nobody can say which (``*``).
    ``start``: where the statement begins. ``scope`` as in `Reference`.
    """

    module: str
    name: str = ""
    alias: str = ""
    level: int = 0
    bound: str = ""
    start: int = 0
    scope: int = MODULE


class ClassField(NamedTuple):
    """A data member of a class, struct or interface: declared in its body, or assigned as ``self.x`` in a method.

    ``owner``: index of the class in ``FileSymbols.definitions``. ``annotation``: its type's source text, "" without one.
    """

    owner: int
    name: str
    start: int
    annotation: str = ""


class Mentions(NamedTuple):
    """What a file mentions, in the order of its text; ``words`` as in `FileSymbols`."""

    references: tuple[Reference, ...] = ()
    calls: tuple[Call, ...] = ()
    words: tuple[str, ...] = ()


class Later(Generic[T]):
    """A value that is made when it is first asked for; what it is made from is let go then."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make: Callable[[], T] | None = make
        self._made: list[T] = []

    def get(self) -> T:
        make = self._make
        if make is not None:
            self._made.append(make())
            self._make = None
        return self._made[0]


@dataclass(frozen=True, eq=False)
class FileSymbols:
    """All of one file; tuples are in the order of the text.

    ``callees``: the last names of everything that is called. ``errors``: the spans that the grammar could not read. ``cut``:
    the file was too large or too strange to be read whole; what is here is true, but not all.
    ``mentions``, two thirds of the work, is read when `references`, `calls` or `words` are asked for: the index needs none.
    """

    language: str
    definitions: tuple[Definition, ...] = ()
    imports: tuple[Import, ...] = ()
    fields: tuple[ClassField, ...] = ()
    callees: frozenset[str] = frozenset()
    errors: tuple[tuple[int, int], ...] = ()
    cut: bool = False
    mentions: Later[Mentions] = field(default_factory=lambda: Later(Mentions), repr=False)

    @property
    def references(self) -> tuple[Reference, ...]:
        return self.mentions.get().references

    @property
    def calls(self) -> tuple[Call, ...]:
        return self.mentions.get().calls

    @property
    def words(self) -> tuple[str, ...]:
        """The distinct identifier-like words of the whole text, comments and strings included, in order of first appearance,
        each at most 100 characters. A language without a grammar has only words.
        """
        return self.mentions.get().words

    @property
    def has_errors(self) -> bool:
        return bool(self.errors)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FileSymbols) and self._all() == other._all()

    __hash__ = None  # type: ignore[assignment]

    def _all(self) -> tuple[object, ...]:
        outline = self.language, self.definitions, self.imports, self.fields, self.callees, self.errors, self.cut
        return (*outline, self.mentions.get())

    def enclosing(self, offset: int) -> int:
        """Index of the innermost definition around ``offset``, or ``MODULE``."""
        best, size = MODULE, 0
        for i, definition in enumerate(self.definitions):
            if definition.start <= offset <= definition.end and (best == MODULE or definition.end - definition.start <= size):
                best, size = i, definition.end - definition.start
        return best
