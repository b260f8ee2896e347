"""The learned gate as a value: two stages of probabilities, kept as JSON and checked when read; pure Python, no numpy.

A stage is a forest fitted once on the shared study, Platt's line over its log-odds, what earlier outcomes add (capped), and
a personal part that `learn` fits on this user's rows. Knows numbers only: not how they were learned nor what they decide.
"""

from __future__ import annotations

import json
import math
from collections.abc import Container, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from assistant import checked
from assistant.gate.features import PAST, STAGE_ONE, STAGE_TWO, VERSION

FORMAT = 1
DEPTH = 3
NODES, VALUES = 2**DEPTH - 1, 2 ** (DEPTH + 1) - 1
PAST_CAP = 1.0  # log-odds that earlier outcomes may move a decision: a run of refusals must not shut the gate by itself
STEEPEST = 3.0  # standard deviations at which a personal term stops growing
LARGEST_FILE = 4_000_000
PRIOR = "prior"
"""As the name of a term: the log-odds of the forest itself, so that a user's line over it can have another slope."""
LINE_ALPHAS = ("0.02", "0.05", "0.1")
PRIOR_PATH = Path(__file__).with_name("prior.json")


class ArtefactError(ValueError):
    """A gate's file is not one; the text says what to do."""


@dataclass(frozen=True)
class Tree:
    """Node i goes right, to 2i + 2, if feature ``columns[i]`` is above ``limits[i]``; column -1 always goes left.

    ``values`` has the log-odds of every node, the last `NODES` + 1 of them leaves: differences along a path explain it.
    """

    columns: tuple[int, ...]
    limits: tuple[float, ...]
    values: tuple[float, ...]


@dataclass(frozen=True)
class Term:
    """``weight`` times the feature's distance from ``center`` in ``scale``."""

    name: str
    center: float
    scale: float
    weight: float

    def of(self, value: float | None) -> float:
        """Its log-odds; 0 for what is not known."""
        if value is None or not math.isfinite(value):
            return 0.0
        return self.weight * max(-STEEPEST, min(STEEPEST, (value - self.center) / self.scale))


@dataclass(frozen=True)
class Stage:
    """The probability that a suggestion is taken. ``fill`` stands for a feature that is not known."""

    names: tuple[str, ...]
    fill: tuple[float, ...]
    base: float
    trees: tuple[Tree, ...]
    slope: float = 1.0
    offset: float = 0.0
    past: tuple[Term, ...] = ()
    bias: float = 0.0
    terms: tuple[Term, ...] = ()

    def probability(self, features: Mapping[str, float], trust: float = 1.0) -> float:
        """In (0, 1), whatever the features hold. ``trust`` in [0, 1] is how much of the past counts."""
        return sigmoid(sum(self.parts(features, trust).values()))

    def parts(self, features: Mapping[str, float], trust: float = 1.0) -> dict[str, float]:
        """The log-odds as a sum: of the prior, the past, this user's bias, and each personal term."""
        prior = self.slope * self._forest(features) + self.offset
        past = sum(term.of(features.get(term.name)) for term in self.past)
        parts = {PRIOR: prior, "past": trust * max(-PAST_CAP, min(PAST_CAP, past)), "you": self.bias}
        for term in self.terms:
            parts[f"you: {term.name}"] = term.of(prior if term.name == PRIOR else features.get(term.name))
        return parts

    def explain(self, features: Mapping[str, float]) -> dict[str, float]:
        """The same sum with the prior taken apart: each split's change of the mean goes to its feature."""
        row = self._row(features)
        shares = {"average": self.slope * (self.base + sum(tree.values[0] for tree in self.trees)) + self.offset}
        for tree in self.trees:
            at = 0
            for _ in range(DEPTH):
                column, to = tree.columns[at], _next(tree, at, row)
                name = "average" if column < 0 else self.names[column]
                shares[name] = shares.get(name, 0.0) + self.slope * (tree.values[to] - tree.values[at])
                at = to
        own = {name: value for name, value in self.parts(features).items() if name != PRIOR}
        return {**shares, **own}

    def _row(self, features: Mapping[str, float]) -> list[float]:
        row = []
        for name, fill in zip(self.names, self.fill, strict=True):
            value = features.get(name, fill)
            row.append(value if math.isfinite(value) else fill)
        return row

    def _forest(self, features: Mapping[str, float]) -> float:
        row, total = [*self._row(features), -math.inf], self.base  # column -1 is the one that never goes right
        for tree in self.trees:
            columns, limits = tree.columns, tree.limits
            at = 2 if row[columns[0]] > limits[0] else 1
            at += at + (2 if row[columns[at]] > limits[at] else 1)
            at += at + (2 if row[columns[at]] > limits[at] else 1)
            total += tree.values[at]
        return total


@dataclass(frozen=True)
class Gate:
    """Both stages, the highest thresholds that cost a new user no more than a share of what would be taken, and a record.

    ``bounds`` maps a stage and a share to its threshold, as ``{"two": {"0.05": 0.11}}``. ``decided`` counts the labelled
    rows of this user behind it. ``id`` names this very content.
    """

    one: Stage
    two: Stage
    bounds: Mapping[str, Mapping[str, float]]
    decided: int = 0
    record: Mapping[str, Any] = field(default_factory=dict)
    id: str = ""


def sigmoid(logit: float) -> float:
    """Kept off 0 and 1: a gate is never certain."""
    return 1 / (1 + math.exp(-max(-12.0, min(12.0, logit))))


def _next(tree: Tree, at: int, row: list[float]) -> int:
    column = tree.columns[at]
    return 2 * at + 1 + (column >= 0 and row[column] > tree.limits[at])


def dumps(gate: Gate) -> str:
    """The gate as JSON with its checksum; equal gates give equal text."""
    body = {
        "format": FORMAT,
        "features": VERSION,
        "one": _stage_out(gate.one),
        "two": _stage_out(gate.two),
        "bounds": {stage: dict(shares) for stage, shares in gate.bounds.items()},
        "decided": gate.decided,
        "record": dict(gate.record),
    }
    return json.dumps({**body, "sha256": checked.checksum(body)}, allow_nan=False, separators=(",", ":")) + "\n"


def loads(text: str) -> Gate:
    """Read and check. Raises `ArtefactError` for anything that is not exactly a gate of this version."""
    if len(text) > LARGEST_FILE:
        raise _refusal(f"it is over {LARGEST_FILE // 1_000_000} MB")
    try:
        data = json.loads(text, parse_constant=checked.no_constant)
        body = {key: value for key, value in data.items() if key != "sha256"}
        _demand(body["format"] == FORMAT and body["features"] in range(1, VERSION + 1), "it is of another version")
        _demand(data["sha256"] == checked.checksum(body), "its checksum is wrong")
        gate = Gate(
            _stage_in(body["one"], STAGE_ONE),
            _stage_in(body["two"], STAGE_ONE + STAGE_TWO),
            _bounds_in(body["bounds"]),
            body["decided"],
            body["record"],
            data["sha256"][:16],
        )
        _demand(type(gate.decided) is int and gate.decided >= 0 and isinstance(gate.record, dict), "its record is broken")
    except ArtefactError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise _refusal(f"{type(error).__name__}: {error}") from error
    return gate


def load(path: Path) -> Gate:
    """The gate of a file. Raises `ArtefactError`."""
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise _refusal(f"{path.name} is over {LARGEST_FILE // 1_000_000} MB")
        return loads(path.read_text("utf-8"))
    except OSError as error:
        raise _refusal(f"{path.name}: {error.strerror}") from error


def named(gate: Gate) -> Gate:
    """The gate with the id of its content."""
    return replace(gate, id=json.loads(dumps(gate))["sha256"][:16])


def _stage_out(stage: Stage) -> dict[str, Any]:
    return {
        "names": stage.names,
        "fill": stage.fill,
        "base": stage.base,
        "trees": [[tree.columns, tree.limits, tree.values] for tree in stage.trees],
        "platt": [stage.slope, stage.offset],
        "past": [[t.name, t.center, t.scale, t.weight] for t in stage.past],
        "bias": stage.bias,
        "terms": [[t.name, t.center, t.scale, t.weight] for t in stage.terms],
    }


def _stage_in(data: dict[str, Any], known: tuple[str, ...]) -> Stage:
    names = tuple(data["names"])
    _demand(set(names) <= set(known) and len(set(names)) == len(names), "it has features that this version does not know")
    fill = checked.numbers(data["fill"], len(names), 1e9)
    _demand(len(data["trees"]) <= 2000, "it has too many trees")
    trees = tuple(_tree_in(tree, len(names)) for tree in data["trees"])
    slope, offset = checked.numbers(data["platt"], 2, 20.0)
    _demand(slope > 0, "its calibration is upside down")
    past, terms = _terms_in(data["past"], PAST), _terms_in(data["terms"], (*known, PRIOR))
    (base, bias) = checked.numbers([data["base"], data["bias"]], 2, 20.0)
    return Stage(names, fill, base, trees, slope, offset, past, bias, terms)


def _tree_in(data: list[Any], columns: int) -> Tree:
    splits, limits, values = data
    _demand(len(splits) == NODES and all(type(c) is int and -1 <= c < columns for c in splits), "a tree has a wrong shape")
    return Tree(tuple(splits), checked.numbers(limits, NODES, 1e12), checked.numbers(values, VALUES, 20.0))


def _terms_in(data: list[Any], known: Container[str]) -> tuple[Term, ...]:
    terms = []
    for name, *numbers in data:
        center, scale, weight = checked.numbers(numbers, 3, 1e9)
        _demand(name in known and scale > 0 and abs(weight) <= 20, "a weight is out of range or of an unknown feature")
        terms.append(Term(name, center, scale, weight))
    return tuple(terms)


def _bounds_in(data: dict[str, Any]) -> dict[str, dict[str, float]]:
    _demand(set(data) == {"one", "two"} and all(set(data[s]) == set(LINE_ALPHAS) for s in data), "its bounds are incomplete")
    _demand(all(0 <= v <= 1 for s in data.values() for v in s.values()), "a bound is no probability")
    return {
        stage: dict(zip(shares, checked.numbers(list(shares.values()), 3, 1.0), strict=True)) for stage, shares in data.items()
    }


def _demand(holds: bool, what: str) -> None:
    if not holds:
        raise _refusal(what)


def _refusal(what: str) -> ArtefactError:
    return ArtefactError(
        f"this is no usable gate ({what}): remove it with `sotto gate reset`, Sotto then starts from its prior"
    )
