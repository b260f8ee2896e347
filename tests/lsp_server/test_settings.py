"""Client JSON to settings: every field by its type, and nothing a client sends is fatal."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.config import Config
from lsp_server import settings

DEFAULT = Config()

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("client", "expected"),
    [
        ({"sotto": {"maxTokens": 7}}, {"max_tokens": 7}),
        ({"maxTokens": 7}, {"max_tokens": 7}),
        ({"max_tokens": 7}, {"max_tokens": 7}),
        ({"sotto.maxTokens": 7}, {"max_tokens": 7}),
        ({"maxTokens": 7.0}, {"max_tokens": 7}),
        ({"temperature": 1}, {"temperature": 1.0}),
        ({"enabled": False, "telemetry": False}, {"enabled": False, "telemetry": False}),
        ({"multiLine": "never"}, {"multi_line": "never"}),
        ({"exclude": ["**/x"]}, {"exclude": ("**/x",)}),
        ({"exclude": []}, {"exclude": ()}),
        ({"languages": {"go": False}}, {"languages": {**DEFAULT.languages, "go": False}}),
        ({"maxTokens": None}, {}),
        ({"editorInfo": {"name": "vim"}, "unknown": 3}, {}),
        ({"sotto": None}, {}),
        (None, {}),
    ],
)
def test_reads_what_clients_send(client: object, expected: dict[str, Any]) -> None:
    assert settings.read(client) == (dataclasses.replace(DEFAULT, **expected), [])


@pytest.mark.parametrize(
    ("client", "named", "wanted"),
    [
        ({"maxTokens": "many"}, "maxTokens", "whole number from 1 to 256"),
        ({"maxTokens": 0}, "maxTokens", "whole number from 1 to 256"),
        ({"maxTokens": 1.5}, "maxTokens", "whole number"),
        ({"maxTokens": True}, "maxTokens", "whole number"),
        ({"minConfidence": float("nan")}, "minConfidence", "number from 0.0 to 1.0"),
        ({"enabled": "yes"}, "enabled", "true or false"),
        ({"enabled": 1}, "enabled", "true or false"),
        ({"popup": "sometimes"}, "popup", "auto, always, never"),
        ({"model": 3}, "model", "a text"),
        ({"exclude": "**/x"}, "exclude", "a list of texts"),
        ({"exclude": ["a", 3]}, "exclude", "a list of texts"),
        ({"languages": ["python"]}, "languages", "an object"),
    ],
)
def test_an_unusable_value_gives_the_default_and_a_complaint(client: dict[str, Any], named: str, wanted: str) -> None:
    config, complaints = settings.read(client)
    assert config == DEFAULT
    assert len(complaints) == 1
    assert named in complaints[0]
    assert wanted in complaints[0]


def test_good_values_beside_a_bad_one_hold() -> None:
    config, complaints = settings.read({"maxTokens": "many", "debounceMs": 5, "languages": {"go": "off", "rust": False}})
    assert (config.max_tokens, config.debounce_ms) == (DEFAULT.max_tokens, 5)
    assert config.languages == {**DEFAULT.languages, "rust": False}
    assert [complaint.split(" ")[0] for complaint in complaints] == ["maxTokens", "languages.go"]


def test_absent_settings_keep_the_base() -> None:
    base = dataclasses.replace(DEFAULT, max_tokens=9, threads=3)
    assert settings.read({"maxTokens": 4}, base)[0] == dataclasses.replace(base, max_tokens=4)
    assert settings.read("nonsense", base) == (base, ["the settings must be an object of names and values, not 'nonsense'"])


def test_the_message_is_one_sentence_with_every_complaint() -> None:
    _, complaints = settings.read({"maxTokens": "x" * 500, "enabled": 3})
    message = settings.message(complaints)
    assert message.count("\n") == 0
    assert "maxTokens" in message
    assert "enabled" in message
    assert len(message) < 300


@given(st.dictionaries(st.sampled_from([settings.camel(f.name) for f in dataclasses.fields(Config)]), json_values))
def test_whatever_comes_the_result_is_usable(client: dict[str, Any]) -> None:
    config, _ = settings.read(client)
    for field in dataclasses.fields(Config):
        value = getattr(config, field.name)
        assert type(value) is type(getattr(DEFAULT, field.name))
        if "choices" in field.metadata:
            assert value in field.metadata["choices"]
        if "minimum" in field.metadata:
            assert field.metadata["minimum"] <= value <= field.metadata["maximum"]


@given(json_values)
def test_never_raises(client: object) -> None:
    settings.read(client)
