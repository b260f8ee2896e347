"""What a path says of its file. Knows no text, and loads nothing."""

from __future__ import annotations


def is_test(path: str) -> bool:
    """Whether a path is a test's by the usual names."""
    parts = path.lower().split("/")
    name = parts[-1]
    named = name.startswith(("test_", "conftest", "tests.")) or name.rpartition(".")[0].endswith(
        ("_test", ".test", ".spec", "_tests")
    )
    return named or any(part in ("test", "tests", "testing", "__tests__", "spec", "e2e") for part in parts[:-1])
