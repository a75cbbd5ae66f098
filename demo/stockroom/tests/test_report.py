import unittest

from stockroom import Item, Stockroom
from stockroom.report import order_list, stock_report, table


class ReportTest(unittest.TestCase):
    def setUp(self):
        self.stockroom = Stockroom()
        self.stockroom.add(Item("A", "Washer", 0.02, quantity=900, minimum=500))
        self.stockroom.add(Item("B", "Bearing", 3.5, quantity=2, minimum=10))
        self.stockroom.add(Item("C", "Shaft", 12.0, quantity=1, minimum=2))

    def test_columns_are_as_wide_as_their_widest_cell(self):
        text = table(("a", "b"), [("long", "x")])
        self.assertEqual(text.splitlines(), ["a     b", "----  -", "long  x"])

    def test_the_value_is_summed(self):
        self.assertIn("Total value: 37.00", stock_report(self.stockroom))
        self.assertIn("Total value: 19.00", stock_report(self.stockroom, only_low=True))

    def test_an_empty_stockroom_has_nothing_to_report(self):
        self.assertEqual(stock_report(Stockroom()), "Nothing to report.")

    def test_what_is_missing_most_is_ordered_first(self):
        self.assertEqual(order_list(self.stockroom), [("B", 8), ("C", 1)])


if __name__ == "__main__":
    unittest.main()
