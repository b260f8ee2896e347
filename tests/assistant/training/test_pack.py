"""A packed corpus unpacks to the same bytes; a missing or damaged piece is named and nothing is half-written."""

from __future__ import annotations

from pathlib import Path

import pytest

from assistant.training import pack
from assistant.training.sources import CorpusError


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "corpus"
    folder.mkdir()
    (folder / "train.jsonl").write_text("".join(f'{{"text": "line {i} é"}}\n' for i in range(500)))
    (folder / "held_out.jsonl").write_text("{}\n")
    (folder / "corpus.json").write_text("{}\n")
    return folder


def test_there_and_back(corpus: Path, tmp_path: Path) -> None:
    pieces = pack.pack(corpus, tmp_path / "pack", piece_bytes=4000)
    assert len(pieces) > 4
    pack.unpack(tmp_path / "pack", tmp_path / "again")
    for file in corpus.iterdir():
        assert (tmp_path / "again" / file.name).read_bytes() == file.read_bytes()


def test_a_damaged_piece_is_named(corpus: Path, tmp_path: Path) -> None:
    pieces = pack.pack(corpus, tmp_path / "pack", piece_bytes=4000)
    pieces[2].write_bytes(b"not xz")
    with pytest.raises(CorpusError, match="damaged piece of train"):
        pack.unpack(tmp_path / "pack", tmp_path / "again")
    assert not list((tmp_path / "again").glob("train.jsonl*"))


def test_a_missing_piece_is_named(tmp_path: Path) -> None:
    (tmp_path / "pack").mkdir()
    with pytest.raises(CorpusError, match=r"lacks held_out\.jsonl\.000\.xz"):
        pack.unpack(tmp_path / "pack", tmp_path / "again")
