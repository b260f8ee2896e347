"""The manifest keeps evaluation apart; archives that cannot be read say so."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from assistant.training import sources
from assistant.training.sources import CorpusError, Distribution

COPYLEFT = ("GPL", "General Public", "MPL", "Mozilla")


def test_the_manifest_reserves_h_w_and_z_for_evaluation() -> None:
    manifest = sources.load_manifest()
    trained = [d.name for d in (*manifest.train, *manifest.installed)]
    assert len(trained) > 50
    assert not [name for name in trained if sources.canonical(name).startswith(("h", "w", "z"))]
    assert all(sources.canonical(d.name).startswith(("h", "w", "z")) for d in manifest.held_out)
    assert all(d.modules for d in manifest.held_out)


def test_the_manifest_names_a_permissive_licence_and_a_version_for_each() -> None:
    manifest = sources.load_manifest()
    for entry in (*manifest.train, *manifest.installed):
        assert entry.version
        assert entry.licence
        assert not any(word in entry.licence for word in COPYLEFT), entry


def test_a_manifest_that_trains_on_a_reserved_name_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    entry = {"name": "Httpx", "version": "1", "licence": "BSD"}
    path.write_text(json.dumps({"train": [entry], "installed": [], "held_out": []}))
    with pytest.raises(CorpusError, match="Httpx is reserved for evaluation"):
        sources.load_manifest(path)


@pytest.mark.parametrize("text", ["", "[]", '{"train": []}', '{"train": [{"name": "x"}], "installed": [], "held_out": []}'])
def test_a_broken_manifest_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "manifest.json"
    path.write_text(text)
    with pytest.raises(CorpusError, match="cannot read the corpus manifest"):
        sources.load_manifest(path)


def test_wheels_give_their_python_files_in_order(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "some_pkg-1.0-py3-none-any.whl", "w") as wheel:
        for path in ("pkg/b.py", "pkg/a.py", "pkg/data.json", "some_pkg-1.0.data/scripts/x.py"):
            wheel.writestr(path, "x = 1\n")
    (tmp_path / "other-1.0-py3-none-any.whl").write_bytes(b"not asked for")
    found = list(sources.wheels((Distribution("some-pkg", "1.0", "MIT"),), tmp_path))
    assert [(f.package, f.licence, f.path) for f in found] == [("some-pkg", "MIT", "pkg/a.py"), ("some-pkg", "MIT", "pkg/b.py")]


def test_a_damaged_wheel_is_named(tmp_path: Path) -> None:
    (tmp_path / "pkg-1.0-py3-none-any.whl").write_bytes(b"PK but no archive")
    with pytest.raises(CorpusError, match=r"pkg-1\.0.*not a readable wheel"):
        list(sources.wheels((Distribution("pkg", "1.0", "MIT"),), tmp_path))


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="cannot read the corpus folder"):
        list(sources.wheels((Distribution("pkg", "1.0", "MIT"),), tmp_path / "none"))


def test_the_standard_library_leaves_out_what_is_installed_beside_it() -> None:
    paths = [file.path for file in sources.standard_library()]
    assert "json/decoder.py" in paths
    assert not [p for p in paths if p.startswith(("site-packages/", "test/"))]
