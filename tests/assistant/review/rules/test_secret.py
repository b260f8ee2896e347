"""Keys in the source. The ones here are made up by the tests."""

from __future__ import annotations

import random
import string

import pytest

from assistant.review.rules import secret
from tests.assistant.review.rules.cases import find, one

RULE = secret.RULE
RANDOM = "".join(random.Random(3).choices(string.ascii_letters + string.digits, k=36))


@pytest.mark.parametrize(
    "line",
    [
        f"key = 'AKIA{RANDOM[:16].upper()}'",
        f"x = 'ghp_{RANDOM}'",
        f"password = '{RANDOM[:20]}'",
        f"connect(api_key='{RANDOM}')",
    ],
)
def test_named(line: str) -> None:
    finding, _ = one(RULE, "", f"{line}\n")
    assert finding.kind == "security"


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("a.py", "password = 'correct horse battery staple'"),
        ("a.py", "password = os.environ['PASSWORD']"),
        ("a.py", "password = 'your-password-goes-here'"),
        ("a.py", "password = 'aaaaaaaaaaaaaaaaaaaa'"),
        ("tests/test_a.py", f"password = '{RANDOM[:20]}'"),
        ("a.py", f"commit = '{RANDOM}'"),
        ("a.py", "key = 'AKIAIOSFODNN7EXAMPLE'"),
    ],
)
def test_silent(path: str, line: str) -> None:
    assert not find(RULE, "", f"{line}\n", path)


def test_random_text_has_more_bits_than_words() -> None:
    assert secret.bits(RANDOM) > 4 > secret.LEAST_BITS > secret.bits("aaaabbbb")
