"""Build the corpus: files that pass the filters, near duplicates and anything like the held-out packages left out.

Knows files and shingles of lines. Does not know tokens. Written as JSON lines {package, licence, path, text}, packages in
name order and files in repository order.
"""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from assistant.training import filters, sources
from assistant.training.sources import CorpusError, SourceFile

SHINGLE = 3
SEEN_BEFORE = 0.5  # share of a file's shingles already in the corpus that makes it a near duplicate
HELD_OUT_OVERLAP = 0.1  # stricter: a fifth of a held-out file inside a training file would already flatter the figures
TEST_SHARE = 0.2


@dataclass(frozen=True)
class Document:
    package: str
    licence: str
    path: str
    text: str


@dataclass
class Report:
    """What went in and why the rest stayed out."""

    files: int = 0
    characters: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    sha256: str = ""


def shingles(text: str) -> set[int]:
    """A quarter, chosen by hash, of the runs of three non-trivial lines in ``text``."""
    lines = [s for s in (line.strip() for line in text.split("\n")) if len(s) >= 8]
    runs = ("\n".join(lines[i : i + SHINGLE]) for i in range(max(1, len(lines) - SHINGLE + 1)))
    return {h for h in (zlib.crc32(run.encode()) | len(run) << 32 for run in runs) if h % 4 == 0}


class Deduplicator:
    """Remembers the shingles of everything let in, and of what must never come in."""

    def __init__(self, held_out: Iterable[str] = ()) -> None:
        self.seen: set[int] = set()
        self.held_out: set[int] = set()
        for text in held_out:
            self.held_out |= shingles(text)

    def like_held_out(self, text: str) -> bool:
        mine = shingles(text)
        return len(mine & self.held_out) > HELD_OUT_OVERLAP * len(mine)

    def reject(self, text: str) -> str | None:
        """Why ``text`` repeats something, or None, and then it is remembered."""
        if self.like_held_out(text):
            return "held-out"
        mine = shingles(text)
        if mine and len(mine & self.seen) > SEEN_BEFORE * len(mine):
            return "duplicate"
        self.seen |= mine
        return None


def _sampled_out(file: SourceFile) -> bool:
    return filters.is_test(file.path) and zlib.crc32(file.path.encode()) % 1000 >= 1000 * TEST_SHARE


def documents(
    files: Iterable[SourceFile],
    duplicates: Deduplicator,
    report: Report,
    reserved: frozenset[str] = frozenset(),
    package_characters: int | None = None,
) -> Iterator[Document]:
    """The files worth learning from, in order; ``package_characters`` bounds each package so that none drowns the others."""
    taken: Counter[str] = Counter()
    for file in files:
        verdict = _judge(file, duplicates, reserved)
        if isinstance(verdict, str) and package_characters and taken[file.package] + len(verdict) > package_characters:
            verdict = filters.Rejected("package-full")
        if isinstance(verdict, filters.Rejected):
            report.rejected[verdict.reason] += 1
            continue
        taken[file.package] += len(verdict)
        report.files += 1
        report.characters += len(verdict)
        yield Document(file.package, file.licence, file.path, verdict)


def _judge(file: SourceFile, duplicates: Deduplicator, reserved: frozenset[str]) -> str | filters.Rejected:
    if filters.is_vendored(file.path, reserved):
        return filters.Rejected("vendored")
    if _sampled_out(file):
        return filters.Rejected("test")
    text = filters.clean(file.data)
    if isinstance(text, str) and (reason := duplicates.reject(text)):
        return filters.Rejected(reason)
    return text


def write(docs: Iterable[Document], path: Path, report: Report) -> None:
    """Write ``docs`` as JSON lines, under a temporary name until complete, and put their hash into ``report``."""
    digest = hashlib.sha256()
    partial = path.with_suffix(".partial")
    with partial.open("w", encoding="utf-8") as out:
        for doc in docs:
            line = json.dumps(vars(doc), ensure_ascii=False) + "\n"
            digest.update(line.encode())
            out.write(line)
        out.flush()
        os.fsync(out.fileno())
    if report.files == 0:
        partial.unlink()
        raise CorpusError(
            f"no usable Python file was found for {path.name}: {dict(report.rejected) or 'the folders are empty'}"
        )
    report.sha256 = digest.hexdigest()
    os.replace(partial, path)


def read(path: Path) -> Iterator[Document]:
    """The documents that `write` wrote."""
    try:
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                yield Document(**json.loads(line))
    except (OSError, ValueError, TypeError) as error:
        raise CorpusError(f"cannot read the corpus {path}: {error}; delete it and run the corpus stage again") from error


def build(
    cache: Path, out: Path, package_characters: int | None = None, *, fetch: bool = True, more: bool = False
) -> tuple[Report, Report]:
    """Fetch, filter and write ``out``/held_out.jsonl and ``out``/train.jsonl; returns both reports (held out, train).

    ``more``: with the packages that only the larger presets take.
    """
    manifest = sources.load_manifest()
    wheels = (*manifest.train, *(manifest.more if more else ()))
    out.mkdir(parents=True, exist_ok=True)
    if fetch:
        sources.fetch(manifest.held_out, cache / "heldout")
        sources.fetch(wheels, cache / "wheels")
    held, train = Report(), Report()
    held_docs = documents(sources.wheels(manifest.held_out, cache / "heldout"), Deduplicator(), held)
    write(held_docs, out / "held_out.jsonl", held)
    duplicates = Deduplicator(doc.text for doc in read(out / "held_out.jsonl"))
    parts = sources.standard_library(), sources.wheels(wheels, cache / "wheels"), sources.installed(manifest.installed)
    files = (f for part in parts for f in part)
    write(documents(files, duplicates, train, manifest.reserved_modules, package_characters), out / "train.jsonl", train)
    write_summary(out, held, train)
    return held, train


def write_summary(out: Path, held: Report, train: Report) -> None:
    """corpus.json: what went in, what stayed out and why, and the hashes."""
    summary = {"held_out": _summary(held), "train": _summary(train)}
    (out / "corpus.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")


def _summary(report: Report) -> dict[str, object]:
    return {
        "files": report.files,
        "characters": report.characters,
        "rejected": dict(report.rejected.most_common()),
        "sha256": report.sha256,
    }
