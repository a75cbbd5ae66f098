"""The stockroom itself: items, movements, and the file that they are kept in."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from .models import Item, Movement, StockError


class Stockroom:
    """Items by their sku, with every movement that led to their counts."""

    def __init__(self) -> None:
        self.items: dict[str, Item] = {}
        self.movements: list[Movement] = []

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Item]:
        return iter(sorted(self.items.values(), key=lambda item: item.sku))

    def get(self, sku: str) -> Item:
        try:
            return self.items[sku]
        except KeyError:
            raise StockError(f"no item with the sku {sku!r}") from None

    def add(self, item: Item) -> None:
        if item.sku in self.items:
            raise StockError(f"{item.sku}: there is such an item already")
        self.items[item.sku] = item

    def receive(self, sku: str, quantity: int, note: str = "") -> Item:
        if quantity <= 0:
            raise StockError(f"{sku}: expected a positive quantity, got {quantity}")
        return self._move(Movement(sku, quantity, note))

    def issue(self, sku: str, quantity: int, note: str = "") -> Item:
        if quantity <= 0:
            raise StockError(f"{sku}: expected a positive quantity, got {quantity}")
        item = self.get(sku)
        if quantity > item.quantity:
            raise StockError(f"{sku}: only {item.quantity} on the shelf, {quantity} asked for")
        return self._move(Movement(sku, -quantity, note))

    def _move(self, movement: Movement) -> Item:
        item = self.get(movement.sku)
        item.quantity += movement.quantity
        self.movements.append(movement)
        return item

    def history(self, sku: str) -> list[Movement]:
        self.get(sku)
        return [movement for movement in self.movements if movement.sku == sku]

    def low(self) -> list[Item]:
        return [item for item in self if item.is_low]

    @classmethod
    def load(cls, path: Path) -> Stockroom:
        """Reads a ledger; a file that is not there yet is an empty one."""
        stockroom = cls()
        if not path.exists():
            return stockroom
        with open(path, encoding="utf-8") as file:
            data = json.load(file)
        for entry in data["items"]:
            stockroom.add(Item.from_dict(entry))
        stockroom.movements = [Movement.from_dict(entry) for entry in data["movements"]]
        return stockroom

    def save(self, path: Path) -> None:
        """Writes the ledger beside its old version and then puts it in its place."""
        data = {
            "items": [item.to_dict() for item in self],
            "movements": [movement.to_dict() for movement in self.movements],
        }
        temporary = path.with_suffix(".tmp")
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump(data, file, indent=2)
            file.write("\n")
        os.replace(temporary, path)
