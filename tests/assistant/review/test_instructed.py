"""Comments of the user's own chat model: what it is told, and which of its claims survive the look at the code."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from assistant.cancel import Cancel
from assistant.review import changes, comment
from assistant.review.dismissed import Memory
from assistant.review.instructed import shots
from assistant.review.instructed.advise import RULE, advise, claims
from assistant.review.instructed.describe import describe
from assistant.review.instructed.facts import Told, told
from assistant.review.project import TextsProject
from assistant.review.service import Reviewer
from assistant.review.types import ChangeSet, Finding
from assistant.types import Priority
from tests.assistant.fakes import INFO, Canned, FakeModel

BEFORE = """def load(path, default=None):
    value = read(path)
    if value is None:
        return default
    return value.strip()
"""
AFTER = """def load(path, default=None):
    value = read(path)
    return value.strip()
"""
OTHER = """from store import load


def read(path):
    return None


name = load("name", "nobody")
"""
CLAIM = {
    "line": 3,
    "quote": "value.strip()",
    "problem": "`read` may give None, and `default` is not returned any more.",
    "evidence": [{"path": "main.py", "line": 8, "quote": 'load("name", "nobody")'}],
}


def change(before: str = BEFORE, after: str = AFTER) -> ChangeSet:
    made = changes.of_texts({"store.py": (before, after + "\n\nLAST = 1\n")})
    return replace(made, files=tuple(replace(one, language="python") for one in made.files))


def project(after: str = AFTER) -> TextsProject:
    return TextsProject({"store.py": after + "\n\nLAST = 1\n", "main.py": OTHER})


EDITED = change(after=AFTER.replace("value.strip()", "value.strip() ", 1).replace("strip() ", "strip().lower()"))
LOWER = EDITED.files[0].new or ""
CHAT = replace(INFO, chat=True)


def shown() -> Told:
    return next(told(EDITED.files[0], TextsProject({"store.py": LOWER, "main.py": OTHER})))


async def advised(*outputs: str | Canned) -> tuple[list[Finding], FakeModel]:
    model = FakeModel(*outputs, info=CHAT)
    around = TextsProject({"store.py": LOWER, "main.py": OTHER})
    return [one async for one in advise(EDITED, around, model, Cancel())], model


def test_it_is_told_the_change_with_line_numbers_its_callers_and_what_it_calls() -> None:
    text = shown().text
    assert "Function: load(path, default)" in text
    assert '  main.py:8: name = load("name", "nobody")' in text
    assert "  main.py:4: def read(path):" in text
    assert "+    3     return value.strip().lower()" in text
    assert "-          return value.strip()" in text
    assert shown().changed >= {2}


async def test_a_claim_that_the_code_bears_out_is_a_finding_with_its_evidence() -> None:
    found, model = await advised(json.dumps([CLAIM]), "1", "2", "[]")
    assert [(one.rule, one.path, one.line, one.message) for one in found] == [(RULE, "store.py", 2, CLAIM["problem"])]
    assert [(e.path, e.line) for e in found[0].evidence] == [("store.py", 2), ("main.py", 7)]
    assert {request.priority for request in model.requests} == {Priority.REVIEW}
    roles = [role for role, _ in model.requests[0].chat]
    assert roles == ["system", *["user", "assistant"] * 3, "user"]


@pytest.mark.parametrize(("first", "second"), [("2", "2"), ("1", "1"), ("2", "1"), ("neither", "2"), ("", "")])
async def test_a_claim_that_the_model_itself_does_not_prefer_both_times_is_dropped(first: str, second: str) -> None:
    assert (await advised(json.dumps([CLAIM]), first, second))[0] == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"line": 1},
        {"line": 99},
        {"line": "3"},
        {"quote": "value.split()"},
        {"quote": "("},
        {"problem": ""},
        {"problem": "`retry_count` is never reset."},
        {"problem": "The call of readAll() fails."},
        {"problem": "long " * 80},
        {"evidence": [{"path": "main.py", "line": 8, "quote": "load(None)"}]},
        {"evidence": [{"path": "elsewhere.py", "line": 8, "quote": "load"}]},
        {"evidence": "none"},
        {"evidence": ["main.py"]},
    ],
    ids=str,
)
def test_a_claim_with_anything_in_it_that_was_not_shown_is_dropped(wrong: dict[str, Any]) -> None:
    assert claims(json.dumps([CLAIM]), shown())
    assert claims(json.dumps([{**CLAIM, **wrong}]), shown()) == []


@pytest.mark.parametrize("answer", ["", "[]", "I see no defect.", "[1, null]", '{"line": 3}', "[{", "]["])
def test_answers_that_are_no_claims_are_none(answer: str) -> None:
    assert claims(answer, shown()) == []


def test_prose_round_the_array_does_no_harm() -> None:
    assert len(claims(f"Here is my review:\n```json\n{json.dumps([CLAIM])}\n```", shown())) == 1


async def test_an_engine_that_fails_ends_it_quietly_and_a_cancel_at_once() -> None:
    assert (await advised(Canned("", error="it died")))[0] == []
    cancel, model = Cancel(), FakeModel(info=CHAT)
    cancel.set()
    assert [one async for one in advise(EDITED, project(), model, cancel)] == []
    assert model.requests == []


async def test_what_was_dismissed_never_returns_and_the_rest_is_chosen_among_all() -> None:
    memory = Memory(None)
    for expected in (1, 0):
        reviewer = Reviewer(EDITED, TextsProject({"store.py": LOWER, "main.py": OTHER}), (), memory, Cancel())
        assert list(reviewer.stream()) == []
        assert reviewer.finish().comments == ()
        reviewer.add((await advised(json.dumps([CLAIM]), "1", "2"))[0])
        comments = reviewer.finish().comments
        assert len(comments) == expected
        for one in comments:
            memory.dismiss(one.finding, LOWER)


def test_the_most_similar_examples_come_last_and_all_of_them_are_sound() -> None:
    picked = shots.similar("async def go():\n+    3     self.write(message)", shots.shipped(), 3)
    assert "await" in picked[-1].change
    for shot in shots.shipped():
        rows = {int(row[1:6]): row[7:] for row in shot.change.splitlines() if row[:1] in "+ " and row[1:6].strip().isdigit()}
        added = {int(row[1:6]) for row in shot.change.splitlines() if row.startswith("+")}
        for claim in json.loads(shot.answer):
            assert claim["line"] in added, shot
            assert claim["quote"] in rows[claim["line"]], shot
            assert all(each["quote"] in rows[each["line"]] for each in claim["evidence"]), shot


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("Loads the value at `path`, or gives `default` when there is none.", True),
        ('"""Loads the value at `path`."""', True),
        ("Loads it and retries with backoff_seconds.", False),
        ("Loads " * 100 + ".", False),
        ("Loads the value at", False),
        ("", False),
    ],
)
async def test_a_comment_says_only_what_the_code_shows(answer: str, expected: bool) -> None:
    bare = comment.undocumented(BEFORE, "python", 0)
    assert bare is not None
    facts = comment.facts(*bare, "what", "", None)
    said = await describe(FakeModel(answer, info=CHAT), *bare, "what", facts, Cancel())
    assert bool(said) is expected
    if expected:
        made = comment.placed(*bare, said)
        assert made is not None
        assert made.text.startswith('    """Loads the value')
        assert made.text.count('"""') == 2
