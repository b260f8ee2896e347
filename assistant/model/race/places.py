"""Real code for the race: stretches of so many tokens, and cursors inside lines, from the Python files of a folder.

Knows files and a tokenizer. Chooses by arithmetic, so that two runs over one folder see the same code.
"""

from __future__ import annotations

import random
from pathlib import Path

from assistant.model.race.measure import Place
from assistant.model.tokenizer import Tokenizing
from assistant.types import EngineError

LARGEST = 200_000


def read(folder: Path) -> dict[str, str]:
    """Path -> text of every Python file that can be read, the smaller ones of at most `LARGEST` bytes. Raises `EngineError`."""
    found = {}
    for path in sorted(folder.rglob("*.py")):
        try:
            if path.stat().st_size <= LARGEST:
                found[path.relative_to(folder).as_posix()] = path.read_bytes().decode("utf-8").replace("\r\n", "\n")
        except (OSError, UnicodeDecodeError):
            continue
    if sum(map(len, found.values())) < LARGEST:
        raise EngineError(f"{folder} holds too little Python to work with; name a larger project with --path DIR")
    return found


def stretches(texts: dict[str, str], tokenizer: Tokenizing, length: int, count: int) -> list[list[int]]:
    """``count`` runs of ``length`` tokens, files one behind the other."""
    ids: list[int] = []
    names = sorted(texts)
    random.Random(0).shuffle(names)
    for name in names:
        ids += tokenizer.encode(texts[name])
        if len(ids) >= length * count:
            break
    while len(ids) < length * count:  # a small folder and a long context: the same code again
        ids += ids[: length * count - len(ids)]
    return [ids[at * length : (at + 1) * length] for at in range(count)]


def cursors(texts: dict[str, str], count: int) -> list[Place]:
    """Places inside lines of code in the middle of files."""
    rng = random.Random(1)
    long = sorted(name for name, text in texts.items() if text.count("\n") > 60)
    places: list[Place] = []
    while long and len(places) < count:
        name = rng.choice(long)
        lines = texts[name].split("\n")
        at = rng.randrange(30, len(lines) - 1)
        line = lines[at]
        if len(line.strip()) < 8 or line.lstrip().startswith("#"):
            continue
        column = rng.randrange(len(line) - len(line.lstrip()), len(line) - 3)
        above = "\n".join([*lines[:at], line[:column]])
        places.append(Place(name, above, line[column:] + "\n" + "\n".join(lines[at + 1 :])))
    return places
