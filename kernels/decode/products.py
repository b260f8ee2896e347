"""The product of a few activation rows with a packed matrix, and arrays at addresses.

Knows `tiles`; does not know what is multiplied or who divides the outputs.
"""

from __future__ import annotations

from typing import Any

from numba import carray, njit
from numba.core import types
from numba.extending import intrinsic

from kernels.decode import tiles
from kernels.decode.vector import PRODUCTS

NARROW = PRODUCTS == "avx"
"""Sixteen registers of eight lanes: a tile of several rows and vectors would spill (prefill 30 ms instead of 22)."""
_options: dict[str, Any] = {"nogil": True, "boundscheck": False, "error_model": "numpy"}


def view(kind: Any) -> Any:
    """A function of numba's: the array of ``count`` elements at an address."""

    @intrinsic  # type: ignore[untyped-decorator]
    def pointer(_: Any, address: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            return builder.inttoptr(given[0], context.get_value_type(signature.return_type))

        return types.CPointer(kind)(types.intp), code  # type: ignore[attr-defined]

    @njit(inline="always", **_options)
    def found(address, count):  # type: ignore[no-untyped-def]
        return carray(pointer(address), (count,))

    return found


floats, words = view(types.float32), view(types.int64)


@njit(**_options)
def number(x):  # type: ignore[no-untyped-def]
    """``x``, as any number: numba would compile what is called with a constant once more for that constant."""
    return x + 0


@njit(**_options)
def product(x, stride, row_scales, rows, w, quads, corrections, scales, vectors, out, out_stride):  # type: ignore[no-untyped-def]
    """out [rows, 16 vectors] = x [rows, 4 quads] times the packed matrix, weights outermost: they are read once."""
    n = 0
    while n < vectors:
        take = 1
        if vectors - n >= 8 and rows == 1:
            take = 8
        elif vectors - n >= 4 and (rows == 1 or not NARROW):
            take = 4
        elif vectors - n >= 2 and rows == 1:
            take = 2
        block, first, factor, place = w + n * quads * 64, corrections + n * 64, scales + n * 64, out + n * 64
        row = 0
        while row < rows:
            xr, sr, yr = x + row * stride, row_scales + row * 4, place + row * out_stride
            left = rows - row
            if left >= 6:
                if take == 4:
                    tiles.dots_6x4(block, xr, stride, quads, first, factor, sr, yr, out_stride)
                else:
                    tiles.dots_6x1(block, xr, stride, quads, first, factor, sr, yr, out_stride)
                row += 6
            elif left >= 4:
                if take == 4:
                    tiles.dots_4x4(block, xr, stride, quads, first, factor, sr, yr, out_stride)
                else:
                    tiles.dots_4x1(block, xr, stride, quads, first, factor, sr, yr, out_stride)
                row += 4
            elif left >= 2:
                if take == 4:
                    tiles.dots_2x4(block, xr, stride, quads, first, factor, sr, yr, out_stride)
                else:
                    tiles.dots_2x1(block, xr, stride, quads, first, factor, sr, yr, out_stride)
                row += 2
            else:
                if take == 8:
                    tiles.dots_1x8(block, xr, stride, quads, first, factor, sr, yr, out_stride)
                elif take == 4:
                    tiles.dots_1x4(block, xr, stride, quads, first, factor, sr, yr, out_stride)
                elif take == 2:
                    tiles.dots_1x2(block, xr, stride, quads, first, factor, sr, yr, out_stride)
                else:
                    tiles.dots_1x1(block, xr, stride, quads, first, factor, sr, yr, out_stride)
                row += 1
        n += take
