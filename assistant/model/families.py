"""Model families: which special tokens a checkpoint must bring, and which of them ends an answer.

Knows names only: their spelling is the checkpoint's, their order in a prompt is the prompt builder's.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    """``end`` closes a document and an answer; ``required`` are the names that prompts of this family use."""

    name: str
    end: str
    required: tuple[str, ...]


FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (Family("sotto", end="end", required=("end", "file", "fim_prefix", "fim_suffix", "fim_middle")),)
}
