"""What a rule is: a name and a function over a context, callable as a `Pattern`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from assistant.cancel import Cancel, Cancelled
from assistant.next_edit.patterns.context import Context
from assistant.next_edit.types import Candidate, Scene


@dataclass(frozen=True)
class Rule:
    """One rule; ``find`` may stop with `Cancelled`."""

    name: str
    find: Callable[[Context], Iterable[Candidate]]

    def __call__(self, scene: Scene, cancel: Cancel) -> Iterable[Candidate]:
        return list(self.run(Context(scene, cancel)))

    def run(self, context: Context) -> Iterator[Candidate]:
        """The rule over a context that others share; ends early, without an exception, once it is cancelled."""
        try:
            for candidate in self.find(context):
                yield candidate
                context.cancel.check()
        except Cancelled:
            return
