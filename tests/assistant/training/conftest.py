"""Small real things for the training tests: sources, a tokenizer of 600 entries, a two-layer shape."""

from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import Tokenizer

from assistant.model.config import ModelConfig
from assistant.training import rows, tokenizer
from assistant.training.corpus import Document

FUNCTION = '''def area_{n}(width, height):
    """The area of a rectangle."""
    if width < 0 or height < 0:
        raise ValueError(f"negative side: {{width}}, {{height}}")
    return width * height + {n}


class Box_{n}:
    def __init__(self, items=None):
        self.items = list(items or [])

    def add(self, item):
        self.items.append(item)
        return self

'''


def document(number: int, functions: int = 6) -> Document:
    text = "import math\n\n" + "".join(FUNCTION.format(n=number * 100 + i) for i in range(functions))
    return Document(f"package{number % 3}", "MIT", f"package{number % 3}/module_{number}.py", text)


@pytest.fixture(scope="session")
def documents() -> list[Document]:
    return [document(i) for i in range(12)]


@pytest.fixture(scope="session")
def vocabulary(documents: list[Document], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    path.write_text(tokenizer.train((d.text for d in documents), 600).to_str(), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def tiny_tokenizer(vocabulary: Path) -> Tokenizer:
    return tokenizer.load(vocabulary)


@pytest.fixture(scope="session")
def store(documents: list[Document], tiny_tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> rows.TokenStore:
    folder = tmp_path_factory.mktemp("tokens")
    rows.encode(documents, tiny_tokenizer, folder)
    return rows.TokenStore(folder)


@pytest.fixture
def shape(tiny_tokenizer: Tokenizer) -> ModelConfig:
    vocabulary = tiny_tokenizer.get_vocab_size()
    return ModelConfig(
        vocab_size=vocabulary, d_model=32, n_layers=3, n_heads=2, n_kv_heads=1, head_dim=16, d_ff=48, context=128, exits=(1, 2)
    )
