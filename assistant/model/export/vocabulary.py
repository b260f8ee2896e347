"""What tokenizer.json holds beside what `CodeTokenizer` needs: how special tokens are spelled, and the order of merges.

Knows the `tokenizers` library's JSON of a byte-level BPE. Does not know models or other formats.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from assistant.model.export.place import ExportError
from assistant.model.tokenizer import CodeTokenizer


def spellings(path: Path) -> dict[int, str]:
    """Id -> text of every special token."""
    return {token["id"]: token["content"] for token in _read(path)["added_tokens"]}


def merge_ranks(path: Path, tokenizer: CodeTokenizer) -> list[int]:
    """[tokens] the rank of the merge that makes a token, its order if runs of spaces were merged before anything else.

    Text is cut into pieces before it is merged, and a run of spaces is one piece; other programs do not cut as we do, but
    when such runs go first they come out as if they had been cut. Bytes and special tokens, which no merge makes, are 0.
    """
    model = _read(path)["model"]
    pairs = [merge.split(" ") if isinstance(merge, str) else merge for merge in model["merges"]]
    made = [model["vocab"]["".join(pair)] for pair in pairs]
    ranks = [0] * tokenizer.vocab_size
    for rank, token in enumerate(sorted(made, key=lambda token: bool(tokenizer.token_bytes[token].strip(b" "))), start=1):
        ranks[token] = ranks[token] or rank
    return ranks


def _read(path: Path) -> Any:
    data = json.loads(path.read_text("utf-8"))
    if data.get("model", {}).get("type") != "BPE" or "added_tokens" not in data:
        raise ExportError(f"{path} is not byte-level BPE, the only kind that can be exported; use a checkpoint of Sotto's")
    return data
