"""Gradient boosting of shallow trees on the logistic loss, in numpy: what the prior of the gate is made of.

Newton steps on histograms, trees of `DEPTH` levels that are always complete (a node without a useful split sends everything
left), so that a tree is three short arrays. Knows matrices, not features; deterministic for a seed. Never runs in the server.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
DEPTH = 3
NODES, LEAVES = 2**DEPTH - 1, 2**DEPTH
BINS = 48


@dataclass(frozen=True)
class Settings:
    """Chosen by hand after the study's baseline; not searched over."""

    trees: int = 150
    rate: float = 0.04
    columns: float = 0.5
    ridge: float = 5.0
    least: int = 20
    seed: int = 0


@dataclass(frozen=True)
class Tree:
    """Node i sends a row right, to 2i + 2, if ``column[i]`` is above ``limit[i]``; ``value`` [NODES + LEAVES] are log-odds."""

    column: NDArray[np.int64]
    limit: Array
    value: Array


@dataclass(frozen=True)
class Forest:
    base: float
    trees: tuple[Tree, ...]

    def predict(self, x: Array) -> Array:
        """Log-odds [n] of rows ``x`` [n, columns]."""
        total = np.full(len(x), self.base)
        rows = np.arange(len(x))
        for tree in self.trees:
            at = np.zeros(len(x), np.int64)
            for _ in range(DEPTH):
                at = 2 * at + 1 + (x[rows, tree.column[at]] > tree.limit[at])
            total += tree.value[at]
        return total


def fit(x: Array, y: Array, weight: Array, settings: Settings = Settings()) -> Forest:
    """A forest for labels ``y`` in {0, 1} [n]; ``x`` [n, columns] must be finite."""
    rng = np.random.default_rng(settings.seed)
    edges = [_edges(x[:, column]) for column in range(x.shape[1])]
    binned = np.stack([np.searchsorted(edge, x[:, column], "left") for column, edge in enumerate(edges)], axis=1)
    useful = np.flatnonzero([len(edge) > 0 for edge in edges])
    rate = float(np.average(y, weights=weight))
    base = float(np.log(rate / (1 - rate)))
    score = np.full(len(y), base)
    trees = []
    for _ in range(settings.trees):
        chosen = rng.choice(useful, max(1, round(settings.columns * len(useful))), replace=False)
        p = 1 / (1 + np.exp(-score))
        tree, at = _tree(binned, edges, np.sort(chosen), weight * (y - p), weight * p * (1 - p), weight, settings)
        score += tree.value[at]
        trees.append(tree)
    return Forest(base, tuple(trees))


def _edges(column: Array) -> Array:
    """Limits between the values, at most `BINS` - 1, halfway between neighbours."""
    values = np.unique(column)
    if len(values) > BINS:
        values = np.unique(np.quantile(column, np.linspace(0, 1, BINS)))
    return (values[1:] + values[:-1]) / 2


def _tree(
    binned: NDArray[np.int64],
    edges: list[Array],
    chosen: NDArray[np.int64],
    gradient: Array,
    hessian: Array,
    weight: Array,
    settings: Settings,
) -> tuple[Tree, NDArray[np.int64]]:
    """One tree, and the leaf each row ends in."""
    tree = Tree(np.zeros(NODES, np.int64), np.full(NODES, np.inf), np.zeros(NODES + LEAVES))
    at = np.zeros(len(binned), np.int64)
    tree.value[0] = settings.rate * gradient.sum() / (hessian.sum() + settings.ridge)
    for depth in range(DEPTH):
        first, count = 2**depth - 1, 2**depth
        sums = _histograms(binned[:, chosen], at - first, count, (gradient, hessian, weight))
        best_column, best_bin, gain = _best(sums, settings)
        for node in np.flatnonzero(gain > 1e-9):
            column = int(chosen[best_column[node]])
            if best_bin[node] < len(edges[column]):
                tree.column[first + node] = column
                tree.limit[first + node] = edges[column][best_bin[node]]
        limits = np.array([np.searchsorted(edges[c], v, "left") for c, v in zip(tree.column, tree.limit, strict=True)])
        at = 2 * at + 1 + (binned[np.arange(len(at)), tree.column[at]] > limits[at])
        nodes = np.arange(2 * first + 1, 2 * first + 1 + 2 * count)
        g = np.bincount(at - nodes[0], gradient, 2 * count)
        h = np.bincount(at - nodes[0], hessian, 2 * count)
        tree.value[nodes] = settings.rate * g / (h + settings.ridge)
    return tree, at


def _histograms(binned: NDArray[np.int64], node: NDArray[np.int64], nodes: int, what: tuple[Array, ...]) -> list[Array]:
    """Sums of each of ``what`` by node, column and bin: [nodes, columns, BINS]."""
    columns = binned.shape[1]
    index = ((node[:, None] * columns + np.arange(columns)) * BINS + binned).ravel()
    size = nodes * columns * BINS
    sums = [np.bincount(index, np.repeat(values, columns), size) for values in what]
    return [np.asarray(part, np.float64).reshape(nodes, columns, BINS) for part in sums]


def _best(sums: list[Array], settings: Settings) -> tuple[NDArray[np.int64], NDArray[np.int64], Array]:
    """The best column, the last bin that stays left, and what the split gains, for each node."""
    left = [np.cumsum(part, axis=2) for part in sums]
    right = [part[:, :, -1:] - part for part in left]
    score = sum(g**2 / (h + settings.ridge) for g, h in ((left[0], left[1]), (right[0], right[1])))
    total = left[0][:, :, -1:] ** 2 / (left[1][:, :, -1:] + settings.ridge)
    gain = np.where((left[2] >= settings.least) & (right[2] >= settings.least), score - total, -np.inf)
    flat = gain.reshape(len(gain), -1).argmax(axis=1)
    return flat // BINS, flat % BINS, gain.reshape(len(gain), -1)[np.arange(len(gain)), flat]
