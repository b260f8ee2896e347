"""The same change again: whole lines, rewritten shapes, tokens between the same neighbours, deleted lines."""

from __future__ import annotations

import pytest

from tests.assistant.next_edit.patterns.scenes import after, run, scene


def test_the_same_line_gets_the_same_change() -> None:
    before = "a:\n  run: make test\nb:\n  run: make test\nc:\n    run: make test -v\n"
    now = before.replace("make test", "make check", 1)
    assert (
        after("line_repeat", scene(before, now, path="ci.yml"))
        == "a:\n  run: make check\nb:\n  run: make check\nc:\n    run: make test -v\n"
    )


def test_the_same_line_in_another_open_file() -> None:
    where = scene("x = load(a, 1)\n", "x = load(a, 2)\n", others={"other.py": "    x = load(a, 1)\r\n"})
    assert after("line_repeat", where, "other.py") == "    x = load(a, 2)\r\n"


def test_a_line_that_says_little_is_not_repeated() -> None:
    assert run("line_repeat", scene("pass\nx\npass\n", "return\nx\npass\n")) == []


def test_a_line_the_user_wrote_is_left_alone() -> None:
    assert run("line_repeat", scene("x = load(a, 1)\n", "x = load(a, 2)\n", "x = load(a, 2)\nx = load(a, 1)\n")) == []


def test_an_assertion_is_rewritten_by_its_shape() -> None:
    before = "self.assertEqual(a, b)\nself.assertEqual(x.y, f(1, 2))\nself.assertEqual(only(a, b))\nassertEqual(p, q)\n"
    now = before.replace("self.assertEqual(a, b)", "assert a == b")
    assert (
        after("clone", scene(before, now))
        == "assert a == b\nassert x.y == f(1, 2)\nself.assertEqual(only(a, b))\nassertEqual(p, q)\n"
    )


def test_names_that_stayed_are_holes() -> None:
    before = "first = os.path.join(root, 'a')\nsecond = os.path.join(base, 'a')\n"
    now = before.replace("os.path.join(root, 'a')", "Path(root, 'a')")
    assert after("clone", scene(before, now)) == "first = Path(root, 'a')\nsecond = Path(base, 'a')\n"


def test_one_example_is_not_spread_over_many_places() -> None:
    before = "".join(f"self.assertEqual(a{i}, b{i})\n" for i in range(12))
    one = before.replace("self.assertEqual(a0, b0)", "assert a0 == b0")
    two = one.replace("self.assertEqual(a1, b1)", "assert a1 == b1")
    assert run("clone", scene(before, one)) == []
    assert after("clone", scene(before, one, two)) == "".join(f"assert a{i} == b{i}\n" for i in range(12))


def test_code_is_not_rewritten_in_strings_and_comments() -> None:
    before = "self.assertEqual(a, b)\n# self.assertEqual(c, d)\ns = '''\nself.assertEqual(e, f)\n'''\n"
    assert run("clone", scene(before, before.replace("self.assertEqual(a, b)", "assert a == b"))) == []


def test_typescript_shapes() -> None:
    before = "expect(a).toEqual(b);\nexpect(f(1)).toEqual([1, 2]);\n"
    now = before.replace("expect(a).toEqual(b)", "assert.equal(a, b)")
    assert after("clone", scene(before, now, path="a.test.ts")) == "assert.equal(a, b);\nassert.equal(f(1), [1, 2]);\n"


def test_the_same_tokens_between_the_same_neighbours() -> None:
    before = 'a = get(row, "name", default=1)\nb = get(col, "name", default=2)\nc = "name"\n'
    now = before.replace('row, "name"', 'row, "label"')
    found = run("context_repeat", scene(before, now))
    assert [c.text for c in found] == ["label", "label"]  # the second is a bare word: what that is worth, the ranker knows
    assert found[0].start == now.index("name")
    assert found[0].features["left"] + found[0].features["right"] > 3
    assert found[1].features["left"] + found[1].features["right"] < 3


def test_a_common_word_is_followed_to_the_same_neighbours_only() -> None:
    before = 'a = get(row, "name", default=1)\nb = get(col, "name", default=2)\n' + "name = name\n" * 4
    now = before.replace('row, "name"', 'row, "label"')
    assert [c.start for c in run("context_repeat", scene(before, now))] == [now.index("name")]


def test_a_rare_number_is_followed_without_neighbours() -> None:
    before = "plan(79)\nfor one in errors:\n    check(one)\nassert counter == 79\n"
    found = run("context_repeat", scene(before, before.replace("plan(79)", "plan(80)")))
    assert [c.text for c in found] == ["80"]


def test_an_item_added_on_a_line_of_its_own_is_an_item_elsewhere() -> None:
    before = "def f(self, alpha, beta):\n    pass\n\ndef g(self, alpha, beta):\n    pass\n"
    now = before.replace("beta):", "beta,\n      gamma):", 1)
    assert after("context_repeat", scene(before, now)) == now.replace("g(self, alpha, beta)", "g(self, alpha, beta, gamma)")


def test_a_block_is_rewritten_where_the_same_block_stands_with_another_name() -> None:
    call = "    value = api.{}.select(args)(state())\n    return value\n"
    wrapped = "    value = api.{}.select(args)(\n        # because\n        state()\n    )\n    return value\n"
    before = f"def a():\n{call.format('one')}\ndef b():\n{call.format('two')}"
    now = before.replace(call.format("one"), wrapped.format("one"))
    assert after("block_repeat", scene(before, now)) == now.replace(call.format("two"), wrapped.format("two"))


def test_added_lines_follow_between_the_same_neighbours_at_their_indentation() -> None:
    before = "def a():\n    start(x)\n    finish(x)\n\nif True:\n        start(x)\n        finish(x)\n"
    now = before.replace("    start(x)\n    finish", "    start(x)\n    log(x)\n    finish", 1)
    wanted = now.replace("        start(x)\n", "        start(x)\n        log(x)\n")
    assert after("block_repeat", scene(before, now)) == wanted


@pytest.mark.parametrize(
    "before",
    [
        "start(x)\nfinish(x)\n\nstart(y, 1)\nfinish(x)\n",  # another shape
        "start(x)\nfinish(x)\n\nstart(x)\nlog(x)\nfinish(x)\n",  # it is there already
        "start(x)\nfinish(x)\n\nstart(x)\nbegin(x, 1)\nfinish(x)\n",  # not beside each other
    ],
)
def test_added_lines_do_not_follow_elsewhere(before: str) -> None:
    now = before.replace("start(x)\n", "start(x)\nlog(x)\n", 1)
    assert run("block_repeat", scene(before, now)) == []


def test_lines_between_sentences_do_not_take_for_ever() -> None:
    """Words that could be split anywhere made a comment's shape try every way to split every comment."""
    words = " ".join(["words", "nobody", "wants", "split"] * 8)
    before = f"# {words}.\nfinish(x)\n\n# {words.replace('nobody', 'somebody')} again\nfinish(x)\n"
    now = before.replace("finish(x)\n", "\nwarm = 1\nfinish(x)\n", 1)
    assert run("block_repeat", scene(before, now)) == []


def test_a_name_with_a_scope_is_not_a_matter_of_neighbours() -> None:
    before = "def f(price):\n    return g(price, 1)\n\ndef h(price):\n    return price\n"
    assert run("context_repeat", scene(before, before.replace("price", "cost", 1))) == []


def test_something_inserted_is_inserted_beside_the_same_neighbours() -> None:
    before = "a = load(path, encoding)\nb = load(path, encoding)\n"
    now = before.replace("encoding)", "encoding, errors)", 1)
    assert [c.text for c in run("context_repeat", scene(before, now))] == ["encoding, errors"]


def test_the_same_leftover_is_deleted() -> None:
    before = "def f():\n    print('debug', x)\n    return 1\n\ndef g():\n        print('debug', x)\n        return 2\n"
    now = before.replace("    print('debug', x)\n", "", 1)
    assert after("leftover", scene(before, now)) == "def f():\n    return 1\n\ndef g():\n        return 2\n"


@pytest.mark.parametrize("line", ["    return x\n", "    }\n", "    foo()\n"])
def test_one_deletion_of_an_ordinary_line_says_nothing(line: str) -> None:
    before = f"if a:\n{line}if b:\n{line}"
    assert run("leftover", scene(before, before.replace(line, "", 1))) == []


def test_one_deletion_is_not_spread_over_many_places() -> None:
    before = "".join(f"step({i})\nlogger.debug('here', value)\n" for i in range(9))
    assert run("leftover", scene(before, before.replace("logger.debug('here', value)\n", "", 1))) == []
