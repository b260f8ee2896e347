"""Draws images/icon.png, 256 x 256: written text, a cursor, and the ghost of what comes next. Standard library only."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

SIZE, SAMPLES = 256, 4
GROUND, TEXT, CURSOR, GHOST = (31, 42, 48), (214, 226, 230), (110, 220, 190), (96, 118, 128)
SHAPES = (  # left, top, right, bottom, radius, colour; in pixels of the icon, painted in this order
    (0, 0, 256, 256, 52, GROUND),
    (44, 70, 168, 90, 10, TEXT),
    (44, 118, 116, 138, 10, TEXT),
    (128, 100, 138, 156, 5, CURSOR),
    (150, 118, 212, 138, 10, GHOST),
    (44, 166, 132, 186, 10, GHOST),
)


def inside(x: float, y: float, shape: tuple[int, int, int, int, int, tuple[int, int, int]]) -> bool:
    left, top, right, bottom, radius, _ = shape
    dx = max(left + radius - x, x - (right - radius), 0.0)
    dy = max(top + radius - y, y - (bottom - radius), 0.0)
    return left <= x < right and top <= y < bottom and dx * dx + dy * dy <= radius * radius


def pixel(column: int, row: int) -> bytes:
    """Red, green, blue and alpha: the mean of a grid of samples."""
    total = [0, 0, 0, 0]
    for i in range(SAMPLES * SAMPLES):
        x, y = column + (i % SAMPLES + 0.5) / SAMPLES, row + (i // SAMPLES + 0.5) / SAMPLES
        hits = [shape[5] for shape in SHAPES if inside(x, y, shape)]
        if hits and inside(x, y, SHAPES[0]):
            red, green, blue = hits[-1]
            total = [total[0] + red, total[1] + green, total[2] + blue, total[3] + 255]
    covered = total[3] // 255 or 1
    return bytes([*(value // covered for value in total[:3]), total[3] // (SAMPLES * SAMPLES)])


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def main() -> None:
    rows = b"".join(b"\0" + b"".join(pixel(x, y) for x in range(SIZE)) for y in range(SIZE))
    header = struct.pack(">IIBBBBB", SIZE, SIZE, 8, 6, 0, 0, 0)
    image = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")
    (Path(__file__).resolve().parents[1] / "images" / "icon.png").write_bytes(image)


if __name__ == "__main__":
    main()
