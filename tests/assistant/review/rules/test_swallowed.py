"""Exceptions that are caught and forgotten."""

from __future__ import annotations

import pytest

from assistant.review.rules import swallowed
from tests.assistant.review.rules.cases import find, one

RULE = swallowed.RULE


def test_a_broad_handler_without_a_word() -> None:
    _, line = one(RULE, "", "def f():\n    try:\n        load()\n        save()\n    except Exception:\n        pass\n")
    assert line == "except Exception:"


def test_a_name_that_may_be_unbound() -> None:
    new = "def f(p):\n    try:\n        text = load(p)\n    except OSError as e:\n        log(e)\n    return text\n"
    finding, line = one(RULE, "", new)
    assert line == "return text"
    assert finding.evidence[0].line == 3


def test_javascript() -> None:
    one(RULE, "", "function f() { try { g(); } catch (e) {} }\n", "a.js")


@pytest.mark.parametrize(
    "body",
    [
        "try:\n        load()\n    except KeyError:\n        pass",
        "try:\n        load()\n    except Exception:\n        pass  # it is optional",
        "try:\n        load()\n    except Exception:\n        log()",
        "try:\n        x.close()\n    except Exception:\n        pass",
        "text = ''\n    try:\n        text = load()\n    except OSError:\n        pass\n    return text",
        "try:\n        text = load()\n    except OSError:\n        return 1\n    return text",
        "try:\n        text = load()\n    except OSError:\n        text = ''\n    return text",
        "try:\n        text = load()\n    except OSError:\n        sys.exit(1)\n    return text",
    ],
)
def test_silent(body: str) -> None:
    assert not find(RULE, "", f"def f(x):\n    {body}\n")
