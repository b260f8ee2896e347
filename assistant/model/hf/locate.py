"""Where a checkpoint lies: a folder, or an id of the Hugging Face hub whose files are in the cache of this machine.

Knows folders, ids and huggingface_hub, whose part it is to know the cache. Fetches what is missing only when it is told to.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlparse

from assistant.model.checkpoint import CONFIG, CheckpointError, sha256
from assistant.model.hf.files import CheckpointFiles

ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+(@[\w./-]+)?")
"""owner/name, and a revision behind ``@`` where one is meant."""
WEIGHTS = "*.safetensors"
FIRST = ["*.json", "*.jinja", "tokenizer.model", "merges.txt", "vocab.txt"]
WANTED = [WEIGHTS, *FIRST]
"""What is fetched: no weights that run code when they are read, no copies for other programs."""
_BLOB = re.compile(r"[0-9a-f]{64}")


def locate(model: str, allow_download: bool = False, tell: Callable[[str], None] = lambda text: None) -> Path:
    """The folder of ``model``. ``tell`` hears how far a download is. Raises `CheckpointError` where there is none."""
    if not allow_download:
        stay_offline()
    folder = Path(model).expanduser()
    if folder.exists() or not ID.fullmatch(model):
        return folder
    name, _, revision = model.partition("@")
    cached = _cached(name, revision or None)
    if cached is not None:
        return cached
    if not allow_download:
        raise CheckpointError(
            f"{model} is neither a folder nor in the Hugging Face cache; download it with: hf download {name}, or set"
            " `allowDownload` to let Sotto do it"
        )
    return _fetched(name, revision or None, tell)


def stay_offline() -> None:
    """Before huggingface_hub and transformers are imported, for they read these once: nothing of theirs uses a network."""
    os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1", USE_HUB_KERNELS="0")
    os.environ.update(TRANSFORMERS_VERBOSITY="error", HF_HUB_DISABLE_PROGRESS_BARS="1")
    if "huggingface_hub.constants" in sys.modules:  # it was needed for a download, which is over
        sys.modules["huggingface_hub.constants"].HF_HUB_OFFLINE = True  # type: ignore[attr-defined]


def _cached(name: str, revision: str | None) -> Path | None:
    """The newest snapshot in the cache, looked up without a connection: with all its weights, whoever has put it there."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:  # asked for more, it would miss files that nobody wanted
        folder = Path(snapshot_download(name, revision=revision, allow_patterns=[CONFIG], local_files_only=True))
        CheckpointFiles(folder).weights()
    except (LocalEntryNotFoundError, HFValidationError, CheckpointError):
        return None
    return folder


def _fetched(name: str, revision: str | None, tell: Callable[[str], None]) -> Path:
    """Download a snapshot: broken off, it goes on where it was; each weight file is compared with its sha256."""
    from huggingface_hub import snapshot_download

    bar = progress(name, tell)
    try:
        folder = Path(snapshot_download(name, revision=revision, allow_patterns=FIRST, tqdm_class=bar))
        commit = folder.name
        for file in _weight_files(name, commit):
            _fetch_weights(folder.parents[1] / "blobs", name, file, commit, bar)
        folder = Path(snapshot_download(name, revision=commit, allow_patterns=WANTED, tqdm_class=bar))
    except Exception as error:  # no connection, no such id, no right to it, no room: each has a class of its own
        first = " ".join(str(error).split())[:300]
        raise CheckpointError(f"{name} could not be downloaded ({type(error).__name__}: {first})") from error
    for path in sorted(folder.glob("*.safetensors")):
        verify(path, tell)
    return folder


def _weight_files(name: str, commit: str) -> list[str]:
    from huggingface_hub import HfApi

    return [file for file in HfApi().list_repo_files(name, revision=commit) if PurePosixPath(file).match(WEIGHTS)]


def _fetch_weights(blobs: Path, name: str, file: str, commit: str, bar: type[Any]) -> None:
    """One weight file into the cache. huggingface_hub itself begins a file anew when a process was ended in it (since 2.0)."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils._headers import build_hf_headers

    url = hf_hub_url(name, file, revision=commit)
    told = get_hf_file_metadata(url)
    if told.etag is None or (blobs / told.etag).is_file():
        return
    blobs.mkdir(parents=True, exist_ok=True)
    part = blobs / f"{told.etag}.sotto.part"
    headers = build_hf_headers()
    if urlparse(told.location).netloc != urlparse(url).netloc:
        headers.pop("authorization", None)  # a storage of others gets no token
    with part.open("ab") as to:
        if to.tell() < (told.size or 0) or not told.size:
            http_get(told.location, to, resume_size=to.tell(), headers=headers, expected_size=told.size, tqdm_class=bar)
    part.replace(blobs / told.etag)


def verify(path: Path, tell: Callable[[str], None]) -> None:
    """The cache names a large file by the sha256 that the hub states for it."""
    blob = path.resolve()
    tell(f"checking {path.name}")
    if _BLOB.fullmatch(blob.name) and sha256(blob) != blob.name:
        blob.unlink()
        raise CheckpointError(f"{path.name} was damaged on its way, and has been deleted; start again to fetch it anew")


def progress(name: str, tell: Callable[[str], None]) -> type[Any]:
    """A progress bar of huggingface_hub's that speaks through ``tell``, each time another hundredth is there."""
    from huggingface_hub.utils.tqdm import tqdm

    class Bar(tqdm):
        said = -1

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **{**kwargs, "disable": False})  # type: ignore[no-untyped-call]  # by itself it is silent without a terminal

        def display(self, *args: Any, **kwargs: Any) -> None:
            hundredths = int(100 * self.n / self.total) if self.total else 0
            if hundredths != self.said and self.unit == "B":
                self.said = hundredths
                tell(f"downloading {name}: {hundredths} % of {self.total / 1e9:.1f} GB")

    return Bar
