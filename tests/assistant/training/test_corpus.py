"""Near duplicates, held-out look-alikes, and a corpus file that is whole or absent."""

from __future__ import annotations

from pathlib import Path

import pytest

from assistant.training import corpus
from assistant.training.corpus import Deduplicator, Report
from assistant.training.sources import CorpusError, SourceFile


def source(name: str, body: int, package: str = "pkg", lines: int = 60) -> SourceFile:
    text = "".join(f"def function_{body}_{i}(argument):\n    return compute_{body}({i}, argument)\n" for i in range(lines))
    return SourceFile(package, "MIT", name, text.encode())


def collect(*files: SourceFile, **options: object) -> tuple[list[str], Report]:
    report = Report()
    held = [options.pop("held")] if "held" in options else []
    docs = corpus.documents(files, Deduplicator(map(str, held)), report, **options)  # type: ignore[arg-type]
    return [doc.path for doc in docs], report


def test_a_near_duplicate_is_left_out() -> None:
    copy = source("pkg/b.py", 1)
    nearly = SourceFile("other", "MIT", "other/b.py", copy.data + b"\n\ndef extra():\n    return 1\n")
    paths, report = collect(source("pkg/a.py", 1), nearly, source("pkg/c.py", 2))
    assert paths == ["pkg/a.py", "pkg/c.py"]
    assert report.rejected == {"duplicate": 1}


def test_a_file_that_shares_lines_with_a_held_out_one_is_left_out() -> None:
    held = source("h/a.py", 7, lines=20).data.decode()
    mixed = SourceFile("pkg", "MIT", "pkg/a.py", source("x", 8).data + held.encode())
    paths, report = collect(mixed, source("pkg/b.py", 9), held=held)
    assert paths == ["pkg/b.py"]
    assert report.rejected == {"held-out": 1}


def test_a_package_takes_no_more_than_its_share() -> None:
    size = len(source("a", 1).data)
    files = [source(f"pkg/{i}.py", i) for i in range(4)] + [source("other/a.py", 9, "other")]
    paths, report = collect(*files, package_characters=2 * size + 50)
    assert paths == ["pkg/0.py", "pkg/1.py", "other/a.py"]
    assert report.rejected == {"package-full": 2}


def test_copies_of_held_out_packages_are_left_out_by_folder() -> None:
    paths, report = collect(source("pkg/h11/a.py", 1), reserved=frozenset({"h11"}))
    assert paths == []
    assert report.rejected == {"vendored": 1}


def test_what_is_written_is_read_back_with_its_licence(tmp_path: Path) -> None:
    report = Report()
    files = [source("pkg/a.py", 1), source("pkg/b.py", 2)]
    corpus.write(corpus.documents(files, Deduplicator(), report), tmp_path / "train.jsonl", report)
    back = list(corpus.read(tmp_path / "train.jsonl"))
    assert [(d.path, d.licence, d.text) for d in back] == [(f.path, "MIT", f.data.decode()) for f in files]
    again = Report()
    corpus.write(corpus.documents(files, Deduplicator(), again), tmp_path / "train.jsonl", again)
    assert report.sha256 == again.sha256


def test_nothing_usable_is_an_error_and_leaves_the_old_corpus(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_text("old")
    bad = [SourceFile("pkg", "MIT", "a.py", b"\0\1\2"), SourceFile("pkg", "MIT", "b.py", b"\xff" * 400)]
    report = Report()
    with pytest.raises(CorpusError, match="no usable Python file"):
        corpus.write(corpus.documents(bad, Deduplicator(), report), path, report)
    assert path.read_text() == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["train.jsonl"]


@pytest.mark.parametrize("text", ["not json\n", '{"path": 1}\n'])
def test_a_damaged_corpus_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "train.jsonl"
    path.write_text(text)
    with pytest.raises(CorpusError, match="cannot read the corpus"):
        list(corpus.read(path))
