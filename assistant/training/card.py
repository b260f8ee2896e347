"""The model card: what the weights are, what they were trained on, what they can and cannot do, in figures.

Knows the figures' names. Measures nothing.
"""

from __future__ import annotations

from typing import Any

from assistant.model.config import ModelConfig
from assistant.training import sources
from assistant.training.pretrain import Recipe


def write(preset: str, config: ModelConfig, recipe: Recipe, figures: dict[str, Any], data: dict[str, Any]) -> str:
    """The card as Markdown."""
    manifest = sources.load_manifest()
    return (
        "\n\n".join(
            (
                f"# sotto-{preset}",
                _summary(config, recipe, figures),
                "## Figures\n\nOn packages that never entered training ("
                + _names(manifest.held_out)
                + "), with the int8 weights:",
                _table(config, figures),
                _how_measured(figures),
                _controller(figures),
                *_edits(figures),
                "## Limits\n\n" + LIMITS,
                "## Data\n\n" + _data(manifest, data),
                "## Make it again\n\n"
                + f"`sotto train --preset {preset}`: the same corpus hash, seed and thread count give the same weights,\n"
                "as long as nothing is changed while it runs; what was changed here is noted below.",
            )
        )
        + "\n"
    )


LIMITS = """- A very small model: it finishes names, calls and idioms on the line being written. It does not know libraries by
  heart, does not reason, and what it writes over several lines is usually wrong.
- Python only; English comments.
- Trained on published library code, of which tests are a small share: scripts, notebooks and applications look different.
- It can repeat short runs of its training text. Addresses were replaced and files with secrets left out; that filter is a
  list of patterns, not a proof.
- The next edit is predicted inside a region of 19 lines that the caller chooses. Made-up edits are more regular than
  people's."""


def _summary(config: ModelConfig, recipe: Recipe, figures: dict[str, Any]) -> str:
    return f"""{config.n_params / 1e6:.1f} M parameters: {config.n_layers} layers x {config.d_model}, {config.n_heads} query \
and {config.n_kv_heads} key/value heads of {config.head_dim}, SwiGLU {config.d_ff}, norms on queries and keys, tied embedding of
{config.vocab_size} byte-level BPE tokens, {config.context} tokens of context, early exits after layers \
{", ".join(map(str, config.exits))}. Stored as int8, one scale for each row.

Trained on {figures["tokens"] / 1e6:.1f} M tokens ({figures["flops"]:.2e} FLOPs) in bf16: Muon and AdamW, warmup-stable-decay,
fill-in-the-middle on {recipe.fim:.0%} of the pieces (80 % of it suffix first), rows of {recipe.length} tokens, in the decay
{recipe.long_length}; the exits learn from the first step, half from the text and half from the last layer.
{_edit_share(recipe)}"""


def _edit_share(recipe: Recipe) -> str:
    if not recipe.edits:
        return "No edits."
    return f"Edit examples are {recipe.edits:.0%} of the tokens from {recipe.edits_from / 1e6:.1f} M tokens on."


def _names(entries: tuple[sources.Distribution, ...]) -> str:
    return ", ".join(entry.name for entry in entries)


def _table(config: ModelConfig, figures: dict[str, Any]) -> str:
    ltr, fim, plain, grams = (figures[k] for k in ("left_to_right", "infilling", "infilling_without_suffix", "five_gram"))
    rows = [
        "| | bits/byte | line exact match | edit similarity |",
        "|---|---|---|---|",
        f"| this model | {ltr['bits_per_byte']:.3f} | {_infilling(fim)} |",
        f"| the same without the suffix | | {_infilling(plain)} |",
        f"| 5-gram model, same tokenizer | {grams['bits_per_byte']:.3f} | {_infilling(grams)} |",
    ]
    exits = [
        "| layer | agrees with the last layer | guesses the token |",
        "|---|---|---|",
        *(
            f"| {layer} | {_of(ltr['agreement'], layer):.1%} | {_of(ltr['accuracy'], layer):.1%} |"
            for layer in (*config.exits,)
        ),
        f"| {config.n_layers} | | {_of(ltr['accuracy'], config.n_layers):.1%} |",
    ]
    return "\n".join(rows) + "\n\n" + "\n".join(exits)


def _infilling(figures: dict[str, Any]) -> str:
    return f"{figures['exact_match']:.1f} % | {figures['edit_similarity']:.1f}"


def _of(by_layer: dict[Any, float], layer: int) -> float:
    """A figure by layer, whether its keys went through JSON or not."""
    return by_layer[layer] if layer in by_layer else by_layer[str(layer)]


def _how_measured(figures: dict[str, Any]) -> str:
    ltr, fim = figures["left_to_right"], figures["infilling"]
    return f"""Bits per byte: {ltr["tokens"]:,} tokens ({ltr["bytes"]:,} bytes) of whole files after their path, at least \
half a context before each token
but a file's first. Infilling: {fim["items"]} cursors, package, file, line of code and column each uniform; the rest of \
the line is wanted,
written greedily with token healing, and must match exactly but for trailing white space; similarity is difflib's ratio x 100.
The 5-gram model (Witten-Bell) counted as many tokens as the network saw. Rounding to int8 cost \
{figures["int8_cost_bits_per_byte"]:+.4f} bits/byte."""


def _controller(figures: dict[str, Any]) -> str:
    report = figures["controller"]
    return f"""## Stop and exit

One linear map per exit (and after the last layer) reads the residual stream and says stop, exit or continue. At the stop
threshold {report["threshold"]:.2f}, chosen on other files, it ends {report["wrong_stopped"]:.1%} of the tokens that no layer
guesses and {report["right_stopped"]:.1%} of those that one does."""


def _edits(figures: dict[str, Any]) -> list[str]:
    kinds = figures.get("edits")
    if not kinds:
        return []
    rows = [
        "| | n | line | new text, line given | both | speaks | line, when it speaks | silent when done | silence is right |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    shares = ("line", "text", "exact", "spoken", "line_when_spoken", "no_edit_recall", "no_edit_precision")
    for kind, found in sorted(kinds.items(), key=lambda item: item[0] != "all"):
        rows.append(f"| {kind} | {found['edits'] + found['silent']} | " + " | ".join(f"{found[k]:.1%}" for k in shares) + " |")
    about = f"""## Next edits

The same weights predict the next edit (`assistant/edit_format.py`): a probability for each of 19 lines, then new text, greedy.
On edits made up on the held-out packages' files, a quarter of them finished; it speaks where a line's probability is above
{kinds["all"]["threshold"]:.2f}, chosen on files of training packages."""
    return [about, "\n".join(rows)]


def _data(manifest: sources.Manifest, data: dict[str, Any]) -> str:
    train = data["train"]
    licences: dict[str, list[str]] = {}
    for entry in (*manifest.train, *manifest.installed):
        licences.setdefault(entry.licence, []).append(f"{entry.name} {entry.version}")
    left_out = ", ".join(f"{count:,} {reason}" for reason, count in train["rejected"].items())
    edits = "commits of " + ", ".join(f"{h.name} ({h.licence})" for h in manifest.histories)
    by_licence = "\n".join(f"- {licence}: {', '.join(names)}" for licence, names in sorted(licences.items()))
    return f"""{train["files"]:,} Python files, {train["characters"] / 1e6:.0f} M characters, sha256 `{train["sha256"][:16]}`: \
the standard library (PSF-2.0) and the packages
below, each file with its licence in the corpus. Left out: {left_out}.
Edits: {edits}; made-up edits on the same files.
Packages whose name starts with h, w or z are reserved for evaluation; training files that share lines with them are left out.

{by_licence}"""
