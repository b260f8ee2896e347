"""The mixture of model and caches: always a distribution, the model's own where the caches are silent, and better text."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.model.mixture import FEATURES, SOURCES, Gate, GateError, Mixture, features, softmax
from assistant.model.ngrams import NOTHING, Match, NgramModel

VOCABULARY, END = 60, 0


def gate(seed: int = 0) -> Gate:
    rng = np.random.default_rng(seed)
    shapes = (FEATURES, 5), (5,), (5, 1 + len(SOURCES)), (1 + len(SOURCES),)
    return Gate(*(rng.normal(size=shape).astype(np.float32) for shape in shapes))


def cache(ids: list[int]) -> NgramModel:
    model = NgramModel(VOCABULARY)
    model.add("doc", ids)
    return model


def trusting(source: str) -> Gate:
    """A gate that gives nearly everything to one source when it has a match."""
    plain = gate()
    bias = np.zeros(1 + len(SOURCES), np.float32)
    bias[1 + SOURCES.index(source)] = 20.0
    return dataclasses.replace(plain, out=np.zeros_like(plain.out), out_bias=bias)


IDS = st.lists(st.integers(1, 6), min_size=1, max_size=60)


@settings(max_examples=200, deadline=None)
@given(IDS, IDS, IDS, st.integers(0, 99), st.one_of(st.none(), st.integers(1, 6)))
def test_the_mixture_is_a_distribution_whatever_matches(
    workspace: list[int], file: list[int], context: list[int], seed: int, closing: int | None
) -> None:
    probs = softmax(np.random.default_rng(seed).normal(scale=4, size=VOCABULARY).astype(np.float32))
    matches = [cache(ids).look_up(context) for ids in (workspace, file)]
    mixed = Mixture(gate(seed), END).mix(probs, matches, closing)
    assert mixed.shape == probs.shape
    assert mixed.min() > 0
    assert mixed.sum(dtype=np.float64) == pytest.approx(1.0, abs=1e-5)  # 32-bit numbers
    absent = [i for i in range(VOCABULARY) if i not in (END, *(int(j) for match in matches for j in match.ids))]
    if any(matches):  # what no cache knows keeps its order and its ratios
        assert mixed[absent] / probs[absent] == pytest.approx(mixed[absent[0]] / probs[absent[0]], rel=1e-4)


def test_without_a_match_the_model_stands_as_it_is() -> None:
    probs = softmax(np.arange(VOCABULARY, dtype=np.float32))
    assert Mixture(gate(), END).mix(probs, [NOTHING, NOTHING]) is probs


@pytest.mark.parametrize("source", SOURCES)
def test_a_trusted_source_decides_and_an_absent_one_has_no_say(source: str) -> None:
    probs = np.full(VOCABULARY, 1 / VOCABULARY, np.float32)
    match = cache([1, 2, 3, 9, 1, 2, 3, 9]).look_up([1, 2, 3])
    both = {name: match if name == source else NOTHING for name in SOURCES}
    mixed = Mixture(trusting(source), END).mix(probs, [both[name] for name in SOURCES])
    assert mixed.argmax() == 9
    assert mixed[9] == pytest.approx(match.probs[0] + match.rest / VOCABULARY, abs=1e-6)
    swapped = Mixture(trusting(source), END).mix(probs, [both[name] for name in reversed(SOURCES)])
    assert swapped[9] < 1.1 / 2


def test_the_end_of_a_hole_shares_what_a_cache_gives_to_the_text_behind_it() -> None:
    newline, match = 7, Match(3, 4, 1, np.array([7]), np.array([0.8]), 0.2, 7, 0.8)
    probs = np.full(VOCABULARY, 0.1 / (VOCABULARY - 2), np.float32)
    probs[END], probs[newline] = 0.6, 0.3
    mixture = Mixture(trusting("file"), END)
    mixed = mixture.mix(probs, [NOTHING, match], closing=newline)
    assert mixed[END] / mixed[newline] == pytest.approx(2.0, rel=1e-4)
    assert mixed[END] + mixed[newline] == pytest.approx(0.8 + 0.2 * 0.9, abs=1e-4)
    assert mixture.mix(probs, [NOTHING, match], closing=3)[newline] > 0.8
    assert mixture.mix(probs, [NOTHING, match])[newline] > 0.8


def test_features_tell_sources_lengths_and_agreement_apart() -> None:
    probs = softmax(np.arange(VOCABULARY, dtype=np.float32))
    short, long = cache([1, 2, 9]).look_up([2]), cache([1, 2, 9]).look_up([1, 2])
    seen = [
        features(probs, pair, END)
        for pair in ([NOTHING, NOTHING], [short, NOTHING], [NOTHING, short], [long, NOTHING], [long, short])
    ]
    assert all(row.shape == (FEATURES,) for row in seen)
    assert len({row.tobytes() for row in seen}) == len(seen)


def test_a_gate_survives_its_file(tmp_path: Path) -> None:
    path, original = tmp_path / "gate.json", gate()
    original.save(path, {"learned": "nowhere"})
    again = Gate.load(path)
    for name in Gate.__dataclass_fields__:
        assert getattr(again, name) == pytest.approx(getattr(original, name), abs=1e-4)
    assert json.loads(path.read_text())["about"] == {"learned": "nowhere"}


@pytest.mark.parametrize("text", ["", "{}", '{"hidden": [[1]], "hidden_bias": [1], "out": [[1]], "out_bias": [1]}', "[1]"])
def test_a_broken_gate_is_one_clear_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "gate.json"
    path.write_text(text)
    with pytest.raises(GateError, match="reinstall Sotto, or learn it again"):
        Gate.load(path)
    with pytest.raises(GateError, match="reinstall Sotto, or learn it again"):
        Gate.load(tmp_path / "missing.json")


def test_the_shipped_gate_believes_a_long_match_of_the_file_and_not_a_short_one() -> None:
    mixture = Mixture(Gate.load(), END)
    unsure = np.full(VOCABULARY, 1 / VOCABULARY, np.float32)
    line = list(range(10, 30))
    long = cache(line * 3).look_up(line[:12])
    short = cache([1, 2, 3, 2, 4, 2, 5, 2, 22]).look_up([9, 2])
    assert mixture.mix(unsure, [NOTHING, long])[22] > 0.8
    assert mixture.mix(unsure, [NOTHING, short])[22] < 0.4
    sure = softmax(20 * (np.arange(VOCABULARY) == 50).astype(np.float32))
    assert mixture.mix(sure, [NOTHING, short]).argmax() == 50
