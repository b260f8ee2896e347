"""The policies by name, as a setting names them."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from kernels import dispatch
from kernels.policies.act import Act
from kernels.policies.base import Policy
from kernels.policies.block_select import BlockSelect
from kernels.policies.hip import Hip
from kernels.policies.razor import Razor
from kernels.policies.streaming import Duo, SinkWindow
from kernels.policies.token_select import TokenSelect

POLICIES: dict[str, type[Policy]] = {
    "dense": Policy,
    "sink_window": SinkWindow,
    "duo": Duo,
    "razor": Razor,
    "block_select": BlockSelect,
    "token_select": TokenSelect,
    "hip": Hip,
    "act": Act,
}
CALIBRATED = ("duo", "razor")
"""These need the flags of a layer's key heads."""
FLAGS = {"duo": "full", "razor": "full", "act": "heads"}
"""The option that takes them."""

MIXERS = (
    "lightning",
    "based",
    "rat",
    "dynamic_mask",
    "routing",
    "agent",
    "inline",
    "flow",
    "softplus",
    "key_bias",
    "sigmoid",
    "s4d",
    "shifted",
    "positional",
    "ring",
)
"""These (`kernels.mixers`) work with the weights that were trained with them: they replace nothing in a finished checkpoint."""
FORGETTING = ("sink_window",)
"""By construction these never see again what has left their window, whatever is asked for."""

LOSSES = {
    "sink_window": "what stands between its sink and its window is forgotten: names defined there are not found",
    "hip": "chunks are judged by single keys: of the names defined far up three in twenty-four were not found again",
}
"""What `assistant.model.hf.quality` found that these lose at their default budgets, beyond them."""


def breaks_even(name: str) -> int:
    """Keys up to which a policy with its default budget is dense, because it would be slower (measured, kernels/configs)."""
    return dispatch.break_even().get(name, 0)


def make(name: str, **options: Any) -> Policy:
    """A fresh policy for one layer of one context. ValueError names what is wrong with the name or an option.

    Without ``least`` and with its default budget it is dense where that is faster; who sets other numbers sets ``least`` too.
    """
    if name not in POLICIES:
        raise ValueError(f"no attention policy is called {name!r}; choose from {', '.join(POLICIES)}")
    known = {entry.name for entry in fields(POLICIES[name]) if entry.init}
    if unknown := options.keys() - known:
        raise ValueError(f"{name} has no option {min(unknown)!r}; it has {', '.join(sorted(known)) or 'none'}")
    if not options.keys() - {"full"}:
        options["least"] = breaks_even(name)
    return POLICIES[name](**options)
