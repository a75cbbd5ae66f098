"""A ledger of parts for a small workshop."""

from .models import Item, Movement, StockError
from .store import Stockroom

__all__ = ["Item", "Movement", "StockError", "Stockroom"]
