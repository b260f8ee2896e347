"""Turn tokens into the text that may be shown: whole characters, nothing of what was taken back, nothing past a stop text.

Knows bytes and strings; does not know the model or why decoding ends.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence


class Output:
    """One answer's text as it grows. ``tail`` is what healing took back: the tokens spell it first, and it is not repeated."""

    def __init__(self, token_bytes: Sequence[bytes], tail: str = "", stops: Sequence[str] = ()) -> None:
        self._token_bytes = token_bytes
        self._stops = tuple(stop for stop in stops if stop)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._text = ""
        self._sent = 0
        self._waiting: list[tuple[int, float]] = []  # (where the token's text starts, its logprob), not yet sent
        self.tail = tail.encode("utf-8", "replace")
        self.tokens = 0
        self.stopped = False

    def push(self, token: int, logprob: float) -> tuple[str, tuple[float, ...]]:
        """Take a token; return the text that is now certain, and the log-probabilities of the tokens it came from.

        A token that only respells the tail shows nothing, so it counts neither in ``tokens`` nor among the log-probabilities.
        """
        spelled = self._token_bytes[token]
        taken, self.tail = min(len(spelled), len(self.tail)), self.tail[len(spelled) :]
        if taken == len(spelled):
            return "", ()
        self.tokens += 1
        self._waiting.append((len(self._text), logprob))
        self._text += self._decoder.decode(spelled[taken:])
        found = [at for at in (self._text.find(stop, self._sent) for stop in self._stops) if at >= 0]
        self.stopped = bool(found)
        return self._send(min(found) if found else len(self._text) - self._could_be_stop())

    def flush(self) -> tuple[str, tuple[float, ...]]:
        """What was held back because a stop text might have come of it. Half a character at the very end is dropped."""
        return ("", ()) if self.stopped else self._send(len(self._text))

    def _send(self, until: int) -> tuple[str, tuple[float, ...]]:
        text = self._text[self._sent : until]
        sent = tuple(logprob for start, logprob in self._waiting if start < until)
        self._waiting = self._waiting[len(sent) :]
        self._sent = max(until, self._sent)
        return text, sent

    def _could_be_stop(self) -> int:
        """Length of the longest end of the text that is the beginning of a stop text."""
        longest = max(map(len, self._stops), default=1) - 1
        for length in range(min(longest, len(self._text) - self._sent), 0, -1):
            if any(stop.startswith(self._text[-length:]) for stop in self._stops):
                return length
        return 0
