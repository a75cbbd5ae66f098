from dataclasses import dataclass

import numpy as np


@dataclass
class Tree:
    name: str
    x: float
    y: float

    def distance_to(self, position):
        offset = np.array([self.x, self.y]) - np.array(position)
        return float(np.linalg.norm(offset))


def nearest_tree(trees, position):
    if not trees:
        return None
    distances = [tree.distance_to(position) for tree in trees]
    index = int(np.argmin(distances))
    return trees[index]
