"""Every setting once: name, type, default, sentence. The one place a setting is declared.

Knows nothing of editors or JSON: `lsp_server.settings` reads a client's values into a `Config`. Clients write the
names in camelCase (``max_tokens`` is ``sotto.maxTokens``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

DEFAULT_EXCLUDE = (
    "**/.env*",
    "**/*.pem",
    "**/*.key",
    "**/*.p12",
    "**/*.pfx",
    "**/*.jks",
    "**/*.keystore",
    "**/*.kdbx",
    "**/*.cert",
    "**/*.crt",
    "**/id_rsa*",
    "**/id_dsa*",
    "**/id_ecdsa*",
    "**/id_ed25519*",
    "**/*secret*",
    "**/*credential*",
    "**/.ssh/**",
    "**/.aws/**",
    "**/.gnupg/**",
    "**/.netrc",
    "**/.pgpass",
    "**/.npmrc",
    "**/.pypirc",
    "**/.dev.vars",
)


def setting(default: Any, help: str, **rules: Any) -> Any:
    """A field with its sentence; ``rules`` may hold ``choices``, ``minimum`` and ``maximum``."""
    metadata = {"help": help, **rules}
    if isinstance(default, (dict, list)):
        return field(default_factory=lambda: type(default)(default), metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Config:
    """Settings as the rest of the program sees them; `lsp_server.settings` has checked types and ranges."""

    enabled: bool = setting(True, "Offer suggestions at all.")
    languages: dict[str, bool] = setting(
        {"*": True, "plaintext": False, "markdown": False, "scminput": False, "log": False},
        "Switch for each LSP language id; `*` stands for every language not named.",
    )
    exclude: tuple[str, ...] = setting(
        DEFAULT_EXCLUDE,
        "Globs of files that get no completion, are never context for others and leave no row with their name.",
    )
    respect_gitignore: bool = setting(True, "Treat files that .gitignore names as excluded.")
    multi_line: str = setting(
        "auto",
        "Several lines: at the start of a block (`auto`), always, or never.",
        choices=("auto", "always", "never"),
    )
    max_tokens: int = setting(32, "Most tokens of a single-line suggestion.", minimum=1, maximum=256)
    max_tokens_multi_line: int = setting(96, "Most tokens of a suggestion of several lines.", minimum=1, maximum=1024)
    budget_ms: int = setting(
        400,
        "Wall-clock milliseconds for one automatic suggestion; what is there by then is shown.",
        minimum=20,
        maximum=60000,
    )
    budget_invoked_ms: int = setting(3000, "The same when you ask for a suggestion by hand.", minimum=20, maximum=60000)
    debounce_ms: int = setting(
        75,
        "Least wait in a burst of typing; it grows with your pace. The first key after a pause never waits.",
        minimum=0,
        maximum=2000,
    )
    # Both on 300 cursors of five packages outside of training, shipped model with its caches: what is shown is right in 79 %
    # instead of 58 (0 and 0.65), at 68 % of the places instead of 70, with 3 % more right characters and 35 % fewer tokens.
    stop_below: float = setting(
        0.5,
        "Cut an automatic suggestion off before the first token that is less likely than this; 0 never does.",
        minimum=0.0,
        maximum=1.0,
    )
    min_confidence: float = setting(
        0.75,
        "Show an automatic suggestion only when the model's mean token probability is at least this.",
        minimum=0.0,
        maximum=1.0,
    )
    eagerness: str = setting(
        "balanced",
        "How much the gate that learns from you may hide of what you would take: 2 % (`eager`), 5 % or 10 % (`quiet`).",
        choices=("eager", "balanced", "quiet"),
    )
    look_ahead: bool = setting(
        True, "While you read a suggestion, compute what follows it, so that it is there at once when you take it."
    )
    next_edit: bool = setting(True, "Predict your next edit from the last ones, anywhere in the project.")
    next_edit_model: str = setting(
        "",
        "Folder of a model of yours, or its id in the Hugging Face cache, that writes next edits and judges those that rules"
        " propose; empty: the rules propose, Sotto's model judges.",
    )
    next_edit_format: str = setting(
        "auto",
        "How that model wants to be asked: as Sweep's or Zed's next-edit models, or as a chat model; `auto` goes by its name.",
        choices=("auto", "sweep", "zeta", "instruct"),
    )
    popup: str = setting(
        "auto",
        "Offer suggestions as an ordinary completion item: for editors without inline completion (`auto`), always, or never.",
        choices=("auto", "always", "never"),
    )
    temperature: float = setting(0.0, "0 takes the likeliest token; above 0 samples.", minimum=0.0, maximum=2.0)
    top_p: float = setting(
        0.95, "When sampling, keep the likeliest tokens up to this total probability.", minimum=0.05, maximum=1.0
    )
    turbo: bool = setting(
        False,
        "Let sure tokens skip the model's last layers, calibrated to lose at most 1 % of the exactly right lines; the answers"
        " are no longer always the whole model's.",
    )
    model: str = setting(
        "",
        "Folder of a checkpoint, Sotto's or one that transformers loads, or the id of one in the Hugging Face cache; empty for"
        " the model that comes with Sotto.",
    )
    allow_download: bool = setting(
        False,
        "Fetch a `model` that is an id and not in the Hugging Face cache from huggingface.co. Nothing else is fetched.",
    )
    attention: str = setting(
        "dense",
        "What attention looks at in a model that transformers loads: `dense`, `sink_window`, `block_select`, `token_select`,"
        " `hip` or `act`; `duo` or `razor` after `sotto model calibrate`. Layers may differ: `hip,0-1=dense`. `infini_retri`"
        " looks for the lines that matter where a file exceeds the model's window. Mixers with weights of their own"
        " (`lightning` and others of `sotto bench mixers`) are dense in a checkpoint that was not trained with them, and the"
        " log says so.",
    )
    threads: int = setting(0, "Threads of the engine; 0 chooses from the idle cores.", minimum=0, maximum=64)
    shared_engine: bool = setting(
        True, "One engine process for all windows of yours that want the same model; off, this window has one of its own."
    )
    idle_minutes: int = setting(
        30,
        "Minutes without a request after which the engine ends and its memory is free; the next key starts it again. 0: never.",
        minimum=0,
        maximum=1440,
    )
    context_tokens: int = setting(
        -1,
        "Most tokens of a prompt for what the workspace says of the place: called functions, members, imports, similar blocks,"
        " recent edits. -1 lets the model decide: none for a small one, a quarter of its context for a large one.",
        minimum=-1,
        maximum=8192,
    )
    workspace_index: bool = setting(
        True,
        "Keep a search index of the workspace in your cache folder: for `workspace/symbol`, and for suggestions that know the"
        " project.",
    )
    review: str = setting(
        "manual",
        "Review what changed: when you ask for it (`manual`), also each file that you save (`save`), or not at all (`off`).",
        choices=("off", "manual", "save"),
    )
    review_model: str = setting(
        "",
        "Folder of an instruct model of yours, or its id in the Hugging Face cache, that also reads each change of a review and"
        " words comments; each claim is checked against the code. Empty: the rules alone.",
    )
    review_linters: tuple[str, ...] = setting(
        (),
        "Linters of the project's environment that a review in the editor runs too: `ruff`, `mypy`, `pyright`, `eslint`,"
        " `semgrep`.",
    )
    telemetry: bool = setting(
        True, "Keep a private record of suggestions on this machine (numbers only, never source text or names)."
    )
