"""A completer in virtual time, and one question to it."""

from __future__ import annotations

from assistant.cancel import Cancel
from assistant.config import Config
from assistant.service import Completer
from assistant.types import Completion, Snapshot
from tests.assistant.fakes import FakeModel, numbered
from tests.assistant.virtual_time import now, run

CONFIG = Config()


def completer(model: FakeModel) -> Completer:
    return Completer(model, clock=now, new_id=numbered())


async def ask(service: Completer, document: Snapshot, config: Config = CONFIG) -> Completion:
    return await service.complete(document, config, Cancel())


def one(model: FakeModel, document: Snapshot, config: Config = CONFIG) -> Completion:
    """One answer of a fresh completer, in virtual time."""

    async def main() -> Completion:
        return await ask(completer(model), document, config)

    return run(main())
