"""The one entry of attention's compiled code: a table's address, whose word `PART` says what is asked.

Knows the parts by their tables; who makes these are `kernels.attention.compiled`, `compiled_prompt`, `compiled_each` and
`kernels.select.compiled`.
"""

from __future__ import annotations

from numba import njit

from kernels.attention import compiled_choice as choice
from kernels.attention import compiled_pass as of
from kernels.attention import compiled_prompt_pass as prompt
from kernels.attention import compiled_vote as voting
from kernels.attention.compiled_products import next_at
from kernels.decode.products import words

_called = njit(nogil=True, boundscheck=False, error_model="numpy")


@_called
def each(at):  # type: ignore[no-untyped-def]
    """Rows with lists of their own, each a step of its own; as many threads as there are tables may do so at once."""
    e = words(at, of.EACH_WORDS)
    mine = e[of.TABLES] + next_at(at + of.HELPERS * 8) * e[of.TABLE_SIZE]
    t = words(mine, of.WORDS)
    start, queries = t[of.START], t[of.QUERIES]
    token = next_at(at + of.TOKEN * 8)
    while token < e[of.TOKENS]:
        at_list = words(e[of.WHICH], e[of.TOKENS])[token] * t[of.HEADS]
        t[of.START], t[of.QUERIES] = start + token, queries + token * t[of.QUERY_ROW]
        t[of.COUNTS], t[of.INDICES] = e[of.LISTED] + at_list * 8, e[of.LISTS] + at_list * t[of.WIDTH] * 8
        t[of.OUT], t[of.LSE] = e[of.OUTS] + token * e[of.OUT_ROW], e[of.LSES] + token * e[of.LSE_ROW]
        of.plan(mine)
        of.work(mine)
        of.finish(mine)
        token = next_at(at + of.TOKEN * 8)


def run(at):  # type: ignore[no-untyped-def]
    """One of the parts, or all of them by one thread, or a question of `compiled_choice` and `compiled_vote`.

    Called by its address, from Python and by torch's threads.
    """
    part = words(at, of.WORDS)[of.PART]
    if part in (of.ALL, of.PLAN):
        of.plan(at)
    if part in (of.ALL, of.WORK):
        of.work(at)
    if part in (of.ALL, of.FINISH):
        of.finish(at)
    if part == of.SCORE:
        choice.score(at)
    if part == of.VOTE:
        voting.vote(at)
    if part == of.DESCEND:
        choice.descend(at)
    if part == of.SELECT:
        choice.select(at)
    if part == of.PROMPT:
        prompt.attend(at)
    if part == of.EACH:
        each(at)
