"""How each layout wants a hole in a file to be written: one entry of the table each.

Knows names of special tokens, not their ids; the tokenizer drops nothing and adds nothing. Which layout a checkpoint takes is
found in its special tokens (`assistant.model.families.layout`) and comes as `ModelInfo.layout`.
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
        *_suffix_before_prefix(site),
    )


def _suffix_before_prefix(site: Site) -> tuple[Part, ...]:
    return (
        Part(special="fim_prefix"),
        Part(special="fim_suffix"),
        Part(text=site.suffix, keep="start"),
        Part(special="fim_middle"),
        Part(text=site.prefix, keep="end"),
    )


def _spm(site: Site, found: Retrieved) -> tuple[Part, ...]:
    """CodeLlama's suffix-first order; other files stand behind the suffix, as code above the text before the cursor."""
    hole = _suffix_before_prefix(site)
    return (*hole[:-1], *_above(found), hole[-1])


def _psm(site: Site, found: Retrieved) -> tuple[Part, ...]:
    """Prefix, suffix, middle; the middle begins with the cursor's line, for typing within it then changes only the end.

    The cut of the text before the cursor lies at a line start, where the model has seen most of its holes begin.
    """
    above, line = _split(site.prefix)
    return (
        Part(special="fim_prefix"),
        *_above(found),
        Part(text=above, keep="end"),
        Part(special="fim_suffix"),
        Part(text=site.suffix, keep="start"),
        Part(special="fim_middle"),
        Part(text=line, keep="end"),
    )


def _psm_files(site: Site, found: Retrieved) -> tuple[Part, ...]:
    """The same behind a path, other files before it (Qwen2.5-Coder, arXiv 2409.12186, section 3; StarCoder2)."""
    others = [(Part(special="file_sep"), Part(text=f"{path}\n{text}\n", keep="start")) for path, text in found.files]
    return (
        *(part for other in others for part in other),
        Part(special="file_sep"),
        Part(text=f"{site.path}\n"),
        *_psm(site, NOTHING),
    )


def _suffix_first(site: Site, found: Retrieved) -> tuple[Part, ...]:
    """Codestral: the suffix, then the prefix, which the model continues."""
    return (
        Part(special="fim_suffix"),
        Part(text=site.suffix, keep="start"),
        Part(special="fim_prefix"),
        *_above(found),
        Part(text=site.prefix, keep="end"),
    )


def _plain(site: Site, found: Retrieved) -> tuple[Part, ...]:
    """A model that has learnt no hole continues the text before the cursor."""
    return (*_above(found), Part(text=site.prefix, keep="end"))


def _above(found: Retrieved) -> tuple[Part, ...]:
    """Other files for a model without a token for files: their text, as if it stood in this one."""
    return tuple(Part(text=f"{text}\n\n", keep="start") for _, text in found.files)


def _split(prefix: str) -> tuple[str, str]:
    """The lines above the cursor's, and the cursor's up to the cursor."""
    start = prefix.rfind("\n") + 1
    return prefix[:start], prefix[start:]


LAYOUTS: dict[str, Callable[[Site, Retrieved], tuple[Part, ...]]] = {
    "sotto": _sotto,
    "spm": _spm,
    "psm": _psm,
    "psm_files": _psm_files,
    "suffix_first": _suffix_first,
    "plain": _plain,
}


def fim(layout: str, site: Site, found: Retrieved = NOTHING) -> tuple[Part, ...]:
    """The prompt for a place, with what was found elsewhere for it. Raises `EngineError` for a layout not known here."""
    build = LAYOUTS.get(layout)
    if build is None:
        known = ", ".join(sorted(LAYOUTS))
        raise EngineError(f"Sotto does not know the layout {layout!r} of a hole in a file; it knows {known}.")
    return build(site, found)
