"""The measurement itself, on this package's own files: real code passes, planted mistakes are found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from assistant.workspace.existence import bench, planting
from assistant.workspace.existence.bench import Said
from assistant.workspace.existence.verdict import Kind

PACKAGE = Path(bench.__file__).parent
MINI = {
    "shapes.py": '''"""Shapes."""
from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass
class Point:
    x: float
    y: float = 0.0

    def moved(self, dx: float, dy: float = 0.0) -> Point:
        return Point(self.x + dx, self.y + dy)


class Circle:
    def __init__(self, centre: Point, radius: float) -> None:
        self.centre, self.radius = centre, radius

    @property
    def area(self) -> float:
        return math.pi * self.radius**2

    def grown(self, *, by: float) -> Circle:
        return type(self)(self.centre.moved(0), self.radius + by)
''',
    "store.py": """import json
import os
from contextlib import contextmanager

from shapes import Circle, Point

_KEPT = {}


@contextmanager
def opened(path, mode="r"):
    with open(path, mode) as handle:
        yield handle


def load(path, default=None):
    if not os.path.exists(path):
        return default
    with opened(path) as handle:
        data = json.load(handle)
    _KEPT.update({name: Circle(Point(*at), r) for name, (at, r) in data.items()})
    return [circle.area for circle in _KEPT.values() if (size := circle.radius) and size > 1]


class Cache(dict):
    hits = 0

    def __missing__(self, key):
        self.hits += 1
        value = self[key] = load(key, default=())
        return value

    def report(self, **options):
        return "{hits} of {n}".format(hits=self.hits, n=len(self), **options)
""",
}


@pytest.fixture
def mini(tmp_path: Path) -> planting.Tree:
    for name, text in MINI.items():
        (tmp_path / name).write_text(text)
    return planting.Tree(tmp_path)


def test_no_rest_of_any_line_of_real_files_is_objected_to(mini: planting.Tree) -> None:
    checker, tried = bench.checker_of(mini), 0
    for path, text in mini.files.items():
        for at in range(0, len(text), 3):
            end = text.find("\n", at)
            if text[at:end].strip() and planting._is_code(mini, path, at):
                case = planting.Case(path, text[:at] + text[end:], at, text[at:end])
                assert bench.ask(checker, mini, case).reasons == (), case.rest
                tried += 1
    assert tried > 300


def test_planted_mistakes_are_found(mini: planting.Tree) -> None:
    report = bench.Report()
    bench.on_planted(report, bench.checker_of(mini), mini, planting.planted_cases(mini, 60))
    assert report.planted == 60
    assert report.caught >= 30
    assert set(report.by) >= {"name", "attribute"}
    assert report.json()["caught"] == report.caught / 60


def test_a_whole_package_is_measured() -> None:
    report = bench.measure(PACKAGE, real=40, planted=20)
    assert (report.real, report.planted) == (40, 20)
    assert report.flagged <= 1
    assert report.caught >= 8
    assert len(report.ms) == 40


def test_a_planted_case_differs_in_one_name_that_is_nowhere(mini: planting.Tree) -> None:
    for case in planting.planted_cases(mini, 40):
        assert case.rest not in mini.files[case.path]
        assert case.kind in ("name", "attribute", "keyword", "import", "arity")


def test_completions_of_a_model_are_judged_by_a_list_of_words(mini: planting.Tree) -> None:
    case = next(iter(planting.real_cases(mini, 1, seed=4)))
    texts = [case.rest, "json.unheard_of_word(1)"]
    at = case.offset
    said = [Said(case, at, at, text) for text in texts]
    store = next(path for path in mini.files if path.endswith("store.py"))
    text = mini.files[store]
    place = text.index("json.load(handle)")
    invented = planting.Case(store, text[:place] + text[place + len("json.load(handle)") :], place, "json.load(handle)")
    said[1] = replace(said[1], case=invented, start=place, end=place)
    found = bench.on_completions(bench.checker_of(mini), mini, said, frozenset())
    assert (found.right, found.invented) == ((1, 0), (1, 1))
    assert [verdict.kind for _, _, verdict in found.examples] == [Kind.OK, Kind.DROPPED]


def test_the_words_of_a_library_are_its_identifiers(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("def far_away(x): ...\n")
    words = bench.library_words([tmp_path])
    assert {"far_away", "x", "print", "gettrace"} <= words
