"""Tokens to shown text: whole characters, nothing of the tail, nothing past a stop text."""

from __future__ import annotations

import pytest

from assistant.model.output import Output


def run(pieces: list[bytes], tail: str = "", stops: tuple[str, ...] = ()) -> tuple[list[str], list[float], Output]:
    """Push tokens 0, 1, 2, ... with log-probabilities 0, -1, -2, ...; what came out, chunk by chunk, flush last."""
    output = Output(pieces, tail, stops)
    chunks: list[str] = []
    logprobs: list[float] = []
    for token in range(len(pieces)):
        text, numbers = output.push(token, -float(token))
        chunks.append(text)
        logprobs += numbers
        if output.stopped:
            break
    text, numbers = output.flush()
    return [*chunks, text], logprobs + list(numbers), output


def test_a_character_split_over_tokens_comes_whole() -> None:
    smile = "😀".encode()
    chunks, logprobs, _ = run([b"a", smile[:1], smile[1:3], smile[3:], b"b"])
    assert chunks == ["a", "", "", "😀", "b", ""]
    assert logprobs == [0, -1, -2, -3, -4]


def test_half_a_character_at_the_end_is_dropped() -> None:
    chunks, logprobs, _ = run([b"a", "é".encode()[:1]])
    assert "".join(chunks) == "a"
    assert logprobs == [0]


@pytest.mark.parametrize(
    ("tail", "pieces", "text", "logprobs", "tokens"),
    [
        ("ret", [b"return", b" x"], "urn x", [0, -1], 2),
        ("ret", [b"re", b"t", b"urn"], "urn", [-2], 1),
        ("ret", [b"ret", b"!"], "!", [-1], 1),
        ("é", ["é".encode()[:1], "é".encode()[1:] + b"s"], "s", [-1], 1),
        ("", [b"x"], "x", [0], 1),
    ],
)
def test_the_tail_is_not_repeated(tail: str, pieces: list[bytes], text: str, logprobs: list[float], tokens: int) -> None:
    chunks, numbers, output = run(pieces, tail)
    assert "".join(chunks) == text
    assert numbers == logprobs
    assert output.tokens == tokens


@pytest.mark.parametrize(
    ("stops", "pieces", "text", "logprobs", "stopped"),
    [
        (("\n",), [b"a", b"b\nc", b"d"], "ab", [0, -1], True),
        (("\n",), [b"a", b"\n"], "a", [0], True),
        (("\n\n",), [b"a", b"\n", b"b", b"\n", b"\n", b"c"], "a\nb", [0, -1, -2], True),
        (("abc",), [b"xab", b"abx"], "xababx", [0, -1], False),
        (("abc",), [b"xab"], "xab", [0], False),
        (("world", "lo"), [b"hel", b"lo", b" world"], "hel", [0], True),
        (("",), [b"a", b"b"], "ab", [0, -1], False),
    ],
)
def test_stop_texts(stops: tuple[str, ...], pieces: list[bytes], text: str, logprobs: list[float], stopped: bool) -> None:
    chunks, numbers, output = run(pieces, stops=stops)
    assert "".join(chunks) == text
    assert numbers == logprobs
    assert output.stopped is stopped


def test_text_that_may_become_a_stop_is_held_back() -> None:
    output = Output([b"a\n", b"b"], stops=("\n\n",))
    assert output.push(0, -1.0) == ("a", (-1.0,))
    assert output.push(1, -2.0) == ("\nb", (-2.0,))


def test_a_stop_text_inside_the_tail_does_not_count() -> None:
    chunks, _, output = run([b"a\nb", b"c"], tail="a\nb", stops=("\n",))
    assert "".join(chunks) == "c"
    assert not output.stopped
