"""The table of related words: the vectorised translation model equals a plain one, and its documented command works."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from assistant.workspace.related import MIN_PROBABILITY, ROUNDS, Pair, mine


def plainly(pairs: list[Pair]) -> dict[tuple[str, str], float]:
    """IBM's translation model 1 as the books write it; "" stands in every piece of code."""
    table: dict[tuple[str, str], float] = defaultdict(lambda: 1.0)
    for _ in range(ROUNDS):
        share: dict[tuple[str, str], float] = defaultdict(float)
        total: dict[str, float] = defaultdict(float)
        for words, code in pairs:
            for word in words:
                whole = sum(table[word, c] for c in [*code, ""])
                for c in [*code, ""]:
                    if whole and table[word, c] > 1e-3 * whole:
                        share[word, c] += table[word, c] / whole
                        total[c] += table[word, c] / whole
        table = defaultdict(float, {p: n / total[p[1]] for p, n in share.items() if n > 1e-5 * total[p[1]]})
    return table


def test_mining_gives_the_probabilities_of_the_plain_algorithm() -> None:
    rng = random.Random(3)
    pairs: list[Pair] = []
    for _ in range(2_500):  # more than one batch
        words = rng.sample("abcdefgh", rng.randint(0, 4))
        pairs.append((words, [w.upper() for w in words if rng.random() < 0.7] + rng.sample("WXYZ", 2)))
    wanted = {pair: p for pair, p in plainly(pairs).items() if pair[1] and p >= MIN_PROBABILITY}
    found = {(word, c): p for word, others in mine(pairs, min_pairs=1).items() for c, p in others.items()}
    assert found.keys() == wanted.keys()
    assert all(found[pair] == pytest.approx(p, abs=0.001) for pair, p in wanted.items())  # three digits are kept


def test_nothing_is_mined_from_nothing() -> None:
    assert mine([]) == {}
    assert mine([([], ["a"])]) == {}


def test_the_command_writes_a_table_of_the_folders_it_is_given(tmp_path: Path) -> None:
    verbs = {"remove": "del", "print": "write"}
    for package in ("one", "two"):
        (tmp_path / package).mkdir()
        for verb, code in verbs.items():
            functions = (
                f'def job{i}(x):\n    """{verb.title()} all the items{i} at once."""\n    {code}_{i}(x)\n' for i in range(20)
            )
            (tmp_path / package / f"{code[0]}.py").write_text("\n".join(functions))
    out = tmp_path / "table.json"
    folders = [str(tmp_path / "one"), str(tmp_path / "two")]
    subprocess.run([sys.executable, "-m", "assistant.workspace.related", str(out), *folders], check=True, timeout=120)
    made = json.loads(out.read_text())
    assert made["sources"] == ["one", "two"]
    table = made["table"]
    assert "del" in table["remov"]
    assert "del" not in table.get("print", {})
    again = tmp_path / "again.json"
    subprocess.run([sys.executable, "-m", "assistant.workspace.related", str(again), *folders[::-1]], check=True, timeout=120)
    assert again.read_bytes() == out.read_bytes()
