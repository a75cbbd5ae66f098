"""Tables for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .models import Item, Movement
from .store import Stockroom

HEADER = ("SKU", "Name", "Quantity", "Minimum", "Value")


def format_row(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cell.ljust(width) for cell, width in zip(cells, widths)]
    return "  ".join(padded).rstrip()


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    rule = ["-" * width for width in widths]
    return "\n".join(format_row(line, widths) for line in [lines[0], rule, *lines[1:]])


def item_row(item: Item) -> tuple[str, ...]:
    return (item.sku, item.name, str(item.quantity), str(item.minimum), f"{item.value:.2f}")


def stock_report(stockroom: Stockroom, only_low: bool = False) -> str:
    items = stockroom.low() if only_low else list(stockroom)
    if not items:
        return "Nothing to report."
    total = sum(item.value for item in items)
    return table(HEADER, map(item_row, items)) + f"\n\nTotal value: {total:.2f}"


def order_list(stockroom: Stockroom) -> list[tuple[str, int]]:
    """What to order, most urgent first."""
    low = sorted(stockroom.low(), key=lambda item: item.missing, reverse=True)
    return [(item.sku, item.missing) for item in low]


def history_report(movements: Iterable[Movement]) -> str:
    rows = []
    for movement in movements:
        direction = "in" if movement.incoming else "out"
        when = movement.at.strftime("%Y-%m-%d %H:%M")
        rows.append((when, direction, str(abs(movement.quantity)), movement.note))
    return table(("When", "", "Quantity", "Note"), rows)
