"""Pages of a small shop."""

import json
from dataclasses import dataclass, field

import shop.cart as carts
from shop.cart import (
    Cart,
    Line,
    total_price,
)


@dataclass
class Page:
    title: str
    lines: list[Line] = field(default_factory=list)

    def render(self, indent=2):
        rows = [self.row(line, at) for at, line in enumerate(self.lines)]
        head = f"{self.title}: {len(rows)}"
        return "\n".join([head, *rows]) + " " * indent

    def row(self, line, at=0):
        price = line.amount * line.product.price
        return f"{at}. {line.product.name} {price:.2f}"


def checkout(request, storage):
    cart = carts.open_cart(request.owner, limit=10)
    for code, amount in json.loads(request.body).items():
        product = storage.find_product(code)
        if product is None:
            raise LookupError(f"no product {code}")
        cart.add_line(product, amount=amount)
    page = Page("Checkout", cart.lines)
    summary = {"total": total_price(cart.lines), "text": page.render(indent=0)}
    return json.dumps(summary, sort_keys=True)


def empty(owner):
    cart = Cart(owner)
    return Page(title="Empty", lines=cart.lines)
