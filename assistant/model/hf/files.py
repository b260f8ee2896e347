"""The files of a transformers checkpoint beside its weights: what config.json and the tokenizer's settings say.

Knows file names and their JSON; imports neither torch nor transformers. Whatever is missing or broken ends in one
`CheckpointError` whose sentence says what to do.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from assistant.model.checkpoint import CONFIG, TOKENIZER, CheckpointError

INDEX, SINGLE = "model.safetensors.index.json", "model.safetensors"
SAMPLE, SAMPLES = 4096, 64
"""A checkpoint's identity: hashing 15 GB takes half a minute, so 64 places of each weight file stand for it."""
LONGEST_NAMES = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "n_ctx")


def is_transformers(folder: Path) -> bool:
    """Whether config.json is one of transformers; ours has a ``format`` and a ``family``."""
    try:
        config = json.loads((folder / CONFIG).read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(config, dict) and "format" not in config and ("model_type" in config or "architectures" in config)


class CheckpointFiles:
    """One folder. Raises `CheckpointError` where it lacks what every checkpoint has."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = self._read(CONFIG)
        self.settings = self._read("tokenizer_config.json", needed=False)
        self.generation = self._read("generation_config.json", needed=False)

    @property
    def family(self) -> str:
        """transformers' name for the architecture: ``qwen2``, ``llama``, ``gpt2``."""
        return str(self.config.get("model_type", "unknown"))

    @property
    def begins(self) -> bool | None:
        """Whether every text begins with the token for it; ``None`` where the tokenizer itself decides."""
        wanted = self.settings.get("add_bos_token")
        return wanted if isinstance(wanted, bool) else None

    def text_config(self, key: str) -> Any:
        """A value of config.json, or of the language model's part of it in a checkpoint that also sees or hears."""
        inner = self.config.get("text_config")
        return self.config[key] if key in self.config else inner.get(key) if isinstance(inner, dict) else None

    def longest(self) -> int:
        """Positions the model was made for; 0 where the files do not say."""
        return next((int(value) for name in LONGEST_NAMES if isinstance(value := self.text_config(name), int)), 0)

    def weights(self) -> list[Path]:
        """The weight files. Raises `CheckpointError` when there are none, or only ones that run code when they are read."""
        index = self._read(INDEX, needed=False).get("weight_map")
        names = sorted(set(index.values())) if isinstance(index, dict) else [SINGLE]
        if missing := [name for name in names if not (self.folder / name).is_file()]:
            raise CheckpointError(
                f"{self.folder} lacks {missing[0]}; download the checkpoint again. Sotto reads safetensors only: a .bin or .pt"
                " file can run code when it is opened"
            )
        return [self.folder / name for name in names]

    def identity(self) -> str:
        """Hex sha256 of the configuration, the tokenizer, and of the size, header and 64 places of each weight file."""
        digest = hashlib.sha256((self.folder / CONFIG).read_bytes())
        for path in [self.folder / TOKENIZER, *self.weights()]:
            for piece in _sampled(path) if path.is_file() else ():
                digest.update(piece)
        return digest.hexdigest()

    def tokenizer_json(self) -> str:
        """The text of tokenizer.json, made by transformers where the checkpoint has only an older form."""
        path = self.folder / TOKENIZER
        if path.is_file():
            return path.read_text("utf-8")
        try:
            from transformers import AutoTokenizer

            loaded = AutoTokenizer.from_pretrained(str(self.folder), local_files_only=True, trust_remote_code=False)
            return str(loaded.backend_tokenizer.to_str())
        except Exception as error:  # transformers raises whatever its converters raise
            first = str(error).partition("\n")[0]
            raise CheckpointError(f"{self.folder} has no tokenizer.json and no other usable tokenizer ({first})") from error

    def chat_template(self) -> str:
        """The Jinja text of the chat format; empty where there is none."""
        path = self.folder / "chat_template.jinja"
        if path.is_file():
            return path.read_text("utf-8")
        said = self.settings.get("chat_template")
        if isinstance(said, list):
            said = next((one.get("template") for one in said if one.get("name") == "default"), "")
        return said if isinstance(said, str) else ""

    def token_names(self) -> dict[str, str]:
        """What a chat template may ask for: ``bos_token``, ``eos_token``, ``pad_token``, ``unk_token``."""
        names = ("bos_token", "eos_token", "pad_token", "unk_token")
        return {name: spelling for name in names if (spelling := self._spelling(name))}

    def begin_token(self, id_of: Callable[[str], int | None]) -> int | None:
        """The token that begins a text."""
        said = self.text_config("bos_token_id")
        return said if isinstance(said, int) else id_of(self._spelling("bos_token"))

    def end_tokens(self, id_of: Callable[[str], int | None]) -> list[int]:
        """Tokens that end a text, the tokenizer's own first."""
        found = [id_of(self._spelling("eos_token"))]
        for said in (self.text_config("eos_token_id"), self.generation.get("eos_token_id")):
            found += said if isinstance(said, list) else [said]
        return list(dict.fromkeys(i for i in found if isinstance(i, int)))

    def _spelling(self, name: str) -> str:
        said = self.settings.get(name)
        said = said.get("content") if isinstance(said, dict) else said
        return said if isinstance(said, str) else ""

    def _read(self, name: str, needed: bool = True) -> dict[str, Any]:
        path = self.folder / name
        if not needed and not path.is_file():
            return {}
        try:
            read = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise CheckpointError(f"{path} cannot be read ({error}); download the checkpoint again") from error
        if not isinstance(read, dict):
            raise CheckpointError(f"{path} holds no JSON object; download the checkpoint again")
        return read


def _sampled(path: Path) -> Iterator[bytes]:
    size = path.stat().st_size
    yield f"{path.name} {size}".encode()
    with path.open("rb") as file:
        for place in range(0, size, max(SAMPLE, size // SAMPLES)):
            file.seek(place)
            yield file.read(SAMPLE)
