"""Examples of the edit format: each answer, made in its region, is the author's next step, and nothing unseen waits there."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer

from assistant.edit_format import Change, Hunk, Region, apply, marked, render, render_answers, render_question, split_lines
from assistant.training import edit_evaluate, edit_examples, edit_patches, edit_synthesis, edits
from assistant.training.corpus import Document
from assistant.training.edits import Example, Segment, Session
from assistant.training.rows import Rows, TokenStore
from assistant.training.tokenizer import END, SPECIAL_TOKENS

MODULE = '''"""Tables of prices."""
from collections import OrderedDict
from math import floor, sqrt


class Table:
    def __init__(self, rows, currency="EUR"):
        self.rows = rows
        self.currency = currency
        self.cache = OrderedDict()

    def total(self, tax):
        net = sum(row.price for row in self.rows)
        gross = net * (1 + tax)
        print("total", net, gross, "EUR")
        return floor(gross)

    def show(self):
        print("rows", self.rows, "EUR")
        print("cache", self.cache, "EUR")
        return len(self.rows)


def area(width, height):
    return width * height


def main(table):
    size = area(table.show(), 2)
    other = area(3, size)
    return sqrt(other) + area(size, other) + table.total(0.2)
'''


def spelled(parts: object) -> str:
    return "".join(f"<|{p.special}|>" if p.special else p.text for p in parts)  # type: ignore[attr-defined]


def lines_of(number: int) -> tuple[str, ...]:
    return tuple(f"line {i}\n" for i in range(number))


def test_a_prompt_and_its_answer_are_spelled_as_documented() -> None:
    region = Region("a.py", ("x = 1\n", "y = x\n"))
    history = (Hunk("b.py", "", "import x\n"), Hunk("a.py", "w = 1\n", "x = 1\n"))
    assert spelled(render(history, region, (1, 3))) == (
        "<|edit|>b.py\n<|edit_old|><|edit_new|>import x\n<|edit|><|edit_old|>w = 1\n<|edit_new|>x = 1\n"
        "<|file|>a.py\n<|line|>x = 1\ny =<|cursor|> x\n"
    )
    assert spelled(render_question(region, range(1, 2))) == "<|edit|><|edit_old|>y = x\n<|edit_new|>"
    changes = [Change(1, 2, "y = x + 1\n"), Change(2, 2, "z = y\n")]
    assert spelled(render_answers(region, changes)) == (
        "<|edit|><|edit_old|>y = x\n<|edit_new|>y = x + 1\n<|edit|><|edit_old|>y = x\n<|edit_new|>y = x\nz = y\n<|end|>"
    )
    assert spelled(render_answers(region, [])) == "<|end|>"
    assert {p.special for p in render(history, region, (1, 3)) if p.special} <= set(SPECIAL_TOKENS)


@pytest.mark.parametrize("change", [Change(0, 0, "a\n"), Change(2, 2, "a\n"), Change(1, 2, ""), Change(0, 2, "a\nb\nc\n")])
def test_a_change_as_the_model_sees_it_replaces_lines_and_means_the_same(change: Change) -> None:
    region = Region("a.py", ("x = 1\n", "y = x\n"))
    seen, lines = marked(region, change)
    assert len(lines) == seen.end - seen.start > 0
    assert apply(region, seen) == apply(region, change)


def test_a_region_too_long_and_a_change_outside_are_refused() -> None:
    with pytest.raises(ValueError, match="at most 19 lines, not 20"):
        render([], Region("a.py", lines_of(20)))
    for refused in (apply, marked):
        with pytest.raises(ValueError, match="not in a region of 2 lines"):
            refused(Region("a.py", lines_of(2)), Change(1, 3, ""))
    with pytest.raises(ValueError, match="no line to insert at"):
        marked(Region("a.py", ()), Change(0, 0, "x\n"))


def after(lines: tuple[str, ...], changes: tuple[Change, ...]) -> list[str]:
    out = list(lines)
    for change in sorted(changes, key=lambda c: c.start, reverse=True):
        out[change.start : change.end] = split_lines(change.text)
    return out


@pytest.mark.parametrize("seed", range(40))
def test_an_example_is_a_stretch_of_the_file_half_way_and_its_answer_leads_on(seed: int) -> None:
    rng = random.Random(seed)
    places = sorted(rng.sample(range(2, 90, 4), rng.randint(2, 6)))
    changes = tuple(
        Change(at, at + rng.randint(0, 2), "".join(f"new {at} {i}\n" for i in range(rng.randint(0, 2)))) for at in places
    )
    session = Session("test", (Segment("m.py", lines_of(100), changes),))
    final = after(lines_of(100), changes)
    answered = 0
    for _ in range(30):
        one = edits.example(session, rng)
        if one is None or one.more:
            continue
        answered += bool(one.answers)
        assert one.history
        assert len(one.region.lines) <= 19
        done = after(one.region.lines, one.answers)
        joined, whole = "".join(done), "".join(final)
        assert joined in whole, (one, joined)
    assert answered


def test_made_up_edits_of_every_kind_parse_and_lead_back() -> None:
    source = edit_patches.read("prices.py", MODULE)
    assert source is not None
    kinds = Counter[str]()
    for seed in range(150):
        for session in edit_synthesis.sessions(source, random.Random(seed), 3):
            (segment,) = session.segments
            kinds[session.kind] += 1
            changed = after(segment.lines, segment.changes)
            back = edit_patches.turned(segment)
            assert list(back.lines) == changed
            assert after(back.lines, back.changes) == list(segment.lines)
            assert MODULE in ("".join(segment.lines), "".join(changed))
            compile("".join(segment.lines), "before", "exec")
            compile("".join(changed), "after", "exec")
    assert set(kinds) == set(edit_synthesis.MAKERS)


def test_examples_survive_the_file_and_are_cut_to_their_shares(tmp_path: Path, documents: list[Document]) -> None:
    made = list(edit_examples.from_documents(documents, seed=1))
    kept = edit_examples.balanced(made, 24, seed=1)
    assert sum(not one.answers for one in kept) <= 6
    edit_examples.write(kept, tmp_path / "edits.jsonl")
    assert list(edit_examples.load(tmp_path / "edits.jsonl")) == kept
    assert kept == edit_examples.balanced(list(edit_examples.from_documents(documents, seed=1)), 24, seed=1)


@pytest.fixture
def encoded(tmp_path: Path, documents: list[Document], tiny_tokenizer: Tokenizer) -> TokenStore:
    edit_examples.encode(edit_examples.from_documents(documents, seed=1), tiny_tokenizer, tmp_path / "edits")
    return TokenStore(tmp_path / "edits")


def test_rows_take_their_share_of_examples_and_resume_anywhere(
    store: TokenStore, encoded: TokenStore, tiny_tokenizer: Tokenizer
) -> None:
    def stream() -> Rows:
        return Rows(store, tiny_tokenizer, 512, seed=3, edits=encoded)

    plain, mixed = stream(), stream()
    plain.next(3)
    mixed.set_edits(0.2)
    rows = mixed.next(30)
    answers = (rows & edit_examples.PLAIN == SPECIALS["line"]).any(1)
    assert 0 < answers.sum() < 30
    examples = {tuple(encoded.document(i).tolist()) for i in range(len(encoded))}
    whole = [len(e) for row in rows.tolist() for e in examples if ",".join(map(str, e)) in ",".join(map(str, row))]
    assert 0.15 <= sum(whole) / rows.size <= 0.25
    resumed = stream()
    first = stream()
    first.set_edits(0.2)
    first.next(11)
    resumed.restore(first.state())
    assert np.array_equal(resumed.next(19), rows[11:])


SPECIALS = edit_examples.SPECIALS


def test_what_is_wanted_of_a_row() -> None:
    edit, new, file, text = SPECIALS["edit"], SPECIALS["edit_new"], SPECIALS["file"], 40
    says, silent = edit_examples.SAY_EDIT, edit_examples.SAY_NO_EDIT
    rows = torch.tensor([[edit, text, new, text, text, file, text | says, text | silent, edit, new, END, text]])
    inputs, targets, counts = edit_examples.wanted(rows, 3.0)
    assert inputs[0].tolist() == [edit, text, new, text, text, file, text, text, edit, new, END]
    assert targets[0].tolist() == [text, new, text, text, file, text, edit, SPECIALS["no_edit"], new, END, text]
    assert counts[0].tolist() == [1, 1, 3, 3, 3, 1, 3, 3, 1, 3, 1]
    plain = torch.tensor([[text, text, END, text]])
    inputs, targets, counts = edit_examples.wanted(plain, 3.0)
    assert (inputs[0].tolist(), targets[0].tolist(), set(counts[0].tolist())) == ([text, text, END], [text, END, text], {1.0})


class Oracle:
    """Follows one sequence: every token's likeliest successor is the next one, or ``other`` at a place."""

    config = SimpleNamespace(context=1024, n_layers=1)

    def __init__(self, ids: list[int], other: dict[int, int]) -> None:
        self.next = [other.get(i, token) for i, token in enumerate(ids[1:])]

    def hidden(self, tokens: torch.Tensor) -> tuple[torch.Tensor, dict[int, torch.Tensor]]:
        return torch.nn.functional.one_hot(torch.tensor(self.next), 700)[None].float(), {}

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        return 9 * hidden


def test_a_guess_tells_place_text_and_silence(tiny_tokenizer: Tokenizer) -> None:
    region = Region("a.py", ("x = 1\n", "y = x\n", "z = 2\n"))
    one = Example("k", (Hunk("a.py", "w\n", "x\n"),), region, None, (Change(1, 2, "y = z\n"),))
    none = Example("k", one.history, region, None, ())
    prompt, answer, ends = edit_examples.token_ids(one, tiny_tokenizer)
    assert [prompt[place] & ~edit_examples.PLAIN for place in ends] == [0x4000, 0x8000, 0x4000]
    ids = [token & edit_examples.PLAIN for token in prompt] + answer
    quiet = dict.fromkeys(ends, SPECIALS["no_edit"])

    def guessed(example: Example, other: dict[int, int]) -> edit_evaluate.Guess:
        ((_, found),) = edit_evaluate.guesses(Oracle(ids, other), tiny_tokenizer, [example])  # type: ignore[arg-type]
        return found

    right = guessed(one, {**quiet, ends[1]: SPECIALS["edit"]})
    elsewhere = guessed(one, {**quiet, ends[2]: SPECIALS["edit"]})
    silent = guessed(one, quiet)
    text_at = len(prompt) + answer.index(SPECIALS["edit_new"])
    other_text = guessed(one, {**quiet, ends[1]: SPECIALS["edit"], text_at: 40})
    assert (right.place, right.text) == (1, True)
    assert (elsewhere.place, elsewhere.text) == (2, True)
    assert max(silent.lines) < 0.01 < 0.99 < max(right.lines)
    assert (other_text.place, other_text.text) == (1, False)

    pairs = [(one, right), (one, other_text), (one, elsewhere), (none, silent)]
    level = edit_evaluate.threshold(pairs)
    found = edit_evaluate.report(pairs, level)
    assert (found.line, found.text, found.exact) == (2 / 3, 2 / 3, 1 / 3)
    assert (found.spoken, found.line_when_spoken, found.no_edit_precision, found.no_edit_recall) == (1.0, 2 / 3, 1.0, 1.0)


def test_example_reads_only_its_own_json() -> None:
    one = Example("k", (Hunk("a", "b\n", ""),), Region("a", ("x\n",)), (0, 1), (Change(0, 1, ""),))
    assert Example.from_json(one.to_json()) == one
