"""Draws a screen as an SVG image: cell by cell, as the editor told them to its user interface."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from html import escape
from typing import Iterator

from .grid import Grid, Highlight

CELL, LINE, SIZE, MARGIN = 8.4, 19, 14, 18
FONTS = "'JetBrains Mono','Fira Code','Cascadia Code',Menlo,Consolas,'DejaVu Sans Mono','Liberation Mono',monospace"


@dataclass
class Run:
    """Neighbouring cells that look the same."""

    column: int
    text: str
    cells: int
    highlight: int


def image(grid: Grid, description: str) -> str:
    width = grid.width * CELL + 2 * MARGIN
    height = grid.height * LINE + 2 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{escape(description)}">',
        f"<title>{escape(description)}</title>",
        f'<rect width="100%" height="100%" rx="10" fill="{color(grid.default["background"])}"/>',
        f'<g font-family="{FONTS}" font-size="{SIZE}" xml:space="preserve">',
    ]
    for row in range(grid.height):
        for run in runs(grid, row):
            parts.extend(drawn(grid, row, run))
    parts.append(cursor(grid))
    return "\n".join([*parts, "</g>", "</svg>", ""])


def runs(grid: Grid, row: int) -> Iterator[Run]:
    run = None
    for column, cell in enumerate(grid.rows[row]):
        if run and run.highlight == cell.highlight:
            run.text += cell.text
            run.cells += 1
        else:
            if run:
                yield run
            run = Run(column, cell.text, 1, cell.highlight)
    if run:
        yield run


def drawn(grid: Grid, row: int, run: Run) -> Iterator[str]:
    attributes = grid.highlights.get(run.highlight, Highlight()).attributes
    foreground, background = colors(grid, attributes)
    x, y = MARGIN + run.column * CELL, MARGIN + row * LINE
    if background != grid.default["background"]:
        # A bar across the screen goes up to the image's edges.
        left = 0 if run.column == 0 else x
        right = x + run.cells * CELL + (MARGIN if run.column + run.cells == grid.width else 0)
        yield f'<rect x="{left:.1f}" y="{y}" width="{right - left:.1f}" height="{LINE}" fill="{color(background)}"/>'
    for column, word in words(run):
        x = MARGIN + column * CELL
        style = "".join([
            ' font-weight="bold"' if attributes.get("bold") else "",
            ' font-style="italic"' if attributes.get("italic") else "",
            ' text-decoration="underline"' if attributes.get("underline") else "",
        ])
        # The length makes up for a font whose cells are wider or narrower.
        yield (f'<text x="{x:.1f}" y="{y + LINE - 5}" textLength="{cells_of(word) * CELL:.1f}" '
               f'lengthAdjust="spacingAndGlyphs" fill="{color(foreground)}"{style}>{escape(word)}</text>')


def words(run: Run) -> Iterator[tuple[int, str]]:
    """The words of a run, each with its column: space need not be drawn."""
    column, word, start = run.column, "", run.column
    for character in run.text + " ":
        if character == " ":
            if word:
                yield start, word
            word, start = "", column + 1
        else:
            word += character
        column += cells_of(character)


def cells_of(text: str) -> int:
    """How many cells characters take: some take two, and some stand on the one before."""
    return sum(0 if unicodedata.combining(it) else 2 if unicodedata.east_asian_width(it) in "WF" else 1 for it in text)


def cursor(grid: Grid) -> str:
    row, column = grid.cursor
    x, y = MARGIN + column * CELL, MARGIN + row * LINE
    return f'<rect x="{x:.1f}" y="{y + 1}" width="2" height="{LINE - 2}" fill="{color(grid.default["foreground"])}"/>'


def colors(grid: Grid, attributes: dict) -> tuple[int, int]:
    foreground = attributes.get("foreground", grid.default["foreground"])
    background = attributes.get("background", grid.default["background"])
    return (background, foreground) if attributes.get("reverse") else (foreground, background)


def color(number: int) -> str:
    return f"#{number:06x}"
