"""What holds for every suggestion: a hole is cut into correct Python, the model fills it and babbles on, the buffer
stays in order.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from assistant.completion.cache import Answer, CompletionCache, Entry
from assistant.completion.context import Site, look
from assistant.completion.multiline import choose
from assistant.completion.postprocess import Placed, suggest
from assistant.completion.stop import Stopper
from assistant.types import Finish, Snapshot, Trigger
from assistant.workspace.brackets import scan
from tests.assistant.buffers import WINDOWS

NAMES = st.sampled_from(["a", "total", "self", "x1", "name"])
LITERALS = st.sampled_from(["1", "''", '"it\'s"', "'a (b'", "None", "[]", "{}", "'é👋'"])


def _calls(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    arguments = st.lists(inner, max_size=3).map(", ".join)
    return st.one_of(
        st.tuples(NAMES, arguments).map(lambda p: f"{p[0]}({p[1]})"),
        arguments.map(lambda p: f"[{p}]"),
        st.tuples(LITERALS, inner).map(lambda p: f"{{{p[0]!r}: {p[1]}}}"),
        st.tuples(inner, inner).map(lambda p: f"{p[0]} + {p[1]}"),
        st.tuples(NAMES, inner).map(lambda p: f"{p[0]}[{p[1]}]"),
        st.tuples(inner, inner).map(lambda p: f"({p[0]}, {p[1]})"),
    )


EXPRESSIONS = st.recursive(st.one_of(NAMES, LITERALS), _calls, max_leaves=6)
STATEMENTS = st.one_of(
    st.tuples(NAMES, EXPRESSIONS).map(lambda p: f"{p[0]} = {p[1]}"),
    EXPRESSIONS.map(lambda e: f"print({e})"),
    EXPRESSIONS.map(lambda e: f"return {e}"),
    EXPRESSIONS.map(lambda e: f"foo(\n    {e},\n)"),
    st.just("# it's a comment (open"),
    st.just('"""A docstring (with\n    \'marks\'."""'),
)


@st.composite
def sources(draw: st.DrawFn) -> str:
    """A few functions of correct Python."""
    unit = draw(st.sampled_from(["    ", "  ", "\t"]))
    parts = []
    for name in draw(st.lists(st.sampled_from("fgh"), min_size=1, max_size=2)):
        body = draw(st.lists(STATEMENTS, min_size=1, max_size=4))
        lines = [f"def {name}(self, a=(1, 2)):"]
        for statement in body:
            lines += [unit + line if line.strip() else line for line in statement.split("\n")]
        lines.append(unit + draw(st.sampled_from(["pass", "if a:\n" + unit * 2 + "return 1"])))
        parts.append("\n".join(lines))
    return "\n\n\n".join(parts) + draw(st.sampled_from(["\n", "", "\nx = 1\n"]))


@dataclass(frozen=True)
class Hole:
    """``before`` and ``after`` the cursor; ``middle`` is what was cut out; ``said`` is what the model says."""

    before: str
    middle: str
    after: str
    said: str


@st.composite
def _babble(draw: st.DrawFn, after: str) -> str:
    """A beginning of what follows the cursor: part of its line, or whole lines."""
    ends = [at for at, char in enumerate(after) if char == "\n"]
    return after[: draw(st.one_of(st.integers(0, min([*ends, len(after)])), st.sampled_from([*ends, len(after)])))]


@st.composite
def holes(draw: st.DrawFn) -> Hole:
    """A part of one line is missing; the model says it and goes on with what follows, or with noise."""
    source = draw(sources())
    newline = draw(st.sampled_from(["\n", "\n", "\r\n"]))
    lines = source.split("\n")
    number = draw(st.integers(0, len(lines) - 1))
    line = lines[number]
    begin = draw(st.integers(0, len(line)))
    end = draw(st.one_of(st.just(len(line)), st.integers(begin, len(line))))
    # A cursor inside a triple quote splits the mark: what is open there cannot be said.
    assume(not {line[begin - 1 : begin], line[end - 1 : end]} & {"'", '"'})
    at = sum(len(other) + 1 for other in lines[:number])
    before, middle, after = source[: at + begin], line[begin:end], source[at + end :]
    said = middle + draw(st.one_of(_babble(after), st.sampled_from([")", "))", "'", "]", '"""', "\n", "", "}})"])))
    return Hole(*(text.replace("\n", newline) for text in (before, middle, after, said)))


def fill(hole: Hole, setting: str) -> tuple[Site, Placed | None]:
    text = hole.before + hole.after
    place = look(Snapshot("u", "python", text, len(hole.before)), WINDOWS)
    mode = choose(place, Trigger.AUTOMATIC, setting)
    stopper = Stopper(place, mode)
    stopper.feed(hole.said.replace("\r\n", "\n"))
    return place, suggest(stopper.finish(Finish.END), place, mode)


def parses(text: str) -> bool:
    try:
        ast.parse(text.replace("\r\n", "\n"))
    except (SyntaxError, ValueError):
        return False
    return True


def is_subsequence(part: str, whole: str) -> bool:
    letters = iter(whole)
    return all(letter in letters for letter in part)


LINE_SETTINGS = st.sampled_from(["auto", "never", "always"])


@given(holes(), LINE_SETTINGS)
def test_nothing_in_the_buffer_is_lost(hole: Hole, setting: str) -> None:
    place, placed = fill(hole, setting)
    assume(placed is not None)
    assert placed is not None
    text = place.text
    assert placed.start == place.offset <= placed.end
    assert "\n" not in text[placed.start : placed.end], "the range lies on the cursor's line"
    if "\n" in placed.text:
        assert placed.end == place.offset + len(place.rest), "a text of several lines takes the line's rest with it"
    assert is_subsequence(text[placed.start : placed.end], placed.text), "what is replaced is found again"
    assert placed.text.strip()
    assert ("\r\n" in text) or "\r" not in placed.text
    if "\r\n" in text:
        assert placed.text.count("\n") == placed.text.count("\r\n")


@given(holes(), LINE_SETTINGS)
def test_a_closer_that_stands_already_is_never_doubled(hole: Hole, setting: str) -> None:
    assume(parses(hole.before + hole.middle + hole.after))
    place, placed = fill(hole, setting)
    assume(placed is not None)
    assert placed is not None
    after = (place.text[: placed.start] + placed.text + place.text[placed.end :]).replace("\r\n", "\n")
    stray = [mark.text for mark in scan(after, "python").marks if mark.is_stray]
    assert not stray, after


@settings(suppress_health_check=[HealthCheck.filter_too_much])  # few holes leave correct code around them
@given(holes(), LINE_SETTINGS)
@example(Hole("f(", "a", ")", "a)"), "auto")
@example(Hole("print('", "a", "')\n", "a')\nx"), "auto")
def test_correct_code_stays_correct(hole: Hole, setting: str) -> None:
    """Where the buffer was correct, a suggestion that opens nothing leaves it so."""
    text = hole.before + hole.after
    assume(parses(text) and parses(hole.before + hole.middle + hole.after))
    place, placed = fill(hole, setting)
    assume(placed is not None)
    assert placed is not None
    assume(not placed.text.endswith(":"))
    assume(place.imbalance(placed.text.replace("\r\n", "\n"), placed.end - placed.start) <= place.imbalance(""))
    after = place.text[: placed.start] + placed.text + place.text[placed.end :]
    assert parses(after), after


@given(holes(), LINE_SETTINGS)
def test_what_is_typed_along_stays_as_it_was_shown(hole: Hole, setting: str) -> None:
    place, placed = fill(hole, setting)
    assume(placed is not None)
    assert placed is not None
    mode = choose(place, Trigger.AUTOMATIC, setting)
    cache = CompletionCache()
    cache.put("u", Entry.of(place, placed, Answer(hole.said, (), mode)))
    for typed in range(1, min(placed.over, default=len(placed.text))):
        words, left = placed.text[:typed], placed.text[typed:]
        if not left.strip():
            break
        text = place.text[: place.offset] + words + place.text[place.offset :]
        now = look(Snapshot("u", "python", text, place.offset + typed), WINDOWS)
        hit = cache.get("u", now, choose(now, Trigger.AUTOMATIC, setting))
        assert hit is not None
        again = hit.placed(now)
        assert again is not None, words
        assert (again.text, again.start, again.end) == (left, now.offset, now.offset + placed.end - placed.start)
        assert words + again.inserted == placed.inserted
