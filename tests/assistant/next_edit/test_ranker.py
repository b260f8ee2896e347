"""Learning the ranker on made-up moments, the file it is kept in, and the figures of a replay."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest

from assistant.next_edit import learn
from assistant.next_edit.features import features, gathered
from assistant.next_edit.locate import Judgement
from assistant.next_edit.ranker import MISSING, TARGETS, Ranker, RankerError, dumps, loads
from assistant.next_edit.replay_report import choose, figures, report
from assistant.next_edit.replay_run import Item, Seen
from assistant.next_edit.types import Candidate, Change, Document, Scene


def item(rng: random.Random, right: bool) -> Item:
    """Two features tell something, one nothing; with ``support`` low, the model's gain tells more."""
    numbers = {
        "support": rng.gauss(1.2 if right else 0.8, 0.3),
        "noise": rng.random(),
        "gain": rng.gauss(0.3 if right else -0.3, 0.2),
        "chance": rng.random(),
        "here": 1.0,
        "away": rng.choice([0.0, 3.0]),
        "rule:rename" if right or rng.random() < 0.5 else "rule:clone": 1.0,
    }
    return Item("rename" if "rule:rename" in numbers else "clone", numbers, right, right or rng.random() < 0.3, 0.0, 0)


def moments(count: int = 240, repositories: int = 4, seed: int = 0) -> list[Seen]:
    rng = random.Random(seed)
    kinds = ("between", "between", "switched", "typing", "finished")
    found = []
    for number in range(count):
        kind = kinds[number % len(kinds)]
        right = kind != "finished" and rng.random() < 0.7
        items = [item(rng, False) for _ in range(rng.randint(0, 3))]
        items += [item(rng, True)] * right
        rng.shuffle(items)
        repository, name = f"r{number % repositories}", f"c{number // 3}"
        found.append(Seen(repository, name, kind, "down", "python", tuple(items), 1.0 + number % 7, 0.0, 2.0, 1.0))
    return found


@pytest.fixture(scope="module")
def learned() -> Ranker:
    return learn.learn(moments(), {"by": "a test"})[0]


def precision(ranker: Ranker, seen: list[Seen], way: str) -> float:
    """Of the likeliest edits; where jumps have to be as probable as what lies near, these are the first choices."""
    chosen = [choose(one, ranker, way, "quiet") for one in seen if one.kind != "finished" and one.items]
    return sum(one.exact for one in chosen) / len(chosen)


def with_completions(seen: list[Seen]) -> list[Seen]:
    """The same, and in every second moment what the line would be completed to: right when its worst token is likely."""
    rng = random.Random(9)
    found = []
    for at, one in enumerate(seen):
        sure = rng.random()
        numbers = {"support": 0.7, "here": 1.0, "away": 0.0, "rule:complete": 1.0, "complete:sure": sure}
        line = Item("complete", numbers, one.kind != "finished" and sure > 0.5, True, 0.0, 0)
        found.append(replace(one, items=(line, *one.items)) if at % 2 else one)
    return found


def test_completions_are_learned_apart_from_the_rules(learned: Ranker) -> None:
    seen = with_completions(moments())
    ranker, told = learn.learn(seen, {"by": "a test"})
    assert learned.written is None
    assert ranker.written is not None
    assert (ranker.alone.stage, ranker.judged.stage) == (learned.alone.stage, learned.judged.stage)
    likely, unlikely = ({"rule:complete": 1.0, "complete:sure": sure} for sure in (0.9, 0.1))
    assert ranker.weigh(unlikely, False) < 0.3 < 0.5 < ranker.weigh(likely, False)
    assert ranker.weigh(likely, True) == ranker.weigh(likely, False)
    assert told["alone"]["0.7"]["coverage"] > learned.record["held_out"]["alone"]["0.7"]["coverage"]
    assert ranker.written.thresholds == ranker.alone.thresholds
    assert loads(dumps(ranker)) == ranker
    adapted, _ = learn.adapt(ranker, with_completions(moments(60, seed=3)), {})
    assert adapted.written == ranker.written


def test_it_learns_what_tells_and_the_model_adds_to_it(learned: Ranker) -> None:
    fresh = moments(seed=1)
    by_chance = precision(learned, fresh, "patterns")
    alone, judged = precision(learned, fresh, "ranked patterns"), precision(learned, fresh, "with the model")
    assert by_chance < alone
    assert alone + 0.1 < judged


def test_its_probabilities_mean_what_they_say(learned: Ranker) -> None:
    weighed = [(learned.weigh(one.features, True), one.exact) for seen in moments(seed=2) for one in seen.items]
    assert sum(p for p, _ in weighed) / sum(right for _, right in weighed) == pytest.approx(1.0, abs=0.12)
    sure = [right for p, right in weighed if p > 0.8]
    assert sum(sure) / len(sure) > 0.75


def test_learning_twice_gives_the_same_file(learned: Ranker) -> None:
    assert dumps(learn.learn(moments(), {"by": "a test"})[0]) == dumps(learned)


def test_held_out_figures_are_kept_with_it(learned: Ranker) -> None:
    record = learned.record["held_out"]
    assert set(record) == {"judged", "alone"}
    coverage = [record["judged"][share]["coverage"] for share in TARGETS]
    assert coverage == sorted(coverage, reverse=True)
    assert coverage[-1] > record["alone"]["0.8"]["coverage"]
    assert learned.threshold(0.5) <= learned.threshold(0.6) <= learned.threshold(0.8)
    between = learned.threshold(0.65)
    assert between == pytest.approx((learned.threshold(0.6) + learned.threshold(0.7)) / 2)
    assert learned.threshold(0.6) == learned.judged.thresholds["0.6"]
    assert (learned.threshold(0.1), learned.threshold(0.99)) == (learned.threshold(0.5), learned.threshold(0.8))


def test_shares_are_read_off_all_moments_with_something_left_to_do() -> None:
    """In the middle of a line as well: what a user sees there counts as much."""
    right, wrong = (Item("rename", {"support": 1.0}, is_so, is_so, 0.0, 0) for is_so in (True, False))
    kinds = [("between", right), ("typing", wrong), ("typing", right), ("finished", wrong)]
    seen = [Seen("r", f"{at}", kind, "down", "python", (one,), 1, 0, 0) for at in range(30) for kind, one in kinds]
    found = learn.out_of_sample(seen, [p for at in range(30) for p in (0.9, 0.5 - at / 1000, 0.4, 0.5 - at / 1000)])
    assert (found["unfinished"], found["between"]) == (90, 30)
    for share, shown, false in (("0.6", 90, 30), ("0.8", 37, 7)):  # 30 of 37 are right
        row = found[share]
        assert row["coverage"] == pytest.approx(shown / 90, abs=1e-4)
        assert (row["coverage_between"], row["false_show"]) == (1.0, pytest.approx(false / 30, abs=1e-4))


@pytest.mark.parametrize("seen", [[], moments(3), moments(repositories=1), [replace(one, items=()) for one in moments()]])
def test_too_little_to_learn_from_is_said(seen: list[Seen]) -> None:
    with pytest.raises(learn.TooFew, match="too few"):
        learn.learn(seen, {})


def test_moments_without_a_model_teach_a_ranker_without_one() -> None:
    bare = learn.without_model(moments())
    assert not any(name in one.features for seen in bare for one in seen.items for name in ("gain", "chance"))
    ranker, shown = learn.learn(bare, {})
    assert shown["judged"] == shown["alone"]
    assert ranker.judged.stage.terms == ()


def test_a_history_of_ones_own_moves_the_trust_in_a_rule(learned: Ranker) -> None:
    def spoiled(one: Item) -> Item:
        return replace(one, exact=False) if one.rule == "rename" else replace(one, exact=True)

    mine = [replace(one, items=tuple(map(spoiled, one.items))) for one in moments(60, repositories=1, seed=3)]
    adapted, _ = learn.adapt(learned, mine, {})
    rename, clone = ({"support": 1.0, "rule:" + name: 1.0} for name in ("rename", "clone"))
    before, after = (one.weigh(clone, False) / one.weigh(rename, False) for one in (learned, adapted))
    assert after > 2 * before
    assert adapted.weigh(rename, False) < learned.weigh(rename, False)
    assert loads(dumps(adapted)) == adapted
    assert adapted.judged.thresholds == learned.judged.thresholds
    assert {term.name for term in learned.judged.stage.terms} < {term.name for term in adapted.judged.stage.terms}
    with pytest.raises(learn.TooFew, match="no candidate was right"):
        learn.adapt(learned, [replace(one, items=()) for one in mine], {})


def test_the_shipped_ranker_loads_and_says_how_it_was_learned() -> None:
    ranker = Ranker.load()
    assert ranker.record["moments"]
    assert set(ranker.judged.thresholds) == set(TARGETS)
    assert {"gain", "chance"} <= {term.name for term in ranker.judged.stage.terms}
    assert ranker.alone.stage.terms == ()
    assert ranker.written is not None
    assert "complete:min_logprob" in ranker.written.stage.names
    assert not any(name in ranker.alone.stage.names for name in ("gain", "chance", "rule:model"))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda body: body | {"format": 99},
        lambda body: body | {"sha256": "0" * 64},
        lambda body: {name: value for name, value in body.items() if name != "alone"},
        lambda body: body | {"judged": body["judged"] | {"base": "x"}},
        lambda body: body | {"judged": body["judged"] | {"trees": [[[99] * 7, [0.0] * 7, [0.0] * 15]]}},
        lambda body: [],
    ],
)
def test_a_spoiled_file_is_refused_with_what_to_do(learned: Ranker, spoil: object) -> None:
    body = spoil(json.loads(dumps(learned)))  # type: ignore[operator]
    with pytest.raises(RankerError, match="install Sotto again"):
        loads(json.dumps(body))


@pytest.mark.parametrize("text", ["", "{", "NaN", "null", "\x00"])
def test_what_is_no_json_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "ranker.json"
    file.write_text(text)
    with pytest.raises(RankerError):
        Ranker.load(file)
    with pytest.raises(RankerError):
        Ranker.load(tmp_path / "missing.json")


def test_figures_count_what_is_shown_where(learned: Ranker) -> None:
    right, wrong = (
        Item("rename", {"here": 1.0, "away": 0.0, "support": s}, e, True, r, 0) for s, e, r in ((2, True, 0.0), (1, False, 0.5))
    )
    states = [("between", (right,)), ("between", (wrong,)), ("switched", ()), ("finished", (wrong,)), ("finished", ())]
    seen = [Seen("r", str(at), kind, "down", "python", items, 1, 0, 0) for at, (kind, items) in enumerate(states)]
    found = figures([choose(one, learned, "patterns") for one in seen])
    assert (found["coverage"]["share"], found["coverage"]["n"]) == (pytest.approx(2 / 3), 3)
    assert found["exact_precision"]["share"] == 0.5
    assert found["exact_precision"]["low"] <= 0.5 <= found["exact_precision"]["high"]
    assert (found["false_show"]["share"], found["false_show"]["n"]) == (0.5, 2)
    assert found["reversal"] == {"share": pytest.approx(1 / 3), "n": 3}
    assert figures([choose(one, learned, "nothing") for one in seen])["coverage"]["share"] == 0.0


def test_an_edit_with_a_new_syntax_error_is_passed_over(learned: Ranker) -> None:
    (one,) = [seen for seen in moments(seed=5) if len(seen.items) > 2][:1]
    best = choose(one, learned, "with the model").item
    assert best is not None
    broken = replace(one, items=tuple(replace(each, breaks=1) if each == best else each for each in one.items))
    assert choose(broken, learned, "with the model").item not in (None, best)


def test_the_report_reads_a_curve_that_falls(learned: Ranker) -> None:
    answer = report(moments(seed=4), learned, has_model=True)
    assert list(answer["ways"]) == ["nothing", "patterns", "ranked patterns", "with the model"]
    for rows in answer["curve"].values():
        coverage = [row["coverage"] for row in rows if row["moments"] == "all"]
        assert coverage == sorted(coverage)
    assert answer["latency_ms"]["answer"]["p50"] == 6.0
    assert set(answer["by"]["repository"]) == {"r0", "r1", "r2", "r3"}
    json.dumps(answer, allow_nan=False)


TEXT = "a = load(1)\nb = load(2)\n"
CHANGE = Change("u", TEXT, 4, "load", "read", 1.0)
SCENE = Scene(Document("u", "a.py", "python", CHANGE.after), 8, changes=(CHANGE,))
NEXT = CHANGE.after.index("load")


def test_candidates_that_lead_to_one_text_are_one() -> None:
    said = [
        Candidate("u", NEXT, NEXT + 4, "read", "rename", support=1, matches=3, features={"kept": 0.5}),
        Candidate("u", NEXT - 4, NEXT + 7, "b = read(2)", "line_repeat", support=2, features={"kept": 0.9, "tokens": 7.0}),
        Candidate("u", NEXT, NEXT + 4, "open", "rename"),
        Candidate("gone", 0, 1, "x", "rename"),
    ]
    one, other = gathered(SCENE, said)
    assert (one.rule, one.support, one.matches) == ("rename", 2, 1)
    assert one.features["kept"] == 0.5
    assert one.features["also:line_repeat"] == 1.0
    assert (one.features["edits"], one.features["of_rule"], other.features["of_rule"]) == (2.0, 2.0, 2.0)


def test_a_completion_is_no_edit_of_the_rules_and_is_not_judged() -> None:
    """Not every client has it: where it is missing, the rules' candidates look the same."""
    renamed = Candidate("u", NEXT, NEXT + 4, "read", "rename", features={"kept": 0.5})
    told = {"complete:min_logprob": -0.2}
    written = Candidate("u", 8, 8, "_all", "complete", features=told)
    assert gathered(SCENE, [renamed, written])[0] == gathered(SCENE, [renamed])[0]
    judged = features(SCENE, written, Judgement(0.5, 0.9))
    assert judged == features(SCENE, written, None)
    assert judged["complete:min_logprob"] == -0.2
    ranker = Ranker.load()
    alone = ranker.weigh(judged, False)
    assert ranker.probability(SCENE, written, Judgement(0.5, 0.9)) == ranker.probability(SCENE, written, None) == alone
    same = gathered(SCENE, [renamed, replace(renamed, rule="complete", features=told)])[0]
    assert (same.rule, same.features["also:complete"], same.features["complete:min_logprob"]) == ("rename", 1.0, -0.2)


def test_features_are_finite_and_tell_the_likely_from_the_rest() -> None:
    likely = features(SCENE, Candidate("u", NEXT, NEXT + 4, "read", "rename"), Judgement(0.5, 0.9))
    other = features(SCENE, Candidate("u", NEXT, NEXT + 4, "zzz", "clone"), None)
    assert (likely["took_lost"], likely["gave_gained"], other["gave_gained"], other["gave_unknown"]) == (1.0, 1.0, 0.0, 1.0)
    assert (likely["gain"], likely["chance"]) == (0.5, 0.9)
    assert "gain" not in other
    assert likely["rule:rename"] == other["rule:clone"] == 1.0
    assert all(value > MISSING for value in (*likely.values(), *other.values()))
    nan = features(SCENE, Candidate("u", 0, 1, "x", "r", features={"n": float("nan")}), None)
    assert "own:n" not in nan
    assert features(SCENE, Candidate("gone", 0, 1, "x", "r"), None) == {}


def test_what_kind_of_thing_changes_and_what_else_the_file_says_of_it() -> None:
    text = "from a import one, two\n\n\ndef f():\n    x = one(12)\n\n\ndef g():\n    y = 'a b'\n"
    change = Change("u", text.replace("one(12)", "one(11)"), text.index("2)"), "1", "2", 0.0)
    scene = Scene(Document("u", "a.py", "python", text), 0, changes=(change,))

    def of(old: str, new: str) -> dict[str, float]:
        at = text.index(old)
        return features(scene, Candidate("u", at, at + len(old), new, "r"), None)

    assert (of("one, two", "two")["took_used"], of("one, two", "one")["took_used"]) == (1.0, 0.0)
    assert (of("one, two", "one, y")["gave_used"], of("one, two", "one, z")["gave_used"]) == (1.0, 0.0)
    assert (of("12", "13")["number"], of("one(", "two(")["number"]) == (1.0, 0.0)
    assert (of("a b", "a c")["quoted"], of("12", "13")["quoted"]) == (1.0, 0.0)
    assert (of("two", "six")["import_line"], of("12", "13")["import_line"]) == (1.0, 0.0)
    assert (of("12", "13")["out"], of("a b", "a c")["out"]) == (0.0, 4.0)


@pytest.mark.parametrize("text", ["", "\n", "x", "\n\n\n", "é😀\r\n"])
def test_strange_texts_have_features_too(text: str) -> None:
    change = Change("u", "", 0, "", text, 0.0)
    scene = Scene(Document("u", "a", "", text), len(text), changes=(change,))
    found = features(scene, Candidate("u", 0, len(text), "y\n", "r"), None)
    assert 0 < Ranker.load().weigh(found, False) < 1
