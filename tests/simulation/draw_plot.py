"""A line plot as PNG, with nothing but the standard library: a grid, a few lines, and digits 3 by 5 pixels large."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

WIDTH, HEIGHT, MARGIN, SCALE = 900, 520, 70, 3
Colour = tuple[int, int, int]
WHITE, GREY, BLACK = (255, 255, 255), (220, 220, 220), (40, 40, 40)
COLOURS: tuple[Colour, ...] = ((200, 60, 50), (230, 160, 40), (40, 110, 190), (40, 150, 80))
GLYPHS = {
    "0": "75557",
    "1": "26227",
    "2": "71747",
    "3": "71717",
    "4": "55711",
    "5": "74717",
    "6": "74757",
    "7": "71111",
    "8": "75757",
    "9": "75717",
    "%": "51245",
}
"""Rows of three bits, the leftmost the highest."""


class Canvas:
    """Pixels in rows, white at first."""

    def __init__(self) -> None:
        self._rows = [bytearray(bytes(WHITE) * WIDTH) for _ in range(HEIGHT)]

    def dot(self, x: int, y: int, colour: Colour, size: int = 1) -> None:
        for row in range(y, y + size):
            for column in range(x, x + size):
                if 0 <= row < HEIGHT and 0 <= column < WIDTH:
                    self._rows[row][3 * column : 3 * column + 3] = bytes(colour)

    def line(self, start: tuple[int, int], end: tuple[int, int], colour: Colour, size: int = 1) -> None:
        steps = max(abs(end[0] - start[0]), abs(end[1] - start[1]), 1)
        for step in range(steps + 1):
            x = start[0] + (end[0] - start[0]) * step // steps
            y = start[1] + (end[1] - start[1]) * step // steps
            self.dot(x, y, colour, size)

    def text(self, x: int, y: int, text: str) -> None:
        for number, sign in enumerate(text):
            for row, bits in enumerate(GLYPHS[sign]):
                for column in range(3):
                    if int(bits) >> (2 - column) & 1:
                        self.dot(x + SCALE * (4 * number + column), y + SCALE * row, BLACK, SCALE)

    def save(self, path: Path) -> None:
        raw = b"".join(b"\x00" + bytes(row) for row in self._rows)
        head = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)
        parts = (_chunk(b"IHDR", head), _chunk(b"IDAT", zlib.compress(raw, 9)), _chunk(b"IEND", b""))
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def draw_shares(path: Path, lines: Mapping[str, Sequence[float]], lowest: float = 0.75) -> None:
    """Shares (0 to 1) over days, each line in the next of `COLOURS`; the axis goes from `lowest` to 100 %."""
    canvas, longest = Canvas(), max(len(line) for line in lines.values())

    def place(day: int, share: float) -> tuple[int, int]:
        height = (max(lowest, share) - lowest) / (1 - lowest)
        x = MARGIN + (WIDTH - 2 * MARGIN) * day // max(1, longest - 1)
        return x, HEIGHT - MARGIN - round((HEIGHT - 2 * MARGIN) * height)

    for percent in range(round(lowest * 100), 101, 5):
        start, end = place(0, percent / 100), place(longest - 1, percent / 100)
        canvas.line(start, end, GREY)
        canvas.text(8, start[1] - 2 * SCALE, f"{percent}%")
    for day in range(longest):
        canvas.line(place(day, lowest), place(day, 1.0), GREY)
        canvas.text(place(day, lowest)[0] - SCALE, HEIGHT - MARGIN + 4 * SCALE, str(day))
    for colour, line in zip(COLOURS, lines.values(), strict=False):
        for day in range(1, len(line)):
            canvas.line(place(day - 1, line[day - 1]), place(day, line[day]), colour, 3)
    canvas.save(path)
