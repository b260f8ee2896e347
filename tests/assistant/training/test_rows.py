"""Rows: exactly full, layouts that give the text back, and the same stream after a restore."""

from __future__ import annotations

import numpy as np
import pytest
from tokenizers import Tokenizer

from assistant.training.corpus import Document
from assistant.training.rows import Cutter, Rows, TokenStore
from assistant.training.sources import CorpusError
from assistant.training.tokenizer import END, FILE, FIM_MIDDLE, FIM_PREFIX, FIM_SUFFIX


def test_rows_are_full_and_resume_anywhere(store: TokenStore, tiny_tokenizer: Tokenizer) -> None:
    whole = Rows(store, tiny_tokenizer, 128, seed=3)
    first = whole.next(40)
    assert first.shape == (40, 129)
    halves = Rows(store, tiny_tokenizer, 128, seed=3)
    halves.next(17)
    resumed = Rows(store, tiny_tokenizer, 128, seed=3)
    resumed.restore(halves.state())
    assert np.array_equal(resumed.next(23), first[17:])


def test_epochs_and_seeds_cut_elsewhere(store: TokenStore, tiny_tokenizer: Tokenizer) -> None:
    stream = Rows(store, tiny_tokenizer, 128, seed=3)
    first = stream.next(5)
    while stream.position.epoch == 0:
        stream.next(1)
    stream.position.row = 0
    assert not np.array_equal(stream.next(5), first)
    assert not np.array_equal(Rows(store, tiny_tokenizer, 128, seed=4).next(5), first)


def test_without_fim_the_text_is_there_once_and_in_order(documents: list[Document], tiny_tokenizer: Tokenizer) -> None:
    cutter = Cutter(tiny_tokenizer, 4096, fim=0.0)
    docs = [(d.path, np.asarray(tiny_tokenizer.encode(d.text).ids, np.uint16)) for d in documents]
    (row, *_) = cutter.rows(docs, np.random.default_rng(0))
    text = tiny_tokenizer.decode(row.tolist(), skip_special_tokens=False)
    for piece in text.split("<|end|>")[:3]:
        body = piece.split("\n", 1)[1] if piece.startswith("<|file|>") else piece
        assert body in [d.text for d in documents]


@pytest.mark.parametrize("seed", range(30))
def test_a_middle_put_back_between_its_neighbours_is_the_text(
    documents: list[Document], tiny_tokenizer: Tokenizer, seed: int
) -> None:
    cutter = Cutter(tiny_tokenizer, 256, fim=1.0)
    tokens = np.asarray(tiny_tokenizer.encode(documents[0].text).ids, np.uint16)
    rng, at, seen = np.random.default_rng(seed), 0, 0
    while at < len(tokens):
        piece, after = cutter.piece(tokens, at, np.zeros(0, np.uint16), 257, rng)
        assert len(piece) <= 257
        assert after > at
        ids = piece.tolist()
        if ids[0] == FIM_PREFIX:
            seen += 1
            assert restored(ids, tiny_tokenizer) in documents[0].text
            assert ids[-1] == END
        at = after
    assert seen


def restored(ids: list[int], tokenizer: Tokenizer) -> str:
    """The text of either layout, prefix + middle + suffix."""

    def text(part: list[int]) -> str:
        assert min(part, default=99) >= 32
        return str(tokenizer.decode(part))

    suffix_at, middle_at = ids.index(FIM_SUFFIX), ids.index(FIM_MIDDLE)
    prefix, suffix = text(ids[1:suffix_at]), text(ids[suffix_at + 1 : middle_at])
    return prefix + text(ids[middle_at + 1 : -1]) + suffix


def test_a_corpus_too_small_for_a_row_says_so(store: TokenStore, tiny_tokenizer: Tokenizer) -> None:
    with pytest.raises(CorpusError, match="too small to fill one row of 100000 tokens"):
        Rows(store, tiny_tokenizer, 100_000, seed=1).next(1)


def test_suffixes_stay_under_a_quarter_of_the_context(store: TokenStore, tiny_tokenizer: Tokenizer) -> None:
    sizes = []
    for row in Rows(store, tiny_tokenizer, 256, seed=1, fim=1.0).next(60).tolist():
        for start, token in enumerate(row):
            if token == FIM_SUFFIX and row[start - 1] == FIM_PREFIX and FIM_MIDDLE in row[start:]:
                sizes.append(row.index(FIM_MIDDLE, start) - start - 1)
    assert len(sizes) > 20
    assert max(sizes) <= 64 + 16  # the rest of a cut line may stand before the cap
    assert min(sizes) == 0


def test_shares_of_the_layouts(store: TokenStore, tiny_tokenizer: Tokenizer) -> None:
    flat = Rows(store, tiny_tokenizer, 256, seed=1).next(400).flatten()
    middles = int((flat == FIM_MIDDLE).sum())
    suffix_first = int(((flat[1:] == FIM_SUFFIX) & (flat[:-1] == FIM_PREFIX)).sum())
    assert 0.65 < suffix_first / middles < 0.95
    assert (flat == FILE).sum() > middles
