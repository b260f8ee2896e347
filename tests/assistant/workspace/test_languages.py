"""The language of a file: what the editor says, else its name."""

from __future__ import annotations

import pytest

from assistant.workspace import languages


@pytest.mark.parametrize(
    ("language", "path", "expected"),
    [
        ("python", "", "python"),
        ("", "a/b.PYI", "python"),
        ("typescriptreact", "x.tsx", "tsx"),
        ("typescript", "x.tsx", "tsx"),
        ("plaintext", "x.rs", "rust"),
        ("", "x.hpp", "cpp"),
        ("fortran", "x.f", "fortran"),
        ("", "Makefile", ""),
    ],
)
def test_language_of_a_file(language: str, path: str, expected: str) -> None:
    assert languages.resolve(language, path) == expected
