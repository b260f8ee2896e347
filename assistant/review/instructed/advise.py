"""Comments by the user's own chat model: asked function by function, each claim checked against what the model was shown.

A claim is dropped unless it quotes the changed line it speaks of, every line it cites says what it quotes, every word of code
in it stands in what was shown, and the model itself, asked twice with the sides exchanged, prefers the claim to "the code is
right" both times (order changes a judge's verdict: arXiv 2507.10535). Knows the `TextModel` protocol, no engine.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from assistant.cancel import Cancel
from assistant.review.instructed import shots
from assistant.review.instructed.facts import Told, told
from assistant.review.types import ChangeSet, Evidence, Finding, Project
from assistant.types import EngineError, GenerateRequest, Priority, TextModel

log = logging.getLogger("sotto.review")

RULE = "own-model"
SHOTS = 3
MOST_FUNCTIONS, MOST_CLAIMS = 12, 2
ANSWER_TOKENS, VERDICT_TOKENS = 320, 6
BUDGET_MS = 60_000.0
LONGEST = 300
CONFIDENCE = 0.75
"""Above the threshold of a medium comment, by a little: the first ones are shown, and each dismissal counts."""

SYSTEM = (
    "You review one change of code. Name only defects that the added lines introduce and that the lines shown prove."
    " Most changes have none: then answer []. No style, no praise, no guesses about code that is not shown."
    ' Answer with a JSON array of at most two objects {"line": number of an added line, "quote": a part of that line,'
    ' "problem": one or two sentences, "evidence": [{"path": file, "line": number, "quote": a part of that line}]}.'
)
JUDGE = (
    "Which statement does the code shown support better? Answer with the single digit 1 or 2."
    "\n\n{told}\n\nStatement 1: {first}\nStatement 2: {second}"
)
RIGHT = "Line {line} is right as it is; nothing shown speaks against it."
_CODE = re.compile(r"`([^`]+)`|\b(\w+(?:_\w+)+|[a-z]+[A-Z]\w*|\w+(?=\())")
_NAME = re.compile(r"[A-Za-z_]\w*")


async def advise(
    changes: ChangeSet, project: Project, model: TextModel, cancel: Cancel, say: Callable[[str], None] = lambda text: None
) -> AsyncIterator[Finding]:
    """Findings as they pass. ``say`` hears which file is being read. Stops quietly when the engine cannot answer."""
    asked = 0
    for change in changes.files:
        for one in told(change, project):
            if cancel.is_set() or asked >= MOST_FUNCTIONS:
                return
            asked += 1
            say(change.path)
            try:
                for finding in claims(await ask(model, _prompt(one), ANSWER_TOKENS, cancel), one):
                    if await _holds(model, finding, one, cancel):
                        yield finding
            except EngineError as error:
                log.info("the review's own model: %s", error)
                return


def _prompt(one: Told) -> tuple[tuple[str, str], ...]:
    said: list[tuple[str, str]] = [("system", SYSTEM)]
    for shot in shots.similar(one.change, shots.shipped(), SHOTS):
        said += [("user", f"Change:\n{shot.change}"), ("assistant", shot.answer)]
    return (*said, ("user", one.text))


async def ask(model: TextModel, chat: tuple[tuple[str, str], ...], tokens: int, cancel: Cancel) -> str:
    """The whole answer to a conversation. Raises `EngineError`."""
    request = GenerateRequest((), tokens, heal=False, budget_ms=BUDGET_MS, chat=chat, priority=Priority.REVIEW)
    return "".join([chunk.text async for chunk in model.generate(request, cancel)])


async def _holds(model: TextModel, finding: Finding, one: Told, cancel: Cancel) -> bool:
    """Whether the model prefers its own claim in both orders."""
    right = RIGHT.format(line=finding.line + 1)
    for first, second, wanted in ((finding.message, right, "1"), (right, finding.message, "2")):
        question = JUDGE.format(told=one.text, first=first, second=second)
        answer = await ask(model, (("user", question),), VERDICT_TOKENS, cancel)
        found = re.search(r"[12]", answer)
        if found is None or found.group() != wanted:
            return False
        await asyncio.sleep(0)
    return True


def claims(answer: str, one: Told) -> list[Finding]:
    """What of an answer can be looked up in what was told; never raises."""
    found = []
    for claim in _objects(answer)[:MOST_CLAIMS]:
        finding = _checked(claim, one)
        if finding is not None:
            found.append(finding)
    return found


def _objects(answer: str) -> list[Mapping[str, Any]]:
    """The objects of the JSON array that is somewhere in the answer."""
    start, end = answer.find("["), answer.rfind("]")
    if start < 0 or end < start:
        return []
    try:
        read = json.loads(answer[start : end + 1])
    except ValueError:
        return []
    return [each for each in read if isinstance(each, dict)] if isinstance(read, list) else []


def _checked(claim: Mapping[str, Any], one: Told) -> Finding | None:
    place = _place(claim, one.path, one)
    problem = claim.get("problem")
    if place is None or place.line not in one.changed or not isinstance(problem, str) or not problem.strip():
        return None
    message = " ".join(problem.split())
    cited = _cited(claim.get("evidence", []), one)
    if len(message) > LONGEST or cited is None or not all(one.knows(word) for word in code_words(message)):
        return None
    evidence = tuple(dict.fromkeys((place, *cited)))
    return Finding(one.path, place.line, place.line, RULE, "medium", "model", message, evidence, confidence=CONFIDENCE)


def _cited(evidence: object, one: Told) -> list[Evidence] | None:
    """What a claim rests on; ``None`` if any of it is not there."""
    if not isinstance(evidence, list):
        return None
    places = [_place(each, each.get("path"), one) if isinstance(each, dict) else None for each in evidence]
    return [place for place in places if place is not None] if None not in places else None


def _place(claim: Mapping[str, Any], path: object, one: Told) -> Evidence | None:
    """The line that a claim names, if it was shown and holds what the claim quotes of it."""
    line, quote = claim.get("line"), claim.get("quote")
    if not isinstance(path, str) or not isinstance(line, int) or not isinstance(quote, str):
        return None
    text = one.shown.get((path, line - 1))
    if text is None or len(quote.strip()) < 3 or " ".join(quote.split()) not in " ".join(text.split()):
        return None
    return Evidence(path, line - 1, text.strip())


def code_words(message: str) -> set[str]:
    """Names of code in a sentence: between backticks, or spelled as only code is."""
    spans = (match.group(1) or match.group(2) for match in _CODE.finditer(message))
    return {name for span in spans for name in _NAME.findall(span)}
