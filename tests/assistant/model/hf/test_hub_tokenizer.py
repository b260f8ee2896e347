"""Tokenizers of any checkpoint: bytes, healing, special tokens and the layout that follows from them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.model import families
from assistant.model.hf.engine import HubEngine
from assistant.model.hf.tokenizer import HubTokenizer
from tests.assistant.model.hf import tiny

Engines = Callable[[str], HubEngine]
KINDS = ("qwen2", "gpt2", "llama")
"""One of each kind of tokenizer."""


def tokenizer(engine: Engines, family: str) -> HubTokenizer:
    found = engine(family).tokenizer
    assert isinstance(found, HubTokenizer)
    return found


def spelled(it: HubTokenizer, ids: list[int]) -> bytes:
    return b"".join(it.token_bytes[i] for i in ids)


@pytest.mark.parametrize("family", tiny.FAMILIES)
@pytest.mark.parametrize(
    "text", [tiny.TEXT, "x = 'é✓ \t'\n\n\n", "", "a\r\nb", "<|endoftext|><|fim_middle|></s>[SUFFIX]▁<PRE>"]
)
def test_ids_spell_the_text_and_nothing_else(family: str, text: str, engine: Engines) -> None:
    it = tokenizer(engine, family)
    ids = it.encode(text)
    assert spelled(it, ids) == text.replace("▁", " " if it.begin and family not in ("deepseek",) else "▁").encode()
    assert not set(ids) & {*it.specials.values(), *it.begin}


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_what_healing_takes_back_is_spelled_first(data: st.DataObject, engine: Engines) -> None:
    it = tokenizer(engine, data.draw(st.sampled_from(KINDS)))
    text = data.draw(st.text(st.sampled_from("ab_1 ( )\n\té."), max_size=40))
    ids, tail = it.heal(text)
    assert spelled(it, ids) + tail.encode() == text.encode()
    if tail:
        able = it.compatible(tail.encode())
        assert able
        assert all(tail.encode().startswith(it.token_bytes[i]) or it.token_bytes[i].startswith(tail.encode()) for i in able)


@pytest.mark.parametrize(
    ("family", "layout"),
    [
        ("qwen2", families.PSM_FILES),
        ("starcoder2", families.PSM_FILES),
        ("deepseek", families.PSM),
        ("gemma", families.PSM_FILES),
        ("codellama", families.SPM),
        ("codestral", families.SUFFIX_FIRST),
        ("llama", families.PLAIN),
        ("qwen3", families.PLAIN),
        ("gpt2", families.PLAIN),
    ],
)
def test_the_layout_is_found_in_the_special_tokens(family: str, layout: str, engine: Engines) -> None:
    it = tokenizer(engine, family)
    assert it.layout == layout
    assert all((name in it.specials) == (layout != families.PLAIN) for name in families.HOLE)


def test_texts_begin_and_end_as_the_checkpoint_wants_it(engine: Engines) -> None:
    for family, told in tiny.FAMILIES.items():
        it = tokenizer(engine, family)
        assert len(it.begin) == bool(told.begin)
        assert it.specials["end"] == it.closing[0]
        assert all(it.specials[name] in it.closing for name in families.CLOSING if name in it.specials)
