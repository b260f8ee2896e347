"""The GPU's runner: on a CPU it computes what the plain one does; on a GPU a recorded pass what an unrecorded one does."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from assistant.cancel import Cancelled
from assistant.model import cuda, devices
from assistant.model.checkpoint import Checkpoint
from assistant.model.cuda import CudaRunner
from assistant.model.engine import Engine
from assistant.model.runner import Runner
from assistant.types import EngineError, GenerateRequest, OpenFile, Part
from tests.assistant.model import tiny

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU that torch can use")


def never() -> bool:
    return False


def ids(count: int) -> list[int]:
    made: list[int] = torch.randint(0, 384, (count,), generator=torch.Generator().manual_seed(2)).tolist()
    return made


def pair(device: str, dtype: torch.dtype) -> tuple[CudaRunner, Runner]:
    shape = tiny.config()
    weights = tiny.model(shape).state_dict()
    return CudaRunner(shape, weights, device, dtype), Runner(shape, weights)


@pytest.mark.parametrize("sizes", [[40, 1, 1, 3, 8, 1, 20, 7], [1] * 12, [9, 9], [8, 8, 8]])
def test_any_cutting_into_passes_computes_what_the_plain_runner_does(sizes: list[int]) -> None:
    ours, plain = pair("cpu", torch.float32)
    mine, theirs, given = ours.context(), plain.context(), ids(sum(sizes))
    for size in sizes:
        part, given = given[:size], given[size:]
        for rows in (size, 1):
            found, expected = ours.logits(part, mine, never, rows), plain.logits(part, theirs, never, rows)
            np.testing.assert_allclose(found, expected, atol=2e-4 * float(np.abs(expected).max()))  # sums in another order
        np.testing.assert_allclose(ours.stream(), plain.stream(), atol=2e-3)
        mine.advance(part)
        theirs.advance(part)


def test_an_engine_decodes_with_it_as_with_the_plain_one(loaded: Checkpoint) -> None:
    """Its cache going forwards, backwards and from slot to slot, drafts and all."""
    ours = Engine(loaded, runner=CudaRunner(loaded.config, loaded.tensors(), "cpu", torch.float32))
    plain = Engine(loaded)
    text = tiny.TEXT * 2
    for place in (300, 310, 120, 400, 305):
        file = OpenFile("k", text[:place], text[place:])
        request = GenerateRequest((Part(text=text[place - 100 : place]),), 16, budget_ms=math.inf, file=file)
        said = ["".join(chunk.text for chunk in engine.generate(request)) for engine in (ours, plain)]
        assert said[0] == said[1]


def test_a_cancel_is_seen_before_a_pass() -> None:
    ours, _ = pair("cpu", torch.float32)
    with pytest.raises(Cancelled):
        ours.logits([1, 2], ours.context(), lambda: True)


@pytest.mark.parametrize(
    ("device", "large", "there", "expected"),
    [("cpu", True, True, False), ("cuda", False, True, True), ("auto", True, True, True), ("auto", True, False, False),
     ("auto", False, True, False)],
)  # fmt: skip
def test_which_models_run_there(
    device: str, large: bool, there: bool, expected: bool, loaded: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    monkeypatch.setattr(devices, "LARGE", 1 if large else 10**12)
    monkeypatch.setattr(cuda, "CudaRunner", lambda *_: "a runner")
    assert (devices.gpu_runner(loaded, device) is not None) == expected


def test_a_gpu_that_is_asked_for_and_missing_is_said(loaded: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(EngineError, match="--device"):
        devices.gpu_runner(loaded, "cuda")


@needs_gpu
def test_a_recorded_pass_computes_what_an_unrecorded_one_does() -> None:
    ours, plain = pair("cuda", torch.bfloat16)
    context, theirs, given = ours.context(), plain.context(), ids(80)
    for size in (40, 1, 1, 4, 8, 1, 2, 4, 1):
        part, given = given[:size], given[size:]
        found, expected = ours.logits(part, context, never, size), plain.logits(part, theirs, never, size)
        assert np.abs(found - expected).max() < 0.1 * expected.std()  # bfloat16 keeps eight bits
        context.advance(part)
        theirs.advance(part)
    assert all(recorded.graph is not None for recorded in context.passes.values())
