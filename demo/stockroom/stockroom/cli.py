"""The command line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from .models import Item, StockError
from .report import history_report, order_list, stock_report
from .store import Stockroom


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="stockroom", description="Keeps count of parts.")
    parser.add_argument("--file", type=Path, default=Path("stock.json"), help="the ledger")
    commands = parser.add_subparsers(dest="command", required=True)

    add = commands.add_parser("add", help="add a kind of part")
    add.add_argument("sku")
    add.add_argument("name")
    add.add_argument("--price", type=float, required=True)
    add.add_argument("--minimum", type=int, default=0)

    for name, text in (("receive", "parts came in"), ("issue", "parts went out")):
        move = commands.add_parser(name, help=text)
        move.add_argument("sku")
        move.add_argument("quantity", type=int)
        move.add_argument("--note", default="")

    history = commands.add_parser("history", help="how a count came about")
    history.add_argument("sku")

    report = commands.add_parser("report", help="what is on the shelves")
    report.add_argument("--low", action="store_true", help="only what is below its minimum")

    commands.add_parser("order", help="what to order")
    return parser


def run(arguments: argparse.Namespace, stockroom: Stockroom) -> bool:
    """Does what was asked for; true where the ledger changed."""
    if arguments.command == "add":
        item = Item(arguments.sku, arguments.name, arguments.price, minimum=arguments.minimum)
        stockroom.add(item)
        return True
    if arguments.command == "receive":
        stockroom.receive(arguments.sku, arguments.quantity, arguments.note)
        return True
    if arguments.command == "issue":
        stockroom.issue(arguments.sku, arguments.quantity, arguments.note)
        return True
    if arguments.command == "history":
        print(history_report(stockroom.history(arguments.sku)))
    elif arguments.command == "report":
        print(stock_report(stockroom, only_low=arguments.low))
    else:
        for sku, missing in order_list(stockroom):
            print(f"{missing:6} x {sku}")
    return False


def main(argv: Sequence[str] | None = None) -> int:
    arguments = build_parser().parse_args(argv)
    try:
        stockroom = Stockroom.load(arguments.file)
        if run(arguments, stockroom):
            stockroom.save(arguments.file)
    except StockError as error:
        print(f"stockroom: {error}", file=sys.stderr)
        return 1
    return 0
