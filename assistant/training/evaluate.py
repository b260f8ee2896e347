"""How good a checkpoint is on packages it never saw: bits per byte, single-line infilling, agreement of the exits.

Knows documents, checkpoints and the plain engine. Every sample is drawn from a fixed seed; nothing is tuned on what it draws.
"""

from __future__ import annotations

import ast
import io
import json
import math
import random
import tokenize
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from assistant.model.engine import Engine
from assistant.model.tokenizer import CodeTokenizer
from assistant.model.transformer import Transformer
from assistant.training.corpus import Document
from assistant.types import GenerateRequest, Part

SUFFIX_CHARACTERS = 850  # about a quarter of a context of 1024 tokens
MAX_NEW_TOKENS = 64


@dataclass(frozen=True)
class Item:
    """A cursor inside a line of code; ``target`` is the rest of that line. The line's newline begins ``suffix``."""

    id: str
    path: str
    language: str
    prefix: str
    suffix: str
    target: str


@dataclass(frozen=True)
class Infilling:
    items: int
    exact_match: float
    edit_similarity: float


@dataclass(frozen=True)
class LeftToRight:
    """``agreement``: for each exit, the share of tokens on which its best guess is the last layer's."""

    bits_per_byte: float
    tokens: int
    bytes: int
    agreement: dict[int, float]
    accuracy: dict[int, float]


def sample(docs: Iterable[Document], characters: int) -> list[Document]:
    """At most ``characters`` of each package, whole files in an order fixed by their paths' hashes."""
    by_package = defaultdict(list)
    for doc in docs:
        by_package[doc.package].append(doc)
    chosen = []
    for package in sorted(by_package):
        room = characters
        for doc in sorted(by_package[package], key=lambda d: zlib.crc32(d.path.encode())):
            if len(doc.text) <= room:
                chosen.append(doc)
                room -= len(doc.text)
    return chosen


def code_lines(text: str) -> list[int]:
    """Indices of the lines that hold code: not blank, not only a comment, not inside a long string or a docstring."""
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
        docstrings = _docstring_lines(ast.parse(text))
    except (tokenize.TokenError, SyntaxError, ValueError, RecursionError):
        return []
    skipped = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    found: set[int] = set()
    for token in tokens:
        if token.type not in skipped and token.start[0] == token.end[0]:
            found.add(token.start[0] - 1)
    return sorted(found - docstrings)


def _docstring_lines(tree: ast.AST) -> set[int]:
    lines: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            lines.update(range(node.lineno - 1, node.end_lineno or node.lineno))
    return lines


def cursor_items(docs: Sequence[Document], count: int, seed: int = 0) -> list[Item]:
    """``count`` cursors: package, file, code line and column each uniform; the rest of the line is wanted."""
    rng = random.Random(seed)
    by_package = defaultdict(list)
    for doc in docs:
        by_package[doc.package].append(doc)
    packages = sorted(by_package)
    items: list[Item] = []
    for _attempt in range(50 * count):
        if len(items) == count:
            break
        doc = rng.choice(by_package[rng.choice(packages)])
        if item := _cursor(doc, rng, len(items)):
            items.append(item)
    return items


def _cursor(doc: Document, rng: random.Random, number: int) -> Item | None:
    lines = code_lines(doc.text)
    if not lines:
        return None
    starts = [0]
    for line in doc.text.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    index = rng.choice(lines)
    text = doc.text[starts[index] : starts[index + 1] - 1]
    indent, length = len(text) - len(text.lstrip()), len(text.rstrip())
    if length <= indent:
        return None
    cursor, end = starts[index] + rng.randrange(indent, length), starts[index] + len(text)
    return Item(f"{doc.package}-{number}", doc.path, "python", doc.text[:cursor], doc.text[end:], doc.text[cursor:end])


def write_items(items: Iterable[Item], path: Path) -> None:
    """JSON lines {id, path, language, prefix, suffix, target}."""
    path.write_text("".join(json.dumps(asdict(item), ensure_ascii=False) + "\n" for item in items), encoding="utf-8")


def read_items(path: Path) -> Iterator[Item]:
    for line in path.read_text(encoding="utf-8").split("\n"):
        if line:
            yield Item(**json.loads(line))


def parts(item: Item, with_suffix: bool = True) -> tuple[Part, ...]:
    """The suffix-first prompt, or the plain document up to the cursor."""
    head = (Part(special="file"), Part(text=item.path + "\n"))
    if not with_suffix:
        return (*head, Part(text=item.prefix, keep="end"))
    suffix = item.suffix[:SUFFIX_CHARACTERS]
    if len(item.suffix) > SUFFIX_CHARACTERS and "\n" in suffix[1:]:
        suffix = suffix[: suffix.rindex("\n")]
    fim = (Part(special="fim_prefix"), Part(special="fim_suffix"), Part(text=suffix), Part(special="fim_middle"))
    return (*head, *fim, Part(text=item.prefix, keep="end"))


def complete(engine: Engine, item: Item, with_suffix: bool = True) -> str:
    """The model's greedy rest of the line."""
    request = GenerateRequest(parts(item, with_suffix), MAX_NEW_TOKENS, stop=("\n",), budget_ms=math.inf)
    return "".join(chunk.text for chunk in engine.generate(request))


def compare(guesses: Sequence[str], targets: Sequence[str]) -> Infilling:
    """Exact match and difflib similarity, both in per cent, white space at the end of the line ignored."""
    pairs = [(guess.rstrip(), target.rstrip()) for guess, target in zip(guesses, targets, strict=True)]
    exact = sum(guess == target for guess, target in pairs)
    similar = sum(SequenceMatcher(None, guess, target, autojunk=False).ratio() for guess, target in pairs)
    return Infilling(len(pairs), 100 * exact / max(1, len(pairs)), 100 * similar / max(1, len(pairs)))


def infill(engine: Engine, items: Sequence[Item], with_suffix: bool = True) -> Infilling:
    return compare([complete(engine, item, with_suffix) for item in items], [item.target for item in items])


@torch.inference_mode()
def left_to_right(model: Transformer, tokenizer: CodeTokenizer, docs: Sequence[Document]) -> LeftToRight:
    """Bits per byte of whole documents after their path, every token with at least half a context before it."""
    layers = (*model.config.exits, model.config.n_layers)
    agree, right = Counter[int](), Counter[int]()
    nats, count, size = 0.0, 0, 0
    for doc in docs:
        size += len(doc.text.encode())
        for hidden, targets in windows(model, tokenizer, doc):
            last = model.logits(hidden[model.config.n_layers])
            nats += float(F.cross_entropy(last, targets, reduction="sum"))
            count += len(targets)
            best = last.argmax(-1)
            for layer in layers:
                guess = best if layer == model.config.n_layers else model.logits(hidden[layer]).argmax(-1)
                agree[layer] += int((guess == best).sum())
                right[layer] += int((guess == targets).sum())
    share = {layer: agree[layer] / max(1, count) for layer in model.config.exits}
    accuracy = {layer: right[layer] / max(1, count) for layer in layers}
    return LeftToRight(nats / math.log(2) / max(1, size), count, size, share, accuracy)


def windows(model: Transformer, tokenizer: CodeTokenizer, doc: Document) -> Iterator[tuple[dict[int, Tensor], Tensor]]:
    """Residual streams [n, D] by layer, and the next tokens [n], over a document; each of its tokens is a target once."""
    config = model.config
    head = [tokenizer.specials["file"], *tokenizer.encode(doc.path + "\n")]
    ids = torch.tensor(head + tokenizer.encode(doc.text))
    scored = len(head)
    while scored < len(ids):
        start = 0 if scored == len(head) else scored - config.context // 2
        window = ids[start : start + config.context + 1]
        last, kept = model.hidden(window[None, :-1], config.exits)
        first = scored - start - 1
        streams = {layer: stream[0, first:] for layer, stream in {**kept, config.n_layers: last}.items()}
        yield streams, window[first + 1 :]
        scored = start + len(window)
