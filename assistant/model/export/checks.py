"""One line of a proof: what was checked, the verdict, what was found, and what to do about it. Knows nothing of models."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from assistant.model.export.optional import MissingPackageError
from assistant.model.export.place import ExportError

OK, FAILED, NOT_CHECKED, NOTED = "ok", "failed", "not checked", "noted"


@dataclass(frozen=True)
class Check:
    """``noted`` is a figure that neither proves nor disproves; ``advice`` says what to do about the others."""

    name: str
    verdict: str
    found: str
    advice: str = ""


def proof(name: str, holds: bool, found: str) -> Check:
    """A check that was made; one that fails is a fault of ours, not of the user's machine."""
    return Check(name, OK if holds else FAILED, found, "" if holds else "do not use this export; report this line")


def guarded(name: str, checks: Callable[[], Iterator[Check]]) -> Iterator[Check]:
    """What keeps ``checks`` from being made, as a check: a package that is missing, a disk that is full."""
    try:
        yield from checks()
    except MissingPackageError as missing:
        yield Check(name, NOT_CHECKED, missing.why, f"run: {missing.command}")
    except (ExportError, OSError) as error:
        yield Check(name, FAILED, str(error), "make room in the folder for temporary files and try again")
