"""How each model family wants a hole in a file to be written: one entry of the table each.

Knows names of special tokens, not their ids; the tokenizer drops nothing and adds nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from assistant.completion.context import Site
from assistant.completion.retrieval import NOTHING, Retrieved
from assistant.types import EngineError, Part


def _sotto(site: Site, found: Retrieved) -> tuple[Part, ...]:
    """Suffix first (SPM, arXiv 2207.14255, section 3): the text before the cursor comes last, so a keystroke adds a few
    tokens at the prompt's end and all that was prefilled stays good. Other files stand before as documents of their own.
    """
    others = [
        (Part(special="file"), Part(text=f"{path}\n{text}\n", keep="start"), Part(special="end")) for path, text in found.files
    ]
    return (
        *(part for other in others for part in other),
        Part(special="file"),
        Part(text=f"{site.path}\n"),
        Part(special="fim_prefix"),
        Part(special="fim_suffix"),
        Part(text=site.suffix, keep="start"),
        Part(special="fim_middle"),
        Part(text=site.prefix, keep="end"),
    )


LAYOUTS: dict[str, Callable[[Site, Retrieved], tuple[Part, ...]]] = {"sotto": _sotto}


def fim(family: str, site: Site, found: Retrieved = NOTHING) -> tuple[Part, ...]:
    """The prompt for a place, with what was found elsewhere for it. Raises `EngineError` for a family without a layout."""
    layout = LAYOUTS.get(family)
    if layout is None:
        known = ", ".join(sorted(LAYOUTS))
        raise EngineError(f"Sotto does not know how to ask a model of the family {family!r} to fill a hole; it knows {known}.")
    return layout(site, found)
