"""Random checkpoints that the model's tests share; built once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from assistant.model.checkpoint import Checkpoint, load
from assistant.model.pace import Pace
from tests.assistant.model import tiny


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Random models this small only wait at the barriers of a second thread."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random int8 checkpoint."""
    return tiny.build(tmp_path_factory.mktemp("tiny") / "checkpoint")


@pytest.fixture(scope="session")
def loaded(tiny_checkpoint: Path) -> Checkpoint:
    return load(tiny_checkpoint)


@pytest.fixture
def untimed() -> Iterator[None]:
    """Drafts are as long as the share of right ones says: how long passes take here and now is not looked at."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Pace, "took", lambda *_: None)
        yield
