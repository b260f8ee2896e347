"""Parallel lists, values that got a name, and what names in prose and tags follow."""

from __future__ import annotations

from tests.assistant.next_edit.patterns.scenes import after, run, scene


def test_a_member_goes_between_its_likes_elsewhere() -> None:
    before = """\
class Kind(Enum):
    APPLE = "apple"
    PLUM = "plum"

COLORS = {
    Kind.APPLE: "red",
    Kind.PLUM: "blue",
}
"""
    now = before.replace('    PLUM = "plum"\n', '    PEAR = "pear"\n    PLUM = "plum"\n')
    assert after("sibling", scene(before, now)) == now.replace(
        '    Kind.APPLE: "red",\n', '    Kind.APPLE: "red",\n    Kind.PEAR: "red",\n'
    )


def test_at_the_end_of_a_list_at_the_end_of_the_others() -> None:
    before = 'from .shop import zero, first, second\n\n__all__ = ["zero", "first", "second"]\n'
    now = before.replace("first, second\n", "first, second, third\n")
    assert run("sibling", scene(before, now)) == []  # it may be half of a word yet
    assert after("sibling", scene(before, now, cursor=0)) == now.replace('"first", "second"]', '"first", "second", "third"]')


def test_other_spellings_of_the_name() -> None:
    before = "type Kind = 'any_way' | 'one_way' | 'two_way';\nconst a: A = {\n  anyWay: 1,\n  oneWay: 1,\n  twoWay: 1,\n};\n"
    now = before.replace("'two_way'", "'two_way' | 'no_way'")
    assert after("sibling", scene(before, now, path="a.ts")) == now.replace("  twoWay: 1,\n", "  twoWay: 1,\n  noWay: 1,\n")


def test_where_it_is_already_nothing_is_added() -> None:
    before = 'x = [alpha, beta]\ny = ["alpha", "beta", "gamma"]\n'
    assert run("sibling", scene(before, before.replace("alpha, beta]", "alpha, beta, gamma]"))) == []


def test_at_an_end_two_in_a_row_are_too_few() -> None:
    before = 'x = [alpha, beta]\ny = ["alpha", "beta"]\n'
    assert run("sibling", scene(before, before.replace("alpha, beta]", "alpha, beta, gamma]"))) == []


def test_where_only_one_of_the_likes_is_nothing_is_added() -> None:
    before = 'x = [alpha, beta]\ny = ["alpha", "delta"]\nz = alpha\n'
    assert run("sibling", scene(before, before.replace("alpha, beta]", "alpha, beta, gamma]"))) == []


def test_a_name_for_a_value_takes_its_place() -> None:
    first = 'def f(config):\n    g(config["size"] + 1)\n    return config["size"], "config[size]"\n'
    before = first + '\ndef h(config):\n    return config["size"]\n'
    now = before.replace("def f(config):\n", 'def f(config):\n    size = config["size"]\n')
    assert after("extract", scene(before, now)) == (
        'def f(config):\n    size = config["size"]\n    g(size + 1)\n    return size, "config[size]"\n\n'
        'def h(config):\n    return config["size"]\n'
    )


def test_a_constant_for_a_string_reaches_the_file() -> None:
    before = 'def f():\n    return get("main.config")\n\ndef g():\n    return put("main.config")\n'
    now = 'CONFIG = "main.config"\n\n' + before
    assert after("extract", scene(before, now)) == now.replace('get("main.config")', "get(CONFIG)").replace(
        'put("main.config")', "put(CONFIG)"
    )


def test_a_value_that_was_named_before_is_no_extraction() -> None:
    before = "def f():\n    row = next(rows)\n    a = next(rows)\n"
    assert run("extract", scene(before, before + "row = next(rows)\n")) == []


def test_new_code_is_no_extraction() -> None:
    before = "def f():\n    return 1\n"
    assert run("extract", scene(before, before + "def g():\n    size = config['size']\n    use(config['size'])\n")) == []


def test_a_constant_in_typescript() -> None:
    before = "function f(o) {\n  return o.options.size + o.options.size;\n}\n"
    now = before.replace("{\n", "{\n  const size = o.options.size;\n", 1)
    assert after("extract", scene(before, now, path="a.ts")) == now.replace("o.options.size + o.options.size", "size + size")


def test_the_docstring_follows_a_parameter() -> None:
    before = 'def f(price):\n    """Say `price`; a price.\n\n    :param price: what it costs\n    """\n    return price\n'
    now = before.replace("f(price)", "f(cost)")
    assert after("mention", scene(before, now)) == now.replace("`price`", "`cost`").replace(":param price:", ":param cost:")


def test_comments_in_its_function_follow_a_local_that_looks_like_a_name() -> None:
    before = "def f(raw_price, size):\n    # raw_price in cents, size\n    return raw_price\n\n# raw_price\n"
    now = before.replace("f(raw_price", "f(net_price")
    assert after("mention", scene(before, now)) == now.replace("# raw_price in", "# net_price in")


def test_what_the_user_wrote_about_the_old_name_stays() -> None:
    before = "def total_price():\n    pass\n"
    now = "def total_cost():\n    pass\n\nold = {'total_price': total_cost}\n"
    assert run("mention", scene(before, before.replace("price", "cost"), now)) == []


def test_prose_does_not_follow_a_word() -> None:
    before = "def price():\n    pass\n\n# the price is high\n"
    assert run("mention", scene(before, before.replace("def price", "def cost"))) == []


def test_the_other_end_of_a_tag() -> None:
    before = "<div>\n  <div>a</div>\n</div>\n"
    now = before.replace("<div>", "<main>", 1)
    assert after("mention", scene(before, now, path="a.html")) == "<main>\n  <div>a</div>\n</main>\n"
