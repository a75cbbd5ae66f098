"""What the ledger is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone


class StockError(Exception):
    """Something that the user asked for cannot be done."""


def now() -> datetime:
    return datetime.now(timezone.utc)


@dataclass(frozen=True)
class Movement:
    """Parts that came in (positive) or went out (negative)."""

    sku: str
    quantity: int
    note: str = ""
    at: datetime = field(default_factory=now)

    @property
    def incoming(self) -> bool:
        return self.quantity > 0

    def to_dict(self) -> dict:
        return {
            "sku": self.sku,
            "quantity": self.quantity,
            "note": self.note,
            "at": self.at.isoformat(),
        }

    @classmethod
    def from_dict(cls, data: dict) -> Movement:
        return cls(
            sku=data["sku"],
            quantity=int(data["quantity"]),
            note=data.get("note", ""),
            at=datetime.fromisoformat(data["at"]),
        )


@dataclass
class Item:
    """A kind of part, and how many of it are on the shelf."""

    sku: str
    name: str
    price: float
    quantity: int = 0
    minimum: int = 0

    def __post_init__(self) -> None:
        if not self.sku:
            raise StockError("an item needs a sku")
        if self.price < 0:
            raise StockError(f"{self.sku}: the price cannot be negative")

    @property
    def value(self) -> float:
        return self.quantity * self.price

    @property
    def is_low(self) -> bool:
        return self.quantity < self.minimum

    @property
    def missing(self) -> int:
        return max(0, self.minimum - self.quantity)

    def to_dict(self) -> dict:
        return {
            "sku": self.sku,
            "name": self.name,
            "price": self.price,
            "quantity": self.quantity,
            "minimum": self.minimum,
        }

    @classmethod
    def from_dict(cls, data: dict) -> Item:
        return cls(**data)
