"""Products of a few query rows with keys, and of their weights with values, in the tiles that fit the registers best.

Knows `kernels.attention.compiled_tiles` and addresses; does not know what is multiplied, nor which keys.
"""

from __future__ import annotations

from numba import njit

from kernels.attention import compiled_tiles as tiles
from kernels.decode.team import load, swap

CHUNK = 64
"""Keys whose scores are made before their values are read: their rows fit the nearest cache."""
_options = {"nogil": True, "boundscheck": False, "error_model": "numpy"}
_inlined, _called = njit(inline="always", **_options), njit(**_options)


@_inlined
def _tile(left):  # type: ignore[no-untyped-def]
    """Rows of the next tile."""
    return 6 if left >= 6 else (4 if left >= 4 else (2 if left >= 2 else 1))


@_called
def scores(halves, rows, q, q_step, k, k_step, units, count, out, step, ahead):  # type: ignore[no-untyped-def]
    """out [rows, count] = queries times keys, four keys at a time and then one by one."""
    whole = count // 4 * 4
    row = 0
    while row < rows:
        take = _tile(rows - row)
        a, b, c, e = q + row * q_step, out + row * step, k + whole * k_step, out + row * step + whole * 4
        rest = count - whole
        if halves:
            if take == 6:
                tiles.half_scores_6x4(a, q_step, k, k_step, units, whole, b, step, ahead)
                tiles.half_scores_6x1(a, q_step, c, k_step, units, rest, e, step, ahead + whole * k_step)
            elif take == 4:
                tiles.half_scores_4x4(a, q_step, k, k_step, units, whole, b, step, ahead)
                tiles.half_scores_4x1(a, q_step, c, k_step, units, rest, e, step, ahead + whole * k_step)
            elif take == 2:
                tiles.half_scores_2x4(a, q_step, k, k_step, units, whole, b, step, ahead)
                tiles.half_scores_2x1(a, q_step, c, k_step, units, rest, e, step, ahead + whole * k_step)
            else:
                tiles.half_scores_1x4(a, q_step, k, k_step, units, whole, b, step, ahead)
                tiles.half_scores_1x1(a, q_step, c, k_step, units, rest, e, step, ahead + whole * k_step)
        elif take == 6:
            tiles.scores_6x4(a, q_step, k, k_step, units, whole, b, step, ahead)
            tiles.scores_6x1(a, q_step, c, k_step, units, rest, e, step, ahead + whole * k_step)
        elif take == 4:
            tiles.scores_4x4(a, q_step, k, k_step, units, whole, b, step, ahead)
            tiles.scores_4x1(a, q_step, c, k_step, units, rest, e, step, ahead + whole * k_step)
        elif take == 2:
            tiles.scores_2x4(a, q_step, k, k_step, units, whole, b, step, ahead)
            tiles.scores_2x1(a, q_step, c, k_step, units, rest, e, step, ahead + whole * k_step)
        else:
            tiles.scores_1x4(a, q_step, k, k_step, units, whole, b, step, ahead)
            tiles.scores_1x1(a, q_step, c, k_step, units, rest, e, step, ahead + whole * k_step)
        row += take


@_called
def gather(halves, rows, w, w_step, x, x_step, units, count, out, step, ahead):  # type: ignore[no-untyped-def]
    """out [rows, d] += weights [rows, count] times values [count, d], sixty-four columns at a time."""
    row = 0
    while row < rows:
        take = _tile(rows - row)
        a = w + row * w_step
        u = 0
        while u < units:
            wide = units - u >= 2
            shift = u * (64 if halves else 128)
            b, c, f = x + shift, out + row * step + u * 128, ahead + shift
            if halves:
                if take == 6:
                    if wide:
                        tiles.half_gather_6x2(a, w_step, b, x_step, count, c, step, f)
                    else:
                        tiles.half_gather_6x1(a, w_step, b, x_step, count, c, step, f)
                elif take == 4:
                    if wide:
                        tiles.half_gather_4x2(a, w_step, b, x_step, count, c, step, f)
                    else:
                        tiles.half_gather_4x1(a, w_step, b, x_step, count, c, step, f)
                elif take == 2:
                    if wide:
                        tiles.half_gather_2x2(a, w_step, b, x_step, count, c, step, f)
                    else:
                        tiles.half_gather_2x1(a, w_step, b, x_step, count, c, step, f)
                elif wide:
                    tiles.half_gather_1x2(a, w_step, b, x_step, count, c, step, f)
                else:
                    tiles.half_gather_1x1(a, w_step, b, x_step, count, c, step, f)
            elif take == 6:
                if wide:
                    tiles.gather_6x2(a, w_step, b, x_step, count, c, step, f)
                else:
                    tiles.gather_6x1(a, w_step, b, x_step, count, c, step, f)
            elif take == 4:
                if wide:
                    tiles.gather_4x2(a, w_step, b, x_step, count, c, step, f)
                else:
                    tiles.gather_4x1(a, w_step, b, x_step, count, c, step, f)
            elif take == 2:
                if wide:
                    tiles.gather_2x2(a, w_step, b, x_step, count, c, step, f)
                else:
                    tiles.gather_2x1(a, w_step, b, x_step, count, c, step, f)
            elif wide:
                tiles.gather_1x2(a, w_step, b, x_step, count, c, step, f)
            else:
                tiles.gather_1x1(a, w_step, b, x_step, count, c, step, f)
            u += 2
        row += take


@_inlined
def next_at(at):  # type: ignore[no-untyped-def]
    """The number that stands at ``at``, which is one more for whoever asks next."""
    while True:
        number = load(at)
        if swap(at, number, number + 1):
            return number
