"""The cached forward pass against `Transformer.forward`, on any split into passes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from assistant.cancel import Cancelled
from assistant.model import checkpoint
from assistant.model.config import ModelConfig
from assistant.model.runner import Runner, Slot
from assistant.model.transformer import Transformer
from tests.assistant.model import tiny

SHAPES = {
    "grouped": tiny.config(context=96),
    "one head": ModelConfig(64, 24, 1, 1, 1, 8, 20, 96),
    "odd sizes, no qk norm": ModelConfig(70, 30, 3, 6, 2, 10, 26, 96, qk_norm=False),
    "as shipped, smaller": ModelConfig(128, 48, 4, 3, 1, 16, 64, 96),
}
SPLITS = {"at once": [90], "one by one": [1] * 90, "uneven": [7, 1, 64, 1, 2, 15]}


def ids(shape: ModelConfig, count: int = 90) -> list[int]:
    return torch.randint(0, shape.vocab_size, (count,), generator=torch.Generator().manual_seed(1)).tolist()


def nothing() -> bool:
    return False


def poisoned(shape: ModelConfig) -> Slot:
    """Fresh memory is NaN: reading a key that was never written shows."""
    slot = Slot(shape)
    slot.data.fill_(torch.nan)
    return slot


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
@pytest.mark.parametrize("split", SPLITS.values(), ids=SPLITS.keys())
def test_equals_the_transformer(shape: ModelConfig, split: list[int]) -> None:
    model = tiny.model(shape)
    runner, slot, tokens = Runner(shape, model.state_dict()), poisoned(shape), ids(shape)
    with torch.no_grad():
        expected = model(torch.tensor([tokens]))[0]
    rows = []
    for count in split:
        piece = tokens[slot.length : slot.length + count]
        rows.append(torch.from_numpy(runner.logits(piece, slot, nothing, rows=count)))
        slot.advance(piece)
    # Logits of size 30 from fp32 sums in another order: 1e-5 relative each, through four layers.
    torch.testing.assert_close(torch.cat(rows), expected, rtol=1e-3, atol=1e-3)
    assert torch.equal(torch.cat(rows).argmax(-1), expected.argmax(-1))


def test_the_last_row_alone_is_the_last_of_all_rows() -> None:
    shape = SHAPES["grouped"]
    runner, tokens = Runner(shape, tiny.model(shape).state_dict()), ids(shape, 30)
    every = runner.logits(tokens, poisoned(shape), nothing, rows=30)
    last = runner.logits(tokens, poisoned(shape), nothing)
    assert last.shape == (1, shape.vocab_size)
    np.testing.assert_allclose(last[0], every[-1], rtol=1e-4, atol=1e-4)  # the same sums, blocked differently


def test_the_slot_is_not_advanced_by_the_pass() -> None:
    shape = SHAPES["grouped"]
    slot = poisoned(shape)
    Runner(shape, tiny.model(shape).state_dict()).logits(ids(shape, 5), slot, nothing)
    assert slot.length == 0


def test_the_cancel_is_read_before_every_layer_and_ends_the_pass() -> None:
    shape = SHAPES["as shipped, smaller"]
    runner = Runner(shape, tiny.model(shape).state_dict())
    calls = 0

    def cancelled() -> bool:
        nonlocal calls
        calls += 1
        return calls == 3

    slot = poisoned(shape)
    with pytest.raises(Cancelled):
        runner.logits(ids(shape, 5), slot, cancelled)
    assert calls == 3
    assert bool(slot.data[1].isfinite().any())
    assert not slot.data[2].isfinite().any()


def test_shapes_are_those_of_the_transformer() -> None:
    for shape in SHAPES.values():
        found = {name: tuple(value.shape) for name, value in Transformer(shape).state_dict().items()}
        assert checkpoint.shapes(shape) == found


def test_a_quantised_checkpoint_runs_like_its_own_transformer(tmp_path: Path) -> None:
    loaded = checkpoint.load(tiny.build(tmp_path / "model"))
    tokens = ids(loaded.config, 40)
    expected = loaded.transformer()(torch.tensor([tokens]))[0]
    found = Runner(loaded.config, loaded.tensors()).logits(tokens, poisoned(loaded.config), nothing, rows=40)
    np.testing.assert_allclose(found, expected.detach().numpy(), rtol=1e-3, atol=1e-3)
