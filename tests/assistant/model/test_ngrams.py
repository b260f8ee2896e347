"""The n-gram cache against an oracle of dictionaries that counts everything anew for each question."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.model import ngram_blocks, ngrams
from assistant.model.ngrams import NgramModel, draft

VOCABULARY = 50


class Oracle:
    """Witten-Bell by recursion from the shortest counted order up, over plain lists."""

    def __init__(self) -> None:
        self.documents: dict[str, list[int]] = {}
        self.hidden = ""

    def followers(self, context: Sequence[int]) -> Counter[int]:
        size, documents = len(context), [ids for key, ids in self.documents.items() if key != self.hidden]
        return Counter(ids[i] for ids in documents for i in range(size, len(ids)) if ids[i - size : i] == list(context))

    def distribution(self, context: Sequence[int], most: int) -> tuple[int, dict[int, float], float]:
        """(longest match, probabilities, what is left over)."""
        probs: dict[int, float] = {}
        rest, longest = 1.0, 0
        for order in range(1, min(len(context), ngram_blocks.DEEPEST) + 1):
            counts = self.followers(context[len(context) - order :])
            total, kinds = sum(counts.values()), len(counts)
            if total > most and not longest:
                if order >= ngram_blocks.SEARCHED:
                    break
                continue
            if not total:
                break
            longest = order
            rest *= kinds / (total + kinds)
            probs = {token: p * kinds / (total + kinds) for token, p in probs.items()}
            for token, count in counts.items():
                probs[token] = probs.get(token, 0.0) + count / (total + kinds)
        return longest, probs, rest


def check(model: NgramModel, oracle: Oracle, context: Sequence[int], most: int = ngram_blocks.MOST) -> int:
    match = model.look_up(context, oracle.hidden)
    longest, probs, rest = oracle.distribution(context, most)
    assert match.length == longest
    assert dict(zip(match.ids.tolist(), match.probs.tolist(), strict=True)) == pytest.approx(probs, abs=1e-12)
    assert match.rest == pytest.approx(rest, abs=1e-12)
    assert match.probs.sum() + match.rest == pytest.approx(1.0, abs=1e-12)
    if longest:
        counts = oracle.followers(context[len(context) - longest :])
        assert (match.times, match.kinds) == (sum(counts.values()), len(counts))
    return longest


def sort_all(model: NgramModel) -> None:
    while model.work():
        pass


@pytest.fixture(autouse=True)
def _often_sorted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of a few tokens, so that small documents go through merges."""
    monkeypatch.setattr(ngrams, "FRESH", 40)
    monkeypatch.setattr(ngram_blocks, "SLICE", 16)


DOCUMENT = st.lists(st.integers(0, 4), max_size=30)
STEP: st.SearchStrategy[tuple[str, str, list[int]]] = st.one_of(
    st.tuples(st.just("add"), st.sampled_from("abcdef"), DOCUMENT),
    st.tuples(st.just("remove"), st.sampled_from("abcdef"), st.just([])),
    st.tuples(st.just("work"), st.just(""), st.just([])),
    st.tuples(st.just("look"), st.sampled_from("abcdef-"), DOCUMENT),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(STEP, max_size=40), st.sampled_from([VOCABULARY, 200_000]))
def test_any_mix_of_changes_work_and_look_ups_equals_counting_anew(
    steps: list[tuple[str, str, list[int]]], vocabulary: int
) -> None:
    model, oracle = NgramModel(vocabulary), Oracle()
    for what, key, ids in steps:
        if what == "add":
            assert model.add(key, ids)
            oracle.documents.pop(key, None)
            oracle.documents[key] = ids
        elif what == "remove":
            model.remove(key)
            oracle.documents.pop(key, None)
        elif what == "work":
            model.work()
        else:
            oracle.hidden = key
            check(model, oracle, ids)
    assert len(model) == len(oracle.documents)
    assert model.tokens == sum(len(ids) + 1 for ids in oracle.documents.values())
    for context in ([], [0], [1, 2], *oracle.documents.values()):
        check(model, oracle, context)


def _random_text(rng: random.Random, size: int) -> list[int]:
    """Ids with repetition at every length: half new, half copied from before."""
    ids = [rng.randrange(VOCABULARY)]
    while len(ids) < size:
        start = rng.randrange(len(ids))
        ids += ids[start : start + rng.randrange(1, 15)] if rng.random() < 0.5 else [rng.randrange(VOCABULARY)]
    return ids[:size]


@pytest.mark.parametrize("vocabulary", [VOCABULARY, 200_000], ids=["16 bits", "32 bits"])
def test_edits_of_a_workspace_while_it_is_being_sorted(vocabulary: int) -> None:
    rng = random.Random(5)
    model, oracle = NgramModel(vocabulary), Oracle()
    lengths = Counter[int]()
    for step in range(300):
        key = f"file{rng.randrange(12)}"
        if step % 10 == 9:
            model.remove(key)
            oracle.documents.pop(key, None)
        else:
            oracle.documents[key] = _random_text(rng, rng.randrange(60))
            model.add(key, oracle.documents[key])
        if step % 3:
            model.work()
        text = rng.choice(list(oracle.documents.values()))
        lengths[check(model, oracle, text[: rng.randrange(len(text) + 1)])] += 1
    assert {1, 2, ngram_blocks.DEEPEST} <= set(lengths)


@pytest.mark.parametrize("sort", [False, True], ids=["fresh", "sorted"])
def test_a_context_seen_too_often_is_left_to_longer_ones(monkeypatch: pytest.MonkeyPatch, sort: bool) -> None:
    monkeypatch.setattr(ngram_blocks, "MOST", 5)
    rng = random.Random(3)
    model, oracle = NgramModel(VOCABULARY), Oracle()
    for number in range(6):
        oracle.documents[str(number)] = [rng.randrange(3) for _ in range(60)]
        model.add(str(number), oracle.documents[str(number)])
        if sort:
            sort_all(model)
    found = Counter(check(model, oracle, [rng.randrange(3) for _ in range(9)], most=5) for _ in range(200))
    assert {0, 4, 5} <= set(found)
    oracle.documents["zeros"] = [0] * 60
    model.add("zeros", [0] * 60)
    assert check(model, oracle, [0] * 9, most=5) == 0
    assert check(model, oracle, [0], most=5) == 0


def test_nothing_reaches_across_the_border_of_two_documents() -> None:
    model = NgramModel(VOCABULARY)
    model.add("a", [1, 2, 3])
    model.add("b", [4, 5, 6])
    for _ in range(2):
        assert not model.look_up([3])
        assert model.look_up([3, 4]).length == 1
        assert not model.look_up([6])
        model.add("c", list(range(10, 50)))
        sort_all(model)


def test_a_token_the_documents_do_not_have_is_no_match() -> None:
    model = NgramModel(VOCABULARY)
    model.add("a", [*range(48)])
    sort_all(model)
    model.add("b", [1, 2])
    for context in ([49], [5000], [0xFFFF], [3, 49], []):
        assert not model.look_up(context)


def test_the_limit_leaves_documents_out_and_says_so() -> None:
    model = NgramModel(VOCABULARY, limit=100)
    assert model.add("a", [1] * 60)
    assert not model.add("b", [2] * 60)
    assert "b" not in model
    assert model.add("a", [3] * 90)
    assert not model.add("a", [3] * 99)
    assert "a" not in model
    assert model.tokens == 0


def test_work_ends_and_leaves_few_blocks_and_five_bytes_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ngram_blocks, "SLICE", 4096)
    model = NgramModel(VOCABULARY)
    rng = random.Random(0)
    for number in range(400):
        model.add(number, [rng.randrange(VOCABULARY) for _ in range(50)])
        sort_all(model)
    assert len(model._blocks) <= 10
    assert model.memory <= 5.1 * model.tokens
    for number in range(399):
        model.remove(number)
        sort_all(model)
    assert model.memory <= 6 * 51 + 5 * ngrams.FRESH
    assert model.look_up([1]).length in (0, 1)


def test_a_draft_follows_the_document_and_stops_where_it_is_unsure() -> None:
    model = NgramModel(VOCABULARY)
    model.add("a", [1, 2, 3, 4, 5, 6, 7, 8])
    model.add("b", [9, 5, 6, 7, 10])
    assert draft(lambda tail: [model.look_up(tail)], [1, 2, 3], 2) == [4, 5]
    assert draft(lambda tail: [model.look_up(tail)], [1, 2, 3], 9) == [4, 5, 6, 7, 8]
    assert draft(lambda tail: [model.look_up(tail)], [0, 5, 6], 4) == []
    assert draft(lambda tail: [model.look_up(tail)], [0, 5, 6], 4, least=2) == [7]
    assert draft(lambda tail: [model.look_up(tail)], [0, 5, 6, 7], 4) == []
    assert draft(lambda tail: [model.look_up(tail)], [1, 2, 3], 0) == []
    other = NgramModel(VOCABULARY)
    other.add("a", [1, 2, 3, 4, 9, 9, 9] * 3)
    assert draft(lambda tail: [model.look_up(tail), other.look_up(tail)], [1, 2, 3], 4) == [4, 9, 9, 9]
    assert draft(lambda _: [], [1, 2, 3], 4) == []


def test_blocks_grow_to_a_size_and_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sorting takes memory by the size of the block."""
    monkeypatch.setattr(ngrams, "LARGEST", 200)
    rng, model, oracle = random.Random(1), NgramModel(VOCABULARY), Oracle()
    for number in range(60):
        oracle.documents[f"{number}"] = _random_text(rng, 20)
        assert model.add(f"{number}", oracle.documents[f"{number}"])
        sort_all(model)
    sizes = [len(block) for block in model._blocks]
    assert max(sizes) <= 200 + len(sizes)
    assert 6 <= len(sizes) <= 20
    for key in ("", "3", "59"):
        oracle.hidden = key
        for context in list(oracle.documents.values())[::7]:
            check(model, oracle, context[:15])


def test_a_slice_may_run_beside_look_ups_and_changes() -> None:
    rng, model, oracle = random.Random(2), NgramModel(VOCABULARY), Oracle()
    for number in range(30):
        key = f"{number % 11}"
        oracle.documents.pop(key, None)
        oracle.documents[key] = _random_text(rng, 40)
        model.add(key, oracle.documents[key])
        slices, context = 0, oracle.documents[key][:20]
        while (piece := model.next_slice()) is not None:
            thread = threading.Thread(target=piece)
            thread.start()
            if slices == 3:
                model.remove("5")
                oracle.documents.pop("5", None)
            check(model, oracle, context)
            thread.join()
            slices += 1
    assert slices > 3
