"""What attention looks at, layer by layer: a setting's words -> a policy of kernels/policies for each layer of a context.

Knows names, the calibration of a checkpoint and how many layers it has. Does not know tensors or models.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from assistant.types import EngineError

if TYPE_CHECKING:
    from kernels.policies.base import Policy

DENSE, RING, RETRIEVAL = "dense", "sink_window", "infini_retri"
_LAYERS = re.compile(r"(\d+)(?:-(\d+))?=(\w+)")


@dataclass(frozen=True)
class LayerPlan:
    """The policy ``name`` of one layer and what it is made with."""

    name: str = DENSE
    options: tuple[tuple[str, Any], ...] = ()

    def make(self, **others: Any) -> Policy:
        """A fresh one, for one context."""
        from kernels.policies.registry import make

        return make(self.name, **dict(self.options), **others)


@dataclass(frozen=True)
class AttentionPlan:
    """A plan for each layer, from first to last. ``text`` is the setting it was read from.

    ``retrieves``: a text that exceeds the window is not cut at one place but keeps the lines that are looked at. ``mixers``:
    names that only a checkpoint trained with them could follow; their layers are dense.
    """

    text: str
    layers: tuple[LayerPlan, ...]
    retrieves: bool = False
    mixers: tuple[str, ...] = ()

    @classmethod
    def read(cls, text: str, layers: int, heads: Mapping[str, Sequence[Sequence[bool]]], place: str = "DIR") -> AttentionPlan:
        """``text``: a policy's name, and after commas layers that have another one, as in ``duo,0-1=dense``.

        ``heads``: for each policy that is calibrated, the retrieval flags of each layer's key heads. Raises `EngineError`,
        saying which names there are or what has to be calibrated first, for the checkpoint in ``place``.
        """
        first, *others = [word.strip() for word in (text or DENSE).split(",")]
        retrieves = first == RETRIEVAL
        names = [DENSE if retrieves else first] * layers
        for word in others:
            found = _LAYERS.fullmatch(word)
            if found is None:
                raise EngineError(f"`attention` cannot be read at {word!r}; write a name, and layers as in {first},0-1=dense")
            begin, end = int(found[1]), int(found[2] or found[1])
            names[begin : end + 1] = [found[3]] * len(names[begin : end + 1])
        mixers = tuple(dict.fromkeys(name for name in names if _is_mixer(name)))
        return cls(text, tuple(_layer(name, index, heads, place) for index, name in enumerate(names)), retrieves, mixers)

    @property
    def losses(self) -> list[str]:
        """What is known to be lost where the budgets of these policies are exceeded."""
        from kernels.policies.registry import LOSSES

        return [f"{name}: {LOSSES[name]}" for name in dict.fromkeys(layer.name for layer in self.layers) if name in LOSSES]

    @property
    def fallbacks(self) -> list[str]:
        """Why some layers do not do what the setting names."""
        return [f"{name} mixes by weights of its own, which this checkpoint was not trained for: dense" for name in self.mixers]

    @property
    def is_dense(self) -> bool:
        return all(layer.name == DENSE for layer in self.layers)


def _is_mixer(name: str) -> bool:
    from kernels.policies.registry import MIXERS

    return name in MIXERS


def _layer(name: str, index: int, heads: Mapping[str, Sequence[Sequence[bool]]], place: str) -> LayerPlan:
    from kernels.policies.registry import CALIBRATED, FLAGS, MIXERS, POLICIES

    if name in MIXERS:
        return LayerPlan(DENSE)
    if name not in POLICIES:
        names = ", ".join((*POLICIES, RETRIEVAL))
        raise EngineError(f"`attention` knows no {name!r}; choose from {names}; or, trained with them: {', '.join(MIXERS)}")
    if name in heads and name in FLAGS:
        return LayerPlan(name, ((FLAGS[name], tuple(heads[name][index])),))
    if name in CALIBRATED:
        raise EngineError(
            f"`attention` is {name}, which needs to know the heads that retrieve; run: sotto model calibrate --attention {name}"
            f" --model {place}, and start Sotto again"
        )
    return LayerPlan(name)
