"""The tokenizer's rules, on any text."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from assistant.training.tokenizer import SPECIAL_TOKENS

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


def test_the_special_tokens_are_the_first_32_ids(tiny_tokenizer: Tokenizer) -> None:
    assert len(SPECIAL_TOKENS) == 32
    assert [tiny_tokenizer.token_to_id(text) for text in SPECIAL_TOKENS.values()] == list(range(32))


def test_every_text_comes_back(tiny_tokenizer: Tokenizer) -> None:
    @settings(max_examples=200, deadline=None)
    @given(TEXT)
    def check(text: str) -> None:
        assert tiny_tokenizer.decode(tiny_tokenizer.encode(text).ids, skip_special_tokens=False) == text

    check()


def test_lines_are_independent(tiny_tokenizer: Tokenizer) -> None:
    @settings(max_examples=200, deadline=None)
    @given(TEXT, TEXT)
    def check(above: str, below: str) -> None:
        joint = tiny_tokenizer.encode(above + "\n" + below).ids
        assert joint == tiny_tokenizer.encode(above + "\n").ids + tiny_tokenizer.encode(below).ids

    check()


def test_no_token_crosses_a_newline_and_digits_stand_alone(tiny_tokenizer: Tokenizer) -> None:
    for token in tiny_tokenizer.get_vocab():
        if token in SPECIAL_TOKENS.values():
            continue
        assert "Ċ" not in token or token == "Ċ"
        assert sum(c.isdigit() for c in token if c.isascii()) <= 1, token


def test_an_indentation_is_one_token_and_the_word_behind_it_another(tiny_tokenizer: Tokenizer) -> None:
    assert tiny_tokenizer.encode("        self").tokens == ["Ġ" * 8, "self"]
    assert tiny_tokenizer.encode("    return").tokens == ["Ġ" * 4, "return"]


def test_a_special_token_in_source_text_is_plain_text(tiny_tokenizer: Tokenizer) -> None:
    assert min(tiny_tokenizer.encode("x = '<|end|>'").ids) >= 32
