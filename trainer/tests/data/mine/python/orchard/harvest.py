"""Counts apples by tree and by day."""

import json
from pathlib import Path

import numpy as np
import requests

from orchard.trees import Tree, nearest_tree


class HarvestError(Exception):
    """Raised when a day has no weight."""


class Harvest:
    def __init__(self, base_url, trees):
        self.session = requests.Session()
        self.base_url = base_url
        self.trees = trees
        self.weights = {}

    def fetch_day(self, day):
        response = self.session.get(f"{self.base_url}/days/{day}", timeout=10)
        response.raise_for_status()
        payload = response.json()
        weights = np.asarray(payload["weights"], dtype=float)
        if weights.size == 0:
            raise HarvestError(day)
        self.weights[day] = weights
        return weights

    def mean_weight(self, day):
        weights = self.weights.get(day)
        if weights is None:
            weights = self.fetch_day(day)
        return float(np.mean(weights))

    def best_tree(self, position):
        tree = nearest_tree(self.trees, position)
        if not isinstance(tree, Tree):
            return None
        return tree

    def save(self, folder):
        target = Path(folder) / "harvest.json"
        totals = {day: float(np.sum(weights)) for day, weights in self.weights.items()}
        target.write_text(json.dumps(totals, indent=2))
        return target


def load_harvest(path, trees):
    totals = json.loads(Path(path).read_text())
    harvest = Harvest(base_url="", trees=trees)
    for day, total in totals.items():
        harvest.weights[day] = np.asarray([total])
    return harvest
