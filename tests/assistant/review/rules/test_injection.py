"""SQL and shell text out of parameters."""

from __future__ import annotations

import pytest

from assistant.review.rules import injection
from tests.assistant.review.rules.cases import find, one

RULE = injection.RULE


@pytest.mark.parametrize(
    "code",
    [
        "db.execute(f\"SELECT * FROM users WHERE name = '{name}'\")",
        "db.execute(\"SELECT * FROM users WHERE name = '%s'\" % name)",
        'sql = "DELETE FROM users WHERE id = " + name\n    db.execute(sql)',
        'os.system(f"rm -r {name}")',
        'subprocess.run("ls " + name, shell=True)',
    ],
)
def test_named(code: str) -> None:
    finding, _ = one(RULE, "", f"def f(db, name):\n    {code}\n")
    assert "`name`" in finding.message


@pytest.mark.parametrize(
    "code",
    [
        'db.execute("SELECT * FROM users WHERE name = ?", (name,))',
        'db.execute(f"SELECT * FROM {TABLE}")',
        'subprocess.run(["ls", name])',
        'os.system(f"ls {shlex.quote(name)}")',
        'subprocess.run("ls " + name)',
        'pool.execute(f"run {name}")',
    ],
)
def test_silent(code: str) -> None:
    assert not find(RULE, "", f"def f(db, name, pool):\n    {code}\n")
