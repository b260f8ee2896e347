"""The gate's artefact: read only if it is exactly one, and never uncertain about hostile numbers."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.checked import checksum
from assistant.gate.features import STAGE_ONE, STAGE_TWO
from assistant.gate.model import PAST_CAP, PRIOR, ArtefactError, Term, dumps, load, loads, named
from tests.assistant.gate.made import features, prior

GATE = prior()
TEXT = dumps(GATE)
numbers = st.floats(allow_nan=True, allow_infinity=True)


def test_the_shipped_prior_reads_back_as_itself() -> None:
    again = loads(TEXT)
    assert again == GATE
    assert again.id == named(GATE).id
    assert GATE.decided == 0
    assert "MIT" in GATE.record["source"]


def _signed(change: Callable[[dict[str, Any]], object]) -> str:
    """The prior with a change, and a checksum that is right again: whoever can write the file can do that."""
    body = json.loads(TEXT)
    del body["sha256"]
    change(body)
    return json.dumps({**body, "sha256": checksum(body)})


def _set(*path: Any, value: Any) -> Callable[[dict[str, Any]], object]:
    def change(body: dict[str, Any]) -> None:
        for key in path[:-1]:
            body = body[key]
        body[path[-1]] = value

    return change


HOSTILE = {
    "no JSON": "{",
    "no object": "[]",
    "empty": "",
    "deep": "[" * 100_000,
    "pickle": "\x80\x04]\x94.",
    "changed": TEXT.replace('"decided":0', '"decided":1'),
    "NaN": TEXT.replace('"decided":0', '"decided":NaN'),
    "other format": _signed(_set("format", value=2)),
    "other features": _signed(_set("features", value=99)),
    "no stage": _signed(lambda body: body.pop("one")),
    "unknown feature": _signed(_set("two", "names", 0, value="path")),
    "feature twice": _signed(lambda body: body["two"]["names"].__setitem__(0, body["two"]["names"][1])),
    "stage two's feature in one": _signed(_set("one", "names", 0, value="chars")),
    "short fill": _signed(lambda body: body["two"]["fill"].pop()),
    "wild column": _signed(_set("two", "trees", 0, 0, 0, value=999)),
    "negative column": _signed(_set("two", "trees", 0, 0, 0, value=-2)),
    "text for a column": _signed(_set("two", "trees", 0, 0, 0, value="0")),
    "true for a column": _signed(_set("two", "trees", 0, 0, 0, value=True)),
    "short tree": _signed(lambda body: body["two"]["trees"][0][2].pop()),
    "huge leaf": _signed(_set("two", "trees", 0, 2, 9, value=1e9)),
    "too many trees": _signed(lambda body: body["two"].update(trees=body["two"]["trees"] * 20)),
    "upside down": _signed(_set("two", "platt", value=[-1.0, 0.0])),
    "huge bias": _signed(_set("two", "bias", value=1e6)),
    "past in disguise": _signed(_set("two", "past", 0, 0, value="chars")),
    "no scale": _signed(_set("two", "past", 0, 2, value=0.0)),
    "huge weight": _signed(_set("two", "past", 0, 3, value=1e3)),
    "bound over one": _signed(_set("bounds", "two", "0.05", value=1.5)),
    "no bound": _signed(_set("bounds", "two", value={})),
    "negative count": _signed(_set("decided", value=-1)),
    "huge": " " * 5_000_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_anything_else_is_refused_with_advice(name: str) -> None:
    with pytest.raises(ArtefactError, match="sotto gate reset"):
        loads(HOSTILE[name])


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match=r"gone\.json"):
        load(tmp_path / "gone.json")


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from((*STAGE_ONE, *STAGE_TWO, "unknown")), numbers))
def test_probabilities_are_probabilities_whatever_the_features(hostile: dict[str, float]) -> None:
    own = replace(GATE.two, terms=(Term(PRIOR, 0.0, 1.0, 0.5), Term("mean_logprob", -0.3, 0.3, -2.0)))
    for stage in (GATE.one, GATE.two, own):
        assert 0 < stage.probability(hostile) < 1


def test_what_is_not_known_counts_as_the_average() -> None:
    known = features(random.Random(1))
    fill = dict(zip(GATE.two.names, GATE.two.fill, strict=True))
    broken = {**known, "mean_logprob": math.nan}
    assert GATE.two.probability(broken) == GATE.two.probability({**known, "mean_logprob": fill["mean_logprob"]})
    assert GATE.two.probability(broken) != GATE.two.probability(known)


def test_the_past_moves_a_decision_by_its_cap_at_most() -> None:
    bad = {"past_rate": -50.0, "past_last": -50.0, "past_refusals": 1e6, "shown_minute": 0.0}
    heavy = replace(GATE.two, past=tuple(replace(term, weight=5.0 * term.weight) for term in GATE.two.past))
    worst = heavy.parts({**features(random.Random(2)), **bad})["past"]
    assert worst == -PAST_CAP
    assert heavy.parts({**features(random.Random(2)), **bad}, 0.5)["past"] == -PAST_CAP / 2


def test_an_explanation_adds_up_to_the_decision() -> None:
    row = features(random.Random(3))
    own = replace(GATE.two, bias=0.3, terms=(Term(PRIOR, 0.0, 1.0, 0.2), Term("chars", 20.0, 10.0, -0.4)))
    for stage in (GATE.one, GATE.two, own):
        explained = stage.explain(row)
        assert sum(explained.values()) == pytest.approx(sum(stage.parts(row).values()))
        assert len(explained) > 5


def test_a_better_log_probability_is_worth_more() -> None:
    sure, unsure = ({**features(random.Random(4)), "mean_logprob": mean, "sum_logprob": mean * 8} for mean in (-0.05, -1.2))
    assert GATE.two.probability(sure) > GATE.two.probability(unsure)
