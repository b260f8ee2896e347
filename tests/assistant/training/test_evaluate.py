"""Cursors lie in code, prompts have the trained layout, bits per byte count every token once."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from assistant.model.config import ModelConfig
from assistant.model.tokenizer import CodeTokenizer
from assistant.model.transformer import Transformer
from assistant.training import evaluate
from assistant.training.corpus import Document
from assistant.training.evaluate import Item
from assistant.training.pretrain import initialise
from assistant.training.tokenizer import SPECIAL_TOKENS

CODE = '''"""Module docstring
of two lines."""
import os  # why

# a comment
def f(a):
    """Docstring."""
    text = """line
    not code
    """
    return a, text
'''


@pytest.fixture
def reader(vocabulary: Path) -> CodeTokenizer:
    return CodeTokenizer(vocabulary, SPECIAL_TOKENS)


@pytest.fixture
def model(shape: ModelConfig) -> Transformer:
    built = Transformer(shape)
    initialise(built, 0)
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)) * 0.05)
    return built.eval()


def test_code_lines_are_neither_blank_nor_comment_nor_docstring() -> None:
    assert evaluate.code_lines(CODE) == [2, 5, 7, 9 + 1]
    assert evaluate.code_lines("def broken(:\n") == []


def test_cursors_are_inside_code_and_the_same_each_time(documents: list[Document]) -> None:
    items = evaluate.cursor_items(documents, 50, seed=1)
    assert items == evaluate.cursor_items(documents, 50, seed=1)
    assert items != evaluate.cursor_items(documents, 50, seed=2)
    texts = {doc.path: doc.text for doc in documents}
    for item in items:
        assert item.prefix + item.target + item.suffix == texts[item.path]
        assert item.suffix == "" or item.suffix[0] == "\n"
        assert item.target.strip()
        assert "\n" not in item.target


def test_items_come_back_from_their_file(documents: list[Document], tmp_path: Path) -> None:
    items = [*evaluate.cursor_items(documents, 5), Item("x", "a.py", "python", "s = '\u2028", "\nend", "é'")]
    evaluate.write_items(items, tmp_path / "items.jsonl")
    assert list(evaluate.read_items(tmp_path / "items.jsonl")) == items


def test_the_suffix_is_cut_at_a_line() -> None:
    item = Item("x", "a.py", "python", "x = ", "\n" + "y = 1\n" * 500, "2")
    kinds = [(part.special, part.text) for part in evaluate.parts(item)]
    assert [special for special, _ in kinds] == ["file", "", "fim_prefix", "fim_suffix", "", "fim_middle", ""]
    assert kinds[4][1].endswith("y = 1")
    assert 600 < len(kinds[4][1]) <= evaluate.SUFFIX_CHARACTERS
    assert [part.text for part in evaluate.parts(item, with_suffix=False)] == ["", "a.py\n", "x = "]


def test_comparison_ignores_white_space_at_the_end_only() -> None:
    result = evaluate.compare(["foo(a)  ", "bar", " x", ""], ["foo(a)", "baz", "x", "y"])
    assert result.items == 4
    assert result.exact_match == 25.0
    assert result.edit_similarity == pytest.approx((100 + 100 * 4 / 6 + 100 * 2 / 3 + 0) / 4)


def test_bits_per_byte_of_a_short_document(model: Transformer, reader: CodeTokenizer, documents: list[Document]) -> None:
    doc = Document("p", "MIT", "p/a.py", documents[0].text[:200])
    head = [reader.specials["file"], *reader.encode("p/a.py\n")]
    ids = torch.tensor(head + reader.encode(doc.text))
    with torch.no_grad():
        nats = F.cross_entropy(model(ids[None, :-1])[0], ids[1:], reduction="none")[len(head) - 1 :]
    result = evaluate.left_to_right(model, reader, [doc])
    assert result.tokens == len(ids) - len(head)
    assert result.bits_per_byte == pytest.approx(float(nats.sum()) / math.log(2) / len(doc.text.encode()), rel=1e-5)


def test_a_long_document_is_scored_once_with_context(
    model: Transformer, reader: CodeTokenizer, documents: list[Document]
) -> None:
    doc = documents[0]
    text = reader.encode(doc.text)
    assert len(text) > 3 * model.config.context
    with torch.inference_mode():
        found = list(evaluate.windows(model, reader, doc))
    assert torch.cat([targets for _, targets in found]).tolist() == text
    assert all(len(targets) == len(hidden[1]) == len(hidden[3]) for hidden, targets in found)
    assert max(len(targets) for _, targets in found[1:]) <= model.config.context // 2 + 1


def test_a_sample_takes_from_every_package(documents: list[Document]) -> None:
    chosen = evaluate.sample(documents, 2 * max(len(doc.text) for doc in documents))
    assert sorted(doc.package for doc in chosen) == ["package0"] * 2 + ["package1"] * 2 + ["package2"] * 2
