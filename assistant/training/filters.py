"""Which source files are worth learning from: a file goes in as bytes and comes out as clean text, or as the reason why not.

Knows nothing of archives, packages or other files (near duplicates are `corpus.py`'s).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_BYTES = 200_000
MIN_BYTES = 200
VENDOR_FOLDERS = frozenset(
    """_vendor vendor vendored _vendored vendors third_party thirdparty 3rdparty node_modules extern externals _extern
    _externals external bundled _bundled site-packages dist-packages""".split()  # noqa: SIM905 - a list of words
)
_GENERATED = re.compile(
    r"generated (by|from|with|using|automatically)|auto-?\s?generated|automatically generated|machine generated|"
    r"do not (edit|modify)|@generated",
    re.IGNORECASE,
)
_COPYLEFT = re.compile(
    r"GNU (Lesser |Affero |Library )?General Public|\b(A|L)?GPL-?v?[23]|Mozilla Public License|CC[- ]BY[- ](NC|SA)|"
    r"non-?commercial (use|purposes)",
    re.IGNORECASE,
)
_SECRET = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{30,}|\bsk-[A-Za-z0-9_-]{24,}|"
    r"\bxox[abprs]-[A-Za-z0-9-]{10,}|\bAIza[0-9A-Za-z_-]{35}\b|\beyJ[A-Za-z0-9_-]{20,}\.eyJ[A-Za-z0-9_-]{20,}"
)
_EMAIL = re.compile(r"[A-Za-z0-9_.+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}\b")
_DATA_LINE = re.compile(r"""[\s\d'"\[\](){},+.\-]""")


@dataclass(frozen=True)
class Rejected:
    """Why a file stays out; one word, counted in the corpus report."""

    reason: str


def is_vendored(path: str, reserved_modules: frozenset[str]) -> bool:
    """Whether ``path`` lies in a folder of copied-in code, or in a folder named like a held-out package."""
    folders = path.lower().split("/")[:-1]
    return any(f in VENDOR_FOLDERS or f in reserved_modules for f in folders)


def is_test(path: str) -> bool:
    """Whether ``path`` names a test: they repeat themselves and are sampled, not dropped."""
    parts = path.lower().split("/")
    return (
        any(p in ("tests", "test", "testing") for p in parts[:-1])
        or parts[-1].startswith("test_")
        or parts[-1].endswith("_test.py")
    )


def clean(data: bytes) -> str | Rejected:
    """The text of a Python file with addresses made anonymous, or why it is not worth learning from."""
    if len(data) > MAX_BYTES:
        return Rejected("huge")
    if len(data) < MIN_BYTES:
        return Rejected("short")
    if b"\0" in data:
        return Rejected("binary")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return Rejected("not-utf-8")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    head = text[:3000]
    if _GENERATED.search(head[:1500]):
        return Rejected("generated")
    if _COPYLEFT.search(head):
        return Rejected("licence")
    if has_secret(text):
        return Rejected("secret")
    if reason := _shape_problem(text):
        return Rejected(reason)
    return anonymous(text)


def has_secret(text: str) -> bool:
    return _SECRET.search(text) is not None


def anonymous(text: str) -> str:
    """``text`` without mail addresses."""
    return _EMAIL.sub("name@example.com", text)


def _shape_problem(text: str) -> str | None:
    """Minified, tabular or foreign text, told by the shape of its lines."""
    lines = [line for line in text.split("\n") if line.strip()]
    if len(lines) < 5:
        return "short"
    if max(map(len, lines)) > 600 or len(text) / len(lines) > 110:
        return "long-lines"
    digits = sum(map(text.count, "0123456789"))
    letters = sum(c.isalpha() for c in text)
    if digits > 0.2 * len(text) or letters < 0.3 * len(text):
        return "data"
    literal = sum(1 for line in lines if _DATA_LINE.match(line.lstrip()[0]))
    if literal > 0.6 * len(lines):
        return "data"
    if sum(not c.isascii() for c in text) > 0.1 * len(text):
        return "not-ascii"
    return None
