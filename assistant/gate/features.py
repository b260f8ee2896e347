"""The gate's view of an opportunity: numbers known before anything is displayed, never text, a character or a name.

A feature is one entry of a dictionary; its name and `VERSION` are stored with the row, so that an old name keeps its meaning.
What is not known is left out, and counts as the average. Knows no model and no threshold.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from assistant.completion.context import Site
from assistant.completion.multiline import only_closers
from assistant.gate.history import History
from assistant.gate.syntax import KINDS, TONGUES, of_syntax
from assistant.types import Chunk, Confidence, Source, Suggestion, Trigger

VERSION = 2  # 1 had no syntax and no language
NEAR = 4_000  # characters before the cursor in which identifiers count as known
PAST = ("past_rate", "past_last", "past_refusals", "past_known", "since_ended", "since_shown", "shown_minute")
"""What earlier displays and outcomes say. Their common share of a decision is capped, and each fades: see `history`."""

STAGE_ONE = (
    *("invoked", "popup", "several_lines", "line_before", "line_before_bare", "line_rest", "rest_is_closers"),
    *("document", "offset", "relative", "indent", "in_text", "in_comment", "open_brackets", "after_space", "mid_word"),
    *("last_none", "last_word", "last_opener", "last_closer", "last_dot", "last_comma", "last_colon", "last_operator"),
    *("last_quote", "line_import", "line_define", "line_branch", "line_leave"),
    *("above", "above_opens", "above_comment", "blank_above"),
    *PAST,
    *("moved", "same_line", "keys_per_second", "since_key"),
    *KINDS,
    *TONGUES,
)
STAGE_TWO = (
    *("chars", "lines", "words", "cached", "begins_line", "begins_word", "ends_open", "ends_closed", "says_comment"),
    *("punctuation", "novelty", "repeats", "says_import", "says_define", "says_branch", "says_leave"),
    *(
        "text_refused",
        "text_taken",
        "text_common",
        "text_longer",
        "tokens",
        "mean_logprob",
        "min_logprob",
        "sum_logprob",
        "age",
    ),
    *("entropy", "exit_depth", "stop_head"),
)
"""All names there are; the last three are the engine's own signals, in rows where it reports them."""
SIGNALS = frozenset(("entropy", "exit_depth", "stop_head"))


def signals(said: Chunk) -> dict[str, float]:
    """What the engine tells of its answer: entropy of the first token (nats), mean layer of exit, the Stop head's probability.

    What it does not tell is left out: an engine that runs every layer has no depth, one without a Stop head no say.
    """
    found = {"entropy": said.entropy, "stop_head": said.stop}
    if sum(said.exits):
        found["exit_depth"] = sum(layer * tokens for layer, tokens in enumerate(said.exits, 1)) / sum(said.exits)
    return {name: value for name, value in found.items() if value is not None}


_WORD = re.compile(r"[^\W\d]\w+")
_CLASSES = {
    "opener": "([{",
    "closer": ")]}",
    "dot": ".",
    "comma": ",;",
    "colon": ":",
    "operator": "=+-*/%<>&|!^~@",
    "quote": "\"'`",
}
_COMMENTS = ("#", "//", "--", "/*", "*", '"""', "'''")
_HEADS = {
    "import": ("import", "from", "use", "include", "#include"),
    "define": ("def", "class", "async", "fn", "func", "function", "struct", "interface"),
    "branch": ("if", "elif", "else", "else:", "for", "while", "try:", "except", "with", "switch", "case", "match"),
    "leave": ("return", "yield", "raise", "throw", "assert"),
}


def of_place(site: Site, trigger: Trigger, several: bool, popup: bool, history: History, now: float) -> dict[str, float]:
    """Stage one: what is known before the model runs. ``now`` is seconds on the history's clock."""
    bare = site.line_before.strip()
    above = site.above[-1] if site.above else ""
    return {
        "invoked": float(trigger is Trigger.INVOKED),
        "popup": float(popup),
        "several_lines": float(several),
        "line_before": float(len(site.line_before)),
        "line_before_bare": float(len(bare)),
        "line_rest": float(len(site.rest)),
        "rest_is_closers": float(only_closers(site.rest)),
        "document": float(len(site.text)),
        "offset": float(site.offset),
        "relative": site.offset / max(1, len(site.text)),
        "indent": float(len(site.indent)),
        "in_text": float(site.in_text),
        "in_comment": float(bare.startswith(_COMMENTS)),
        "open_brackets": float(len(site.stack)),
        "after_space": float(site.line_before[-1:].isspace()),
        "mid_word": float(_is_word(site.line_before[-1:])),
        **_last_class(bare),
        **_head(bare),
        "above": float(len(above.strip())),
        "above_opens": float(above.endswith((":", "{", "(", "["))),
        "above_comment": float(above.lstrip().startswith(_COMMENTS)),
        "blank_above": float(_blank_above(site)),
        **history.of_place(site.path, site.offset, site.line_before),
        **history.numbers(now),
        **of_syntax(site),
    }


def of_text(
    site: Site,
    suggestion: Suggestion,
    history: History,
    age_ms: float | None = None,
    signals: Mapping[str, float] = MappingProxyType({}),
) -> dict[str, float]:
    """Stage two: what the model said. ``age_ms``: how long ago it was asked; an answer from the cache is older.

    ``signals`` are the engine's own numbers about its answer; those not in `SIGNALS` are left out.
    """
    text = suggestion.inserted
    bare = text.strip()
    visible = sum(not char.isspace() for char in text)
    numbers = {
        "chars": float(len(text)),
        "lines": float(text.count("\n") + 1),
        "words": float(len(_WORD.findall(text))),
        "cached": float(suggestion.source is Source.CACHE),
        "begins_line": float(text[:1] == "\n"),
        "begins_word": float(_is_word(text[:1]) and _is_word(site.line_before[-1:])),
        "ends_open": float(bare.endswith(("(", "[", "{", ",", ":", "=", "."))),
        "ends_closed": float(bare.endswith((")", "]", "}"))),
        "says_comment": float(bare.startswith(_COMMENTS)),
        "punctuation": sum(not (char.isalnum() or char.isspace() or char == "_") for char in text) / max(1, visible),
        "novelty": novelty(text, site.text[max(0, site.offset - NEAR) : site.offset]),
        "repeats": float(len(bare) > 3 and bare in site.text[max(0, site.offset - NEAR) : site.offset]),
        **_head(bare, "says_"),
        **history.of_text(text),
        **_of_confidence(suggestion.confidence),
        **{name: value for name, value in signals.items() if name in SIGNALS},
    }
    return numbers if age_ms is None else {**numbers, "age": age_ms}


def novelty(text: str, before: str) -> float:
    """The share of the text's identifiers that do not stand in ``before``."""
    said = set(_WORD.findall(text))
    return len(said - set(_WORD.findall(before))) / len(said) if said else 0.0


def _of_confidence(sure: Confidence | None) -> dict[str, float]:
    if sure is None:
        return {}
    return {
        "tokens": float(sure.tokens),
        "mean_logprob": sure.mean_logprob,
        "min_logprob": sure.min_logprob,
        "sum_logprob": sure.mean_logprob * sure.tokens,
    }


def _last_class(bare: str) -> dict[str, float]:
    """The kind of the line's last visible character: a class, because a stream of characters would be the text."""
    last = bare[-1:]
    return {
        "last_none": float(not last),
        "last_word": float(_is_word(last)),
        **{f"last_{name}": float(last != "" and last in marks) for name, marks in _CLASSES.items()},
    }


def _head(bare: str, prefix: str = "line_") -> dict[str, float]:
    first = re.split(r"[\s(]", bare, maxsplit=1)[0]
    return {f"{prefix}{name}": float(first in words) for name, words in _HEADS.items()}


def _blank_above(site: Site) -> int:
    """Blank lines directly above the cursor's, at most three."""
    lines = site.prefix[-200:].split("\n")[:-1]
    count = 0
    while count < min(3, len(lines)) and not lines[-1 - count].strip():
        count += 1
    return count


def _is_word(char: str) -> bool:
    return char.isalnum() or char == "_"
