"""The editor's screen, put together from what it tells its user interface."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Highlight:
    """How a cell is drawn, and the names of the groups that made it so."""

    attributes: dict[str, Any] = field(default_factory=dict)
    groups: tuple[str, ...] = ()


@dataclass
class Cell:
    text: str = " "
    highlight: int = 0


class Grid:
    """One screen; `redraw` takes the events of `ui_attach` with `ext_linegrid` and `ext_hlstate`."""

    def __init__(self) -> None:
        self.width = self.height = 0
        self.rows: list[list[Cell]] = []
        self.highlights: dict[int, Highlight] = {0: Highlight()}
        self.default = {"foreground": 0xE0E2EA, "background": 0x14161B}
        self.cursor = (0, 0)
        self.flushes = 0

    def redraw(self, events: list[list[Any]]) -> None:
        for name, *calls in events:
            handler = getattr(self, f"_on_{name}", None)
            if handler:
                for call in calls:
                    handler(*call)

    def _on_grid_resize(self, _grid: int, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.rows = [[Cell() for _ in range(width)] for _ in range(height)]

    def _on_grid_clear(self, _grid: int) -> None:
        self._on_grid_resize(_grid, self.width, self.height)

    def _on_default_colors_set(self, foreground: int, background: int, *_rest: Any) -> None:
        self.default = {"foreground": foreground, "background": background}

    def _on_hl_attr_define(self, number: int, rgb: dict, _cterm: dict, info: list[dict]) -> None:
        groups = (item.get("hi_name") or item.get("ui_name") or "" for item in info)
        self.highlights[number] = Highlight(rgb, tuple(groups))

    def _on_grid_line(self, _grid: int, row: int, column: int, cells: list, *_rest: Any) -> None:
        highlight = 0
        for cell in cells:
            text = cell[0]
            if len(cell) > 1:
                highlight = cell[1]
            for _ in range(cell[2] if len(cell) > 2 else 1):
                self.rows[row][column] = Cell(text, highlight)
                column += 1

    def _on_grid_scroll(
        self, _grid: int, top: int, bottom: int, left: int, right: int, by: int, _columns: int
    ) -> None:
        rows = range(top, bottom - by) if by > 0 else range(bottom - 1, top - by - 1, -1)
        for row in rows:
            self.rows[row][left:right] = [
                Cell(cell.text, cell.highlight) for cell in self.rows[row + by][left:right]
            ]

    def _on_grid_cursor_goto(self, _grid: int, row: int, column: int) -> None:
        self.cursor = (row, column)

    def _on_flush(self) -> None:
        self.flushes += 1

    def lines(self) -> list[str]:
        """The screen's text, a line each, without trailing space."""
        return ["".join(cell.text for cell in row).rstrip() for row in self.rows]

    def groups_at(self, row: int, column: int) -> tuple[str, ...]:
        return self.highlights.get(self.rows[row][column].highlight, Highlight()).groups

    def in_groups(self, groups: set[str]) -> list[str]:
        """What is drawn in one of these highlight groups, a text for each line that has some."""
        texts = []
        for row in self.rows:
            marked = [
                cell.text
                for cell in row
                if groups & set(self.highlights.get(cell.highlight, Highlight()).groups)
            ]
            if marked:
                texts.append("".join(marked).rstrip())
        return texts
