"""A corpus as a few compressed pieces that travel to a machine without a network.

Knows the corpus's lines and xz. Does not know what is in them.
"""

from __future__ import annotations

import lzma
import os
from collections.abc import Iterator
from pathlib import Path

from assistant.training.sources import CorpusError

PIECE_BYTES = 150_000_000  # of text; xz makes source code about five times smaller, which keeps a piece under 50 MB

NEEDED = ("held_out.jsonl", "corpus.json", "train.jsonl")
OPTIONAL = ("edits.jsonl",)


def pack(corpus: Path, out: Path, piece_bytes: int = PIECE_BYTES) -> list[Path]:
    """Write ``corpus``'s files to ``out`` as NAME.NNN.xz; returns the pieces."""
    out.mkdir(parents=True, exist_ok=True)
    pieces = []
    for name in (*NEEDED, *(name for name in OPTIONAL if (corpus / name).exists())):
        for number, piece in enumerate(_pieces(corpus / name, piece_bytes)):
            path = out / f"{name}.{number:03d}.xz"
            partial = path.with_suffix(".partial")
            partial.write_bytes(lzma.compress(piece))
            os.replace(partial, path)
            pieces.append(path)
    return pieces


def unpack(folder: Path, corpus: Path) -> None:
    """Put the corpus that `pack` wrote to ``folder`` together in ``corpus``."""
    corpus.mkdir(parents=True, exist_ok=True)
    for name in (*OPTIONAL, *NEEDED):  # train.jsonl last: it says that the corpus is there
        pieces = sorted(folder.glob(f"{name}.*.xz"))
        if not pieces and name in OPTIONAL:
            continue
        if not pieces:
            raise CorpusError(f"{folder} lacks {name}.000.xz; copy every piece of the packed corpus there")
        partial = corpus / f"{name}.partial"
        try:
            with partial.open("wb") as out:
                for piece in pieces:
                    out.write(lzma.decompress(piece.read_bytes()))
        except (lzma.LZMAError, OSError) as error:
            partial.unlink(missing_ok=True)
            raise CorpusError(f"{folder} holds a damaged piece of {name} ({error}); copy it again") from error
        os.replace(partial, corpus / name)


def _pieces(path: Path, size: int) -> Iterator[bytes]:
    """Whole lines, about ``size`` bytes at a time."""
    with path.open("rb") as lines:
        while piece := b"".join(lines.readlines(size)):
            yield piece
