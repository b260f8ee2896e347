"""The 5-gram yardstick is a distribution, remembers what it saw, and heals a cut token."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from assistant.model.tokenizer import CodeTokenizer
from assistant.training.ngram_baseline import NgramModel
from assistant.training.rows import TokenStore
from assistant.training.tokenizer import SPECIAL_TOKENS


@pytest.fixture
def model(store: TokenStore) -> NgramModel:
    return NgramModel(np.asarray(store.tokens), 600)


def test_every_history_gives_a_distribution(model: NgramModel, store: TokenStore) -> None:
    ids = store.document(0).tolist()
    for history in ([], ids[:1], ids[:4], [599, 598, 597, 596], [*ids[:3], 599]):
        probs = model.distribution(history)
        assert probs.sum() == pytest.approx(1.0)
        assert probs.min() > 0


def test_seen_text_is_cheap(model: NgramModel, store: TokenStore) -> None:
    ids = store.document(3).tolist()
    assert model.bits(ids, 4) / (len(ids) - 4) < 1.0
    assert model.bits(ids[::-1], 4) / (len(ids) - 4) > 5.0


def test_a_line_is_completed_from_the_middle_of_a_word(model: NgramModel, vocabulary: Path) -> None:
    reader = CodeTokenizer(vocabulary, SPECIAL_TOKENS)
    assert model.complete(reader, "        self.items.app") == "end(item)"
    assert model.complete(reader, "        self.items = lis") == "t(items or [])"
