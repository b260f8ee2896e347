"""The benchmark of the index measures what it says it does: counts and shapes, never the clock."""

from __future__ import annotations

from pathlib import Path

import pytest

from assistant.workspace.bench import grow, measure


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    for i in range(12):
        path = folder / f"p{i % 3}" / f"m{i}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"def f{i}(a):\n    '''Doc.'''\n    return g{i}(a)\n" * (20 + i), "utf-8")
    (folder / "data.bin").write_bytes(b"\0" * 1000)
    return folder


def test_measure_has_every_figure(root: Path, tmp_path: Path) -> None:
    before = sorted(path.name for path in root.rglob("*"))
    report = measure(root, tmp_path / "cache", searches=10, edits=4)
    assert report["files"] == 12
    assert report["source_mb"] == pytest.approx(sum(p.stat().st_size for p in root.rglob("*.py")) / 1e6)
    assert report["edited_kb"] == pytest.approx((root / "p2" / "m11.py").stat().st_size / 1e3)
    assert report["search_ms"].keys() == {"p50", "p95"}
    for key in ("index_s", "index_mb", "edit_visible_ms", "rss_mb"):
        assert report[key] > 0, key
    assert sorted(path.name for path in root.rglob("*")) == before, "nothing is written into the workspace"


def test_grow_samples_and_copies(root: Path, tmp_path: Path) -> None:
    size = sum(p.stat().st_size for p in root.rglob("*.py")) / 1e6
    small, whole, large = grow(root, [size / 3, size, 2.5 * size], tmp_path / "work", searches=2, edits=2)
    assert 0 < small["files"] < whole["files"] == 12 < large["files"]
    assert [r["copies"] for r in (small, whole, large)] == [1, 1, 3]
    assert large["source_mb"] >= 2.5 * size
    assert list((tmp_path / "work").iterdir()) == []


def test_a_folder_without_source(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    report = measure(tmp_path / "root", tmp_path / "cache")
    assert report["files"] == 0
    assert report["search_ms"] == {}
