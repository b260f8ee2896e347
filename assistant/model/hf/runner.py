"""One forward pass of a transformers model over our KV cache.

Knows a loaded model and a slot. Does not advance the slot, choose tokens or know text. What cannot go back (a ring that has
passed by, a recurrent state) empties its slot where a prompt changed: the engine then reads the prompt from the beginning.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from enum import Enum
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers.cache_utils import Cache

from assistant.cancel import Cancelled
from assistant.model.hf.attention import Attention
from assistant.model.hf.layers import SLACK, HeldLayer
from assistant.model.hf.plans import DENSE, RING, AttentionPlan
from assistant.model.kv_cache import Context
from assistant.model.mixture import Floats
from assistant.types import EngineError
from kernels.cache.growing import Growing
from kernels.cache.ring import Ring


class Way(Enum):
    """How much of ours a model runs on; the value is why it is not more."""

    OURS = ""
    CACHE = "its class does not let another attention in"
    THEIRS = "its layers keep more than keys and values"
    ALONE = "its class keeps nothing between two passes"


class HubSlot(Context):
    """A context in our own layers, as ``plan`` wants them."""

    def __init__(self, plan: AttentionPlan, most: int, tight: bool) -> None:
        super().__init__()
        self.layers: list[HeldLayer] = []
        for layer in plan.layers:
            if tight and layer.name == RING:
                policy = layer.make(least=0)  # there are no rows that see everything: not everything is kept
                self.layers.append(HeldLayer(Ring(policy.options()["sink"], policy.options()["window"], SLACK), policy))
            else:
                self.layers.append(HeldLayer(Growing(most), layer.make()))
        self.cache = Cache(layers=list(self.layers))

    @torch.inference_mode()
    def truncate(self, length: int) -> None:
        """To ``length`` tokens; to none where a layer has passed by what they see."""
        length = length if all(layer.can_go_back(length) for layer in self.layers) else 0
        super().truncate(length)
        for layer in self.layers:
            layer.go_back(length)

    @torch.inference_mode()
    def _copy(self, other: Context, length: int) -> None:
        assert isinstance(other, HubSlot)
        if not all(layer.can_go_back(length) for layer in other.layers):
            return
        for mine, theirs in zip(self.layers, other.layers, strict=True):
            mine.copy_head(theirs, length)

    def copy_head(self, other: Context, length: int) -> None:
        """See `Context`; nothing is taken from what cannot go back so far."""
        super().copy_head(other, length)
        if self.layers and self.layers[0].length < length:
            self.ids = []


class StateSlot(Context):
    """A context in whatever the model itself makes: it can grow and begin anew, no more."""

    def __init__(self) -> None:
        super().__init__()
        self.cache: Any = None

    def truncate(self, length: int) -> None:
        """To nothing, unless nothing is taken away."""
        if length < self.length:
            super().truncate(0)
            self.cache = None

    def copy_head(self, other: Context, length: int) -> None:
        """Nothing can be taken over: it is run again."""
        self.truncate(0)


class HubRunner:
    """``model`` is a causal language model of transformers, in evaluation mode; ``most`` tokens a context.

    ``attention`` is the function the model was loaded with; ``plan_of`` reads the words of a setting. ``tight`` memory holds no
    more of a layer than its policy reads, where that is a sink and a window: what was passed by is read again when an edit goes
    back behind it.
    """

    def __init__(
        self,
        model: Any,
        most: int,
        attention: Attention,
        plan_of: Callable[[str], AttentionPlan],
        tight: bool = False,
    ) -> None:
        self.model = model
        self.most = most
        self.way = Way.OURS
        self.tight = tight
        self._attention, self._usual = attention, DENSE
        self._plan_of = lru_cache(maxsize=16)(plan_of)
        self._cancelled: Callable[[], bool] = bool
        for block in _blocks(model, len(self._plan_of(DENSE).layers)):
            block.register_forward_pre_hook(self._stop_if_cancelled)
        self._takes = inspect.signature(model.forward).parameters
        model.get_output_embeddings().register_forward_pre_hook(self._keep_stream)

    def prefer(self, attention: str) -> None:
        """What a request means that names no ``attention``. Raises `EngineError` where it names nothing this model can do."""
        self.context(attention)
        self._usual = attention

    def context(self, attention: str = "") -> Context:
        """An empty one. Raises `EngineError` where ``attention`` names nothing that this model can do."""
        plan = self._plan_of(attention or self._usual)
        if self.way is not Way.OURS and not (plan.is_dense and not plan.retrieves):
            raise EngineError(f"`attention` can only be {DENSE} with this model: {self.way.value}")
        return HubSlot(plan, self.most, self.tight) if self.crops else StateSlot()

    def retrieves(self, attention: str = "") -> bool:
        """Whether the words of a setting ask to look for the lines of a text that exceeds the window."""
        return self._plan_of(attention or self._usual).retrieves

    @property
    def crops(self) -> bool:
        """Whether the end of a context can be taken back: drafts need it."""
        return self.way in (Way.OURS, Way.CACHE)

    @property
    def chunk(self) -> int:
        """Tokens of one prefill pass. A state is read in whole, for not every model goes on from one with more than a token."""
        return SLACK if self.crops else self.most

    @torch.inference_mode()
    def logits(self, ids: Sequence[int], slot: Context, cancelled: Callable[[], bool], rows: int = 1) -> Floats:
        """Run ``ids`` behind what the slot holds; logits [rows, V] of the last ``rows`` of them, float32.

        ``cancelled`` is asked before every layer; raises `Cancelled`, and then nothing of this pass counts.
        """
        self._cancelled = cancelled
        if isinstance(slot, HubSlot):
            return self._in_our_cache(ids, slot, rows)
        assert isinstance(slot, StateSlot)
        if self.way is Way.ALONE:
            return self._forward([*slot.ids, *ids], 0, None, rows)
        return self._in_its_state(ids, slot, rows)

    def _in_our_cache(self, ids: Sequence[int], slot: HubSlot, rows: int) -> Floats:
        """In pieces that a ring can take."""
        self._attention.layers = slot.layers
        for layer in slot.layers:
            layer.go_back(slot.length)  # what a cancelled pass has left
        found = []
        for start in range(0, len(ids), SLACK):
            piece = ids[start : start + SLACK]
            wanted = min(len(piece), start + len(piece) - (len(ids) - rows))
            logits = self._forward(piece, slot.length + start, slot.cache, max(1, wanted))
            if wanted > 0:
                found.append(logits)
        self._attention.tell()
        return found[0] if len(found) == 1 else np.concatenate(found)

    def _in_its_state(self, ids: Sequence[int], slot: StateSlot, rows: int) -> Floats:
        """At once from the beginning, else token by token. A pass that does not end leaves a state that is of no use."""
        begun, slot.cache = slot.cache, None
        if slot.length and begun is None:
            ids, start = [*slot.ids, *ids], 0
        else:
            start = slot.length
        pieces = [ids] if not start else [[token] for token in ids]
        found = []
        for at, piece in enumerate(pieces):
            found.append(self._forward(piece, start + at, begun, min(rows, len(piece))))
            begun = self._made
        slot.cache = begun
        return np.concatenate(found)[-rows:]

    def stream_of(self, ids: Sequence[int], slot: HubSlot, rows: int) -> Tensor:
        """[rows, D] what the output layer sees of the last ``rows`` of one pass into an empty slot; gradients pass."""
        self._attention.layers = slot.layers
        self._forward(ids, 0, slot.cache, rows)
        return self._seen.reshape(-1, self._seen.shape[-1])[-rows:]

    def stream(self) -> Floats:
        """[D] what the output layer saw of the last row of the last pass."""
        stream: Floats = self._seen.reshape(-1, self._seen.shape[-1])[-1].float().cpu().numpy()
        return stream

    def _keep_stream(self, module: torch.nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """The last rows of many, copied: with the strides of the many, torch copies the output layer's weights instead.

        That took 1.8 of the 2.0 s of a pass over 64 tokens of a 0.5-billion model with 152,000 tokens in bf16.
        """
        self._seen = inputs[0].clone(memory_format=torch.contiguous_format)
        return (self._seen, *inputs[1:])

    def _forward(self, ids: Sequence[int], start: int, cache: Any, rows: int) -> Floats:
        device = self.model.device
        told: dict[str, Any] = {"input_ids": torch.tensor([list(ids)], device=device), "return_dict": True}
        told |= {name: value for name, value in self._extras(start, len(ids), rows).items() if name in self._takes}
        if cache is not None:
            told["past_key_values"] = cache
        answer = self.model(**told, use_cache=self.way is not Way.ALONE)
        self._made = getattr(answer, "past_key_values", None) or getattr(answer, "cache_params", None)
        logits: Floats = answer.logits[0, -rows:].detach().float().cpu().numpy()
        return logits

    def _extras(self, start: int, count: int, rows: int) -> dict[str, Any]:
        """What most models take besides the tokens, and some do not."""
        places = torch.arange(start, start + count, device=self.model.device)[None]
        return {"position_ids": places, "logits_to_keep": rows}

    def _stop_if_cancelled(self, module: torch.nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if self._cancelled():
            raise Cancelled


def _blocks(model: Any, count: int) -> list[torch.nn.Module]:
    """The decoder layers: the list of that many modules that lies nearest to the root."""
    for module in model.modules():
        if isinstance(module, torch.nn.ModuleList) and len(module) == count:
            return list(module)
    return []
