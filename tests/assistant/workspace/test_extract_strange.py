"""Input that no editor should send and some do: read or cut, never an exception, never seconds."""

from __future__ import annotations

import pytest

from assistant.workspace.extract import MAX_CHARS, MAX_MINIFIED, extract

STRANGE = {
    "open brackets": "(" * 15_000,
    "balanced brackets": "[" * 20_000 + "]" * 20_000,
    "braces": "{" * 15_000,
    "nested calls": "f(" * 20_000 + ")" * 20_000,
    "chain": "a" + ".b()" * 20_000,
    "minus": "-" * 15_000,
    "holes": "[" + "," * 15_000 + "]",
    "sum": "a = " + "a+" * 15_000 + "b",
    "NUL": "\0" * 15_000,
    "code with NUL": "x = 1\0\n" * 2_000,
    "long line": "x = " + "a+" * 5_000_000,
    "long names": "a" * 10_000 + " = " + "b" * 10_000 + "(c)",
    "quotes": '"' * 15_001,
    "surrogates": "\ud800 = 1\n" * 1000,
    "carriage returns": "x = 1\r" * 2_000,
    "open functions": "function f(){" * 2_000,
    "nested defs": "".join(" " * i + "def f():\n" for i in range(500)),
    "templates": "`${" * 2_000,
    "any character": "".join(chr(i % 0x3000) for i in range(1, 20_000)),
}


@pytest.mark.parametrize("name", STRANGE)
@pytest.mark.parametrize("language", ["python", "tsx", "cpp", "rust"])
def test_strange_input_is_read_or_cut(name: str, language: str) -> None:
    text = STRANGE[name]
    s = extract(text, language)
    assert all(text.startswith(r.name, r.start) for r in s.references)
    assert all(len(word) <= 100 for word in s.words)
    if len(text) > MAX_CHARS:
        assert s.cut


def test_a_large_file_is_cut_at_a_line() -> None:
    line = "def f(): pass  # " + "-" * 80 + "\n"
    s = extract(line * (MAX_CHARS // len(line) + 1000), "python")
    assert s.cut
    assert len(s.definitions) == MAX_CHARS // len(line)
    assert not s.has_errors


def test_a_minified_file_is_cut_early() -> None:
    s = extract("a();" * 100_000, "javascript")
    assert s.cut
    assert len(s.calls) == MAX_MINIFIED // 4
