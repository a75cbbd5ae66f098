"""Carts and what is in them."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass


@dataclass
class Product:
    code: str
    name: str
    price: float


@dataclass
class Line:
    product: Product
    amount: int = 1


class Cart:
    def __init__(self, owner, limit=3):
        self.owner = owner
        self.limit = limit
        self._lines = OrderedDict()

    @property
    def lines(self):
        return list(self._lines.values())

    def add_line(self, product, amount=1):
        if len(self._lines) >= self.limit:
            raise OverflowError(product.code)
        line = self._lines.setdefault(product.code, Line(product, 0))
        line.amount += amount
        return line


def open_cart(owner, *, limit=3):
    return Cart(owner, limit=limit)


def total_price(lines):
    return sum(line.amount * line.product.price for line in lines)
