import tempfile
import unittest
from pathlib import Path

from stockroom import Item, StockError, Stockroom


def filled() -> Stockroom:
    stockroom = Stockroom()
    stockroom.add(Item("M4-BOLT", "Hex bolt M4", 0.12, minimum=200))
    stockroom.add(Item("BELT-6", "Timing belt 6 mm", 7.5, minimum=4))
    return stockroom


class StockroomTest(unittest.TestCase):
    def test_movements_change_the_count(self):
        stockroom = filled()
        stockroom.receive("M4-BOLT", 500)
        item = stockroom.issue("M4-BOLT", 40, "bench 3")
        self.assertEqual(item.quantity, 460)
        self.assertEqual([m.quantity for m in stockroom.history("M4-BOLT")], [500, -40])

    def test_nothing_leaves_an_empty_shelf(self):
        with self.assertRaisesRegex(StockError, "only 0 on the shelf"):
            filled().issue("BELT-6", 1)

    def test_a_sku_is_given_once(self):
        with self.assertRaises(StockError):
            filled().add(Item("BELT-6", "Another belt", 8.0))

    def test_a_saved_ledger_is_the_same_when_loaded(self):
        stockroom = filled()
        stockroom.receive("BELT-6", 3, "first delivery")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "stock.json"
            stockroom.save(path)
            loaded = Stockroom.load(path)
        self.assertEqual(list(loaded), list(stockroom))
        self.assertEqual(loaded.movements, stockroom.movements)


if __name__ == "__main__":
    unittest.main()
