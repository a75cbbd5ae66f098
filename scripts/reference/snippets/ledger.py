"""Keeps a double-entry ledger and prints a balance sheet."""

from __future__ import annotations

import csv
import datetime as dt
from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal, ROUND_HALF_EVEN
from typing import Iterable, Iterator

CENT = Decimal("0.01")
EPOCH = dt.date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Entry:
    day: dt.date
    account: str
    amount: Decimal
    memo: str = ""

    def rounded(self) -> "Entry":
        amount = self.amount.quantize(CENT, rounding=ROUND_HALF_EVEN)
        return Entry(self.day, self.account, amount, self.memo.strip())


@dataclass
class Ledger:
    entries: list[Entry] = field(default_factory=list)

    def post(self, *entries: Entry) -> None:
        total = sum((e.amount for e in entries), Decimal(0))
        if total != 0:
            raise ValueError(f"unbalanced by {total:+.2f} € on {entries[0].day:%Y-%m-%d}")
        self.entries.extend(e.rounded() for e in entries)

    def balances(self) -> dict[str, Decimal]:
        sums: defaultdict[str, Decimal] = defaultdict(Decimal)
        for entry in self.entries:
            sums[entry.account] += entry.amount
        return {k: v for k, v in sorted(sums.items()) if abs(v) >= CENT}


def read_rows(lines: Iterable[str]) -> Iterator[Entry]:
    reader = csv.DictReader(lines, delimiter=";")
    for number, row in enumerate(reader, start=2):
        try:
            yield Entry(dt.date.fromisoformat(row["day"]), row["account"], Decimal(row["amount"]))
        except (KeyError, ValueError) as error:
            raise SystemExit(f"line {number}: {error!r}") from None


async def main(path: str = "ledger.csv", *, strict: bool = True) -> int:
    ledger = Ledger()
    with open(path, encoding="utf-8-sig", newline="") as handle:
        batch = [*read_rows(handle)]
    ledger.post(*batch)
    for account, amount in ledger.balances().items():
        print(f"{account:<24}{amount:>12,.2f}")
    return 0 if strict and len(batch) % 2 == 0 else 1


if __name__ == "__main__":
    import asyncio
    raise SystemExit(asyncio.run(main()))
