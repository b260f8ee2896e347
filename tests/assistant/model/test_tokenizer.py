"""Text to ids and back; what healing takes back, and what may respell it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from assistant.model.tokenizer import MOST_TAKEN_BACK, CodeTokenizer, TokenizerError, split_lines
from tests.assistant.model import tiny
from tests.assistant.model.tiny import SPECIALS

FRAGMENTS = [
    "def ",
    "items",
    "\n",
    "    ",
    "  ",
    " ",
    "\t",
    "\r\n",
    "1",
    "23",
    "(",
    "):",
    "é",
    "😀",
    "<|end|>",
    "_x",
    "\x0c",
    "\u0301",
]
texts = st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=3)), max_size=12).map("".join)
relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def tokenizer(tiny_checkpoint: Path) -> CodeTokenizer:
    return CodeTokenizer(tiny_checkpoint / "tokenizer.json", SPECIALS)


@pytest.fixture(scope="module")
def library(tiny_checkpoint: Path) -> Tokenizer:
    found = Tokenizer.from_file(str(tiny_checkpoint / "tokenizer.json"))
    found.encode_special_tokens = True
    return found


def spelled(tokenizer: CodeTokenizer, ids: list[int]) -> bytes:
    return b"".join(tokenizer.token_bytes[i] for i in ids)


@relaxed
@given(text=texts)
def test_line_by_line_is_the_library_on_the_whole_text(tokenizer: CodeTokenizer, library: Tokenizer, text: str) -> None:
    ids = tokenizer.encode(text)
    assert ids == library.encode(text, add_special_tokens=False).ids
    assert spelled(tokenizer, ids) == text.encode()


@pytest.mark.parametrize("text", ["<|end|>", "x = '<|fim_middle|><|r19|>'", "<|endx"])
def test_a_special_token_spelled_in_text_stays_text(tokenizer: CodeTokenizer, text: str) -> None:
    ids = tokenizer.encode(text)
    assert not set(ids) & set(tokenizer.specials.values())
    assert spelled(tokenizer, ids) == text.encode()


def test_specials_have_the_ids_of_the_file(tokenizer: CodeTokenizer) -> None:
    assert [tokenizer.specials[name] for name in SPECIALS] == list(range(32))
    assert all(tokenizer.token_bytes[i] == b"" for i in range(32))


@pytest.mark.parametrize("text", ["\ud800", "x = '\udfff'\n", "😀\ud83d"])
def test_a_lone_surrogate_is_one_question_mark(tokenizer: CodeTokenizer, text: str) -> None:
    expected = "".join("?" if 0xD800 <= ord(c) < 0xE000 else c for c in text)
    assert spelled(tokenizer, tokenizer.encode(text)) == expected.encode()
    kept, tail = tokenizer.heal(text)
    assert spelled(tokenizer, kept) + tail.encode("utf-8", "replace") == expected.encode()


@relaxed
@given(text=texts, more=texts)
def test_more_text_never_changes_what_healing_kept(tokenizer: CodeTokenizer, text: str, more: str) -> None:
    """The reason for healing: the ids that stand are those of any longer text (a very long last piece excepted)."""
    kept, tail = tokenizer.heal(text)
    assert spelled(tokenizer, kept) + tail.encode() == text.encode()
    if len(tokenizer.encode(tail)) < MOST_TAKEN_BACK:
        assert tokenizer.encode(text + more)[: len(kept)] == kept


@pytest.mark.parametrize(
    ("text", "tail"),
    [
        ("", ""),
        ("x = 1", ""),
        ("return items\n", ""),
        ("def rea", " rea"),
        ("x = ", " "),
        ("if x:\n    ", "    "),
        ("items[0]", "]"),
        ("x\r", "\r"),
        ("café", "café"),
        ("s = '😀", " '😀"),  # punctuation, a quote and an emoji alike, makes one piece
    ],
)
def test_healing_takes_back_the_last_piece(tokenizer: CodeTokenizer, text: str, tail: str) -> None:
    assert tokenizer.heal(text)[1] == tail


def test_a_long_last_piece_is_taken_back_only_in_part_and_between_characters(tokenizer: CodeTokenizer) -> None:
    for text in ("=" * 500, "é" * 500, "😀" * 500):
        kept, tail = tokenizer.heal(text)
        assert 0 < len(tokenizer.encode(tail)) <= MOST_TAKEN_BACK + 3
        assert text.endswith(tail)
        assert spelled(tokenizer, kept).decode() + tail == text


@pytest.mark.parametrize("tail", [b"re", b" it", b"    ", b"_", b"\xc3", "é".encode(), b"zzz", b"def first"])
def test_compatible_tokens_are_all_that_can_spell_the_tail(tokenizer: CodeTokenizer, tail: bytes) -> None:
    naive = {i for i, s in enumerate(tokenizer.token_bytes) if s and (s.startswith(tail) or tail.startswith(s))}
    found = tokenizer.compatible(tail)
    assert set(found) == naive
    assert len(found) == len(naive) > 0


def test_compatible_with_the_last_byte_value(tokenizer: CodeTokenizer) -> None:
    """No byte string sorts after all that begin with 0xFF: the search must not need one."""
    assert tokenizer.token_bytes[tokenizer.compatible(b"\xff\xff")[0]] == b"\xff"


def test_lines_split_at_newlines_only() -> None:
    assert list(split_lines("a\r\nb\x0c\u2028c\n\nd")) == ["a\r\n", "b\x0c\u2028c\n", "\n", "d"]


def test_a_file_that_is_no_tokenizer(tmp_path: Path) -> None:
    file = tmp_path / "tokenizer.json"
    file.write_text("{", encoding="utf-8")
    with pytest.raises(TokenizerError, match="cannot be read"):
        CodeTokenizer(file, SPECIALS)


def test_a_special_token_that_the_file_lacks(tiny_checkpoint: Path) -> None:
    with pytest.raises(TokenizerError, match=r"<\|other\|>"):
        CodeTokenizer(tiny_checkpoint / "tokenizer.json", {"other": "<|other|>"})


def test_a_tokenizer_that_joins_lines_is_refused(tmp_path: Path) -> None:
    file = tiny.tokenizer(tmp_path / "tokenizer.json", pattern=r"[\s\S]+")
    with pytest.raises(TokenizerError, match="crosses a newline"):
        CodeTokenizer(file, SPECIALS)
