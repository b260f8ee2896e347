"""A key, token or password in the source: known shapes by their prefix, others by a telling name and a text like random.

Tests, examples and documentation are left alone but for private keys and the shapes of live tokens; placeholders are.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator

from assistant.review.rules.base import BOTH, Looking, Problem
from assistant.review.rules.page import Page, field
from assistant.review.rules.view import View, is_test

_SHAPES = {
    "an AWS access key": re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    "a GitHub token": re.compile(r"\bgh[pousr]_[A-Za-z0-9]{36,}\b|\bgithub_pat_[A-Za-z0-9_]{60,}\b"),
    "a Slack token": re.compile(r"\bxox[baprs]-[0-9A-Za-z-]{20,}"),
    "a Stripe live key": re.compile(r"\b[rs]k_live_[0-9A-Za-z]{20,}"),
    "a Google API key": re.compile(r"\bAIza[0-9A-Za-z_\-]{35}\b"),
    "a private key": re.compile(r"-----BEGIN (?:RSA |EC |OPENSSH |DSA |PGP )?PRIVATE KEY(?: BLOCK)?-----\s*\S{20}"),
}
_NAME = re.compile(
    r"(?:^|_)(?:password|passwd|secret|secret_?key|api_?key|access_?key|auth_?token|private_?key|access_?token)$", re.IGNORECASE
)
_PLACEHOLDER = re.compile(
    r"example|placeholder|changeme|change_me|dummy|fake|test|your|xxx|\*\*\*|todo|sample|default|none|<|\$\{|\{\{|%\(|secret|password|env|token",
    re.IGNORECASE,
)
_PAPER = re.compile(r"(?:^|/)(?:docs?|examples?|samples?|tutorials?|fixtures?|demo\w*)/")
LEAST_BITS = 3.2
"""Shannon entropy of a character; words of a language have less, random base64 has more."""


def check(page: Page, view: View) -> Iterator[Problem]:
    quiet = is_test(view.path) or _PAPER.search(view.path) is not None
    for node in page.of("string", "template_string"):
        text = page.src(node)
        found = next((what for what, shape in _SHAPES.items() if shape.search(text)), None)
        if found is not None and not re.search(r"EXAMPLE|example|xxxx|0000|1234567", text):
            if quiet and found == "a private key":
                continue
            yield Problem(
                node, f"This is {found}: whoever reads the source has it.", key=text[:60], severity="high", confidence=0.9
            )
    if quiet:
        return
    for node in page.of("assignment", "pair", "keyword_argument", "variable_declarator"):
        left = field(node, "left") or field(node, "key") or field(node, "name")
        right = field(node, "right") or field(node, "value")
        name = page.src(left).rpartition(".")[2].strip("'\"")
        if right is None or right.type != "string" or not _NAME.search(name):
            continue
        value = page.src(right).strip("rbuf'\"`")
        if len(value) >= 12 and not _PLACEHOLDER.search(value) and " " not in value and bits(value) >= LEAST_BITS:
            yield Problem(
                right,
                f"`{name}` gets its value from the source: whoever reads the code has it.",
                key=name,
                severity="high",
                confidence=0.72,
            )


def bits(text: str) -> float:
    """Shannon entropy of a text's characters, in bits each."""
    counts = Counter(text)
    return -sum(n / len(text) * math.log2(n / len(text)) for n in counts.values())


RULE = Looking("hard-coded-secret", "security", BOTH, check)
