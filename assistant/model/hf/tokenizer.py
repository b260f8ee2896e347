"""The tokenizer of any checkpoint: byte-level BPE or SentencePiece with byte fallback, its special tokens, its chat format.

Knows a tokenizer.json and what stands beside it. Does not know prompts, models or sampling. Text is always encoded as plain
text: what spells a special token is no special token, and nothing is put before the first word.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from tokenizers import Tokenizer

from assistant.model import families
from assistant.model.hf.files import CheckpointFiles
from assistant.model.tokenizer import BYTE_OF, MOST_TAKEN_BACK, Spellings, TokenizerError, clean
from assistant.types import EngineError

BLOCKS_REMEMBERED = 4096
_BLOCK = re.compile(r"(?<=\n)(?=\S)")
"""Text is encoded block by block: no tokenizer merges a newline with a letter or a bracket behind it."""
_CONTROL = re.compile(r"<\|.*\|>|<｜.*｜>|<unused\d+>|\[(INST|/INST|PREFIX|SUFFIX|MIDDLE)\]|▁<(PRE|SUF|MID|EOT)>")
_BYTE = re.compile(r"<0x([0-9A-F]{2})>")
_PIECE = re.compile(r"\s?\w+\Z|\s?[^\w\s]+\Z|\s+\Z")
"""The end of a text that more text could retokenize, where the tokenizer does not cut text into pieces itself."""


class HubTokenizer:
    """``specials`` maps our names of special tokens to ids; ``token_bytes`` has each id's bytes, empty for special tokens.

    ``begin`` are the ids every prompt of the checkpoint starts with; ``closing`` those that end an answer.
    """

    def __init__(self, files: CheckpointFiles, vocab_size: int) -> None:
        """``vocab_size`` is the model's: it may have rows the tokenizer has no text for. Raises `TokenizerError`."""
        described = _described(files)
        self._marked = Tokenizer.from_str(json.dumps(described))
        self._library = Tokenizer.from_str(json.dumps(_bare(described)))
        self._library.encode_special_tokens = True
        if self._library.get_vocab_size() > vocab_size:
            raise TokenizerError(f"it has {self._library.get_vocab_size()} tokens where the model has {vocab_size}")
        self._spelled = families.named(self._library.get_vocab())
        self.layout = families.layout(self._spelled)
        ends = files.end_tokens(self._library.token_to_id)
        self.specials = {name: self._id_of(spelling) for name, spelling in self._spelled.items()}
        self.closing = tuple(dict.fromkeys([*ends, *(self.specials[n] for n in families.CLOSING if n in self.specials)]))
        if not self.closing:
            raise TokenizerError("nothing says which token ends a text")
        self.specials["end"] = self.closing[0]
        self.begin = self._begin(files)
        added = self._library.get_added_tokens_decoder()
        self._control = {i: token.content for i, token in added.items() if token.special}
        byte_level = '"ByteLevel"' in json.dumps([described.get("decoder"), described.get("pre_tokenizer")])
        self.token_bytes = [self._bytes_of(i, byte_level) for i in range(vocab_size)]
        self.compatible = Spellings(_favoured(self.token_bytes, self._library)).compatible
        self._template = files.chat_template()
        self._names = files.token_names()
        self._encode_block = lru_cache(maxsize=BLOCKS_REMEMBERED)(self._encode_afresh)

    @property
    def chats(self) -> bool:
        """Whether the checkpoint has a chat format."""
        return bool(self._template)

    def encode(self, text: str) -> list[int]:
        """Ids of ``text`` as plain text, never a special one. A lone surrogate (no UTF-8 has it) is read as ``?``."""
        return [token for block in _BLOCK.split(text) if block for token in self._encode_block(block)]

    def heal(self, text: str) -> tuple[list[int], str]:
        """Take back what more text could retokenize, as `assistant.model.tokenizer.CodeTokenizer.heal` does.

        A newline goes too: many tokenizers join it with the indentation or the bracket around it.
        """
        if not text:
            return [], ""
        line = text.rfind("\n", 0, len(text.rstrip())) + 1
        start = line + self._last_piece(clean(text[line:]))
        taken = self._encode_afresh(text[start:])
        stay = max(0, len(taken) - MOST_TAKEN_BACK)
        while stay and not _whole(b"".join(self.token_bytes[i] for i in taken[:stay])):
            stay -= 1
        kept = self.encode(text[:start]) + list(taken[:stay])
        return kept, text[start + len(b"".join(self.token_bytes[i] for i in taken[:stay]).decode("utf-8")) :]

    def chat(self, turns: Sequence[tuple[str, str]]) -> list[int]:
        """Ids of (role, text) pairs in the checkpoint's chat format, ending where its answer begins. Raises `EngineError`.

        A text that spells a special token stays text: it is encoded apart.
        """
        if not self._template:
            raise EngineError("this model has no chat format: give it a prompt, or a checkpoint that was tuned to chat")
        from transformers.utils.chat_template_utils import render_jinja_template

        marked = {f"\ue000{i}\ue001": text for i, (_, text) in enumerate(turns) if self._spells_special(text)}
        standing = {text: mark for mark, text in marked.items()}
        messages = [{"role": role, "content": standing.get(text, text)} for role, text in turns]
        try:
            options: dict[str, Any] = {**self._names, "chat_template": self._template, "add_generation_prompt": True}
            rendered = render_jinja_template([messages], **options)[0][0]
        except Exception as error:  # a template refuses in its own words, whatever their class
            raise EngineError(f"the model's chat format does not take these roles: {error}") from error
        pieces = re.split("(\ue000\\d+\ue001)", rendered)
        return [i for piece in pieces for i in (self.encode(marked[piece]) if piece in marked else self._with_marks(piece))]

    def _with_marks(self, text: str) -> list[int]:
        return list(self._marked.encode(clean(text), add_special_tokens=False).ids)

    def _spells_special(self, text: str) -> bool:
        return any(spelling in text for spelling in self._control.values())

    def _encode_afresh(self, text: str) -> tuple[int, ...]:
        return tuple(self._library.encode(clean(text), add_special_tokens=False).ids)

    def _last_piece(self, text: str) -> int:
        """Where the last piece of a text starts, in characters."""
        if self._library.pre_tokenizer is None:
            found = _PIECE.search(text)
            return found.start() if found else max(0, len(text) - 1)
        pieces = self._library.pre_tokenizer.pre_tokenize_str(text)
        start: int = pieces[-1][1][0] if pieces else 0
        return start

    def _begin(self, files: CheckpointFiles) -> tuple[int, ...]:
        """What tokenizer_config.json asks for, or else what the tokenizer itself puts before a text."""
        wanted = files.begin_token(self._library.token_to_id)
        begins = files.begins if files.begins is not None else wanted in self._marked.encode("").ids[:1]
        return (wanted,) if begins and wanted is not None else ()

    def _id_of(self, spelling: str) -> int:
        token = self._library.token_to_id(spelling)
        if token is None:
            raise TokenizerError(f"it has no token {spelling}")
        return int(token)

    def _bytes_of(self, token: int, byte_level: bool) -> bytes:
        spelled = self._library.id_to_token(token)
        if spelled is None or token in self._control:
            return b""
        if byte_level and all(character in BYTE_OF for character in spelled):
            return bytes(BYTE_OF[character] for character in spelled)
        byte = _BYTE.fullmatch(spelled)
        if byte is not None:
            return bytes([int(byte[1], 16)])
        return str(spelled).replace("▁", " ").encode("utf-8", "replace")


def _described(files: CheckpointFiles) -> dict[str, Any]:
    """tokenizer.json; where a checkpoint has only an older form, what transformers makes of it."""
    try:
        described = json.loads(files.tokenizer_json())
    except ValueError as error:
        raise TokenizerError(f"it cannot be read: {error}") from error
    if not isinstance(described, dict) or "model" not in described:
        raise TokenizerError("it describes no tokenizer")
    return described


def _bare(described: Mapping[str, Any]) -> dict[str, Any]:
    """The same tokenizer without what it adds around a text or before its first word; control tokens are never text."""
    bare = copy.deepcopy(dict(described))
    bare["post_processor"] = bare["truncation"] = bare["padding"] = None
    bare["normalizer"] = _without_prepend(bare.get("normalizer"))
    for step in _steps(bare.get("pre_tokenizer"), "pretokenizers"):
        if step.get("type") == "Metaspace":
            step["prepend_scheme"] = "never"
        if step.get("type") == "ByteLevel":
            step["add_prefix_space"] = False
    for token in bare.get("added_tokens", ()):
        token["special"] = bool(token["special"] or _CONTROL.fullmatch(token["content"]) or _known(token["content"]))
    return bare


def _known(spelling: str) -> bool:
    return any(spelling in known for known in families.SPELLINGS.values())


def _without_prepend(normalizer: dict[str, Any] | None) -> dict[str, Any] | None:
    if normalizer is None or normalizer.get("type") == "Prepend":
        return None
    if normalizer.get("type") == "Sequence":
        normalizer["normalizers"] = [step for step in normalizer["normalizers"] if step.get("type") != "Prepend"]
    return normalizer


def _steps(step: dict[str, Any] | None, inner: str) -> Iterator[dict[str, Any]]:
    if step is not None:
        yield step
        for one in step.get(inner, ()):
            yield from _steps(one, inner)


def _favoured(token_bytes: Sequence[bytes], library: Tokenizer) -> list[bytes]:
    """Where two tokens have the same bytes, the byte fallback is not the one a text is written with."""
    twice = {spelled for i, spelled in enumerate(token_bytes) if spelled and not _BYTE.fullmatch(library.id_to_token(i) or "")}
    return [
        b"" if spelled in twice and _BYTE.fullmatch(library.id_to_token(i) or "") else spelled
        for i, spelled in enumerate(token_bytes)
    ]


def _whole(spelled: bytes) -> bool:
    try:
        spelled.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
