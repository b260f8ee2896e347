"""Prompts that do not fit: what is cut, where, and that the cut stays put while the user types."""

from __future__ import annotations

import pytest

from assistant.model.checkpoint import Checkpoint
from assistant.model.kv_cache import common_prefix
from assistant.model.tokenizer import CodeTokenizer
from assistant.model.window import Prompt, fit
from assistant.types import EngineError, Part

ROOM = 120
ABOVE = "".join(f"    self.path{i} = items[{i}]\n" for i in range(200))
BELOW = "".join(f"    return line{i}\n" for i in range(200))


@pytest.fixture
def tokenizer(loaded: Checkpoint) -> CodeTokenizer:
    return loaded.tokenizer


def spm(above: str, below: str) -> tuple[Part, ...]:
    return (
        Part(special="file"),
        Part(text="a/b.py\n"),
        Part(special="fim_suffix"),
        Part(text=below, keep="start"),
        Part(special="fim_middle"),
        Part(text=above, keep="end"),
    )


def fitted(tokenizer: CodeTokenizer, above: str, below: str, room: int = ROOM) -> Prompt:
    return fit(spm(above, below), tokenizer, room, heal=True, start=0)


def texts(tokenizer: CodeTokenizer, prompt: Prompt) -> list[str]:
    """The prompt's texts between special tokens, the tail put back."""
    found = [b""]
    for token in prompt.ids:
        if token < 32:
            found.append(b"")
        else:
            found[-1] += tokenizer.token_bytes[token]
    return [t.decode() for t in [*found[1:-1], found[-1] + prompt.tail.encode()]]


def test_what_fits_is_not_touched(tokenizer: CodeTokenizer) -> None:
    prompt = fitted(tokenizer, "def first(items):\n    return ite", "\nx = 1\n")
    assert texts(tokenizer, prompt) == ["a/b.py\n", "\nx = 1\n", "def first(items):\n    return ite"]
    assert prompt.tail == " ite"


@pytest.mark.parametrize(("above", "below"), [(ABOVE, BELOW), (ABOVE, ""), ("", BELOW), (ABOVE, "x\n"), ("x = ", BELOW)])
@pytest.mark.parametrize("room", [24, 60, 120, 1000])
def test_cuts_at_line_starts_and_keeps_what_is_near_the_cursor(
    tokenizer: CodeTokenizer, above: str, below: str, room: int
) -> None:
    prompt = fitted(tokenizer, above, below, room)
    path, after, before = texts(tokenizer, prompt)
    assert len(prompt.ids) + len(tokenizer.encode(prompt.tail)) <= room
    assert path == "a/b.py\n"
    assert below.startswith(after)
    assert above.endswith(before)
    if room >= 60:
        assert after == below or after.endswith("\n")
        assert above == before or above[: -len(before)].endswith("\n")
        assert len(after) > 0 or not below
        assert len(before) > 0 or not above


def test_the_cut_holds_still_while_the_user_types(tokenizer: CodeTokenizer) -> None:
    """300 keys: nearly always all but the last few tokens are those of the key before."""
    typed = "        for item in self.items:\n            self.lines.append(item.path)\n" * 4
    before = fitted(tokenizer, ABOVE, BELOW)
    moved = 0
    for end in range(1, len(typed)):
        prompt = fitted(tokenizer, ABOVE + typed[:end], BELOW)
        moved += common_prefix(before.ids, prompt.ids) < len(before.ids) - 8
        before = prompt
    # A quarter of the prefix's share is cut at a time: its 70 tokens hold about 130 characters here, so once in about 30.
    assert moved <= len(typed) / 25


def test_a_text_that_grows_takes_from_its_neighbour_only_in_steps(tokenizer: CodeTokenizer) -> None:
    kept = {texts(tokenizer, fitted(tokenizer, "x = 1\n" * n, BELOW))[1] for n in range(30)}
    assert 1 < len(kept) <= 8


def test_parts_to_keep_whole_are_never_cut(tokenizer: CodeTokenizer) -> None:
    with pytest.raises(EngineError, match="fixed parts take"):
        fit((Part(text=ABOVE), Part(text=ABOVE, keep="end")), tokenizer, ROOM, heal=True, start=0)
    whole = "a" * 50
    parts = (Part(text=BELOW, keep="start"), Part(special="fim_middle"), Part(text=whole))
    assert texts(tokenizer, fit(parts, tokenizer, ROOM, heal=False, start=0))[-1] == whole


def test_an_unknown_special_token(tokenizer: CodeTokenizer) -> None:
    with pytest.raises(EngineError, match="no special token called repo"):
        fit((Part(special="repo"),), tokenizer, ROOM, heal=True, start=0)


@pytest.mark.parametrize("parts", [(), (Part(),), (Part(text=""), Part(text="", keep="end"))])
def test_an_empty_prompt_begins_a_new_document(tokenizer: CodeTokenizer, parts: tuple[Part, ...]) -> None:
    assert fit(parts, tokenizer, ROOM, heal=True, start=7) == Prompt([7], "")


def test_only_the_last_part_heals(tokenizer: CodeTokenizer) -> None:
    parts = (Part(text="def re"), Part(special="fim_middle"))
    assert fit(parts, tokenizer, ROOM, heal=True, start=0).tail == ""
    assert fit(parts[:1], tokenizer, ROOM, heal=True, start=0).tail == " re"
    assert fit(parts[:1], tokenizer, ROOM, heal=False, start=0).tail == ""


@pytest.mark.parametrize("text", ["x" * 2_000_000, "é😀" * 300_000, "1" * 1_000_000, "x = 1\n" * 300_000])
@pytest.mark.parametrize("keep", ["start", "end"])
def test_a_huge_text_costs_no_more_than_a_full_context(
    tokenizer: CodeTokenizer, monkeypatch: pytest.MonkeyPatch, text: str, keep: str
) -> None:
    encoded: list[int] = []
    whole = tokenizer.encode

    def counted(piece: str) -> list[int]:
        encoded.append(len(piece))
        return whole(piece)

    monkeypatch.setattr(tokenizer, "encode", counted)
    prompt = fit((Part(text=text, keep=keep), Part(special="fim_middle")), tokenizer, ROOM, heal=True, start=0)
    assert ROOM // 2 < len(prompt.ids) <= ROOM
    assert sum(encoded) < 100 * ROOM  # characters; a token of this vocabulary has at most 24


def test_what_is_left_out_is_said_once(tokenizer: CodeTokenizer, caplog: pytest.LogCaptureFixture) -> None:
    """The cut holds still while the user types, and so does the log."""
    above = ABOVE + "# one of a kind\n"  # and a room of its own: what was said before is not said again
    with caplog.at_level("INFO", "sotto.engine"):
        for typed in ("re", "ret", "retu", "retur", "return"):
            fitted(tokenizer, above + typed, "", room=101)
    assert caplog.text.count("longer than its") == 1
    kept = texts(tokenizer, fitted(tokenizer, above, "", room=101))[2]
    assert f"before character {len(above) - len(kept)} is left out" in caplog.text


def test_what_fits_is_no_news(tokenizer: CodeTokenizer, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "sotto.engine"):
        fitted(tokenizer, "def first(items):\n", "\n")
    assert caplog.text == ""
