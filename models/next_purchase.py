"""Next likely purchase: candidates for each customer, with the probability of being bought within the horizon."""

from dataclasses import dataclass

from features.affinity import ItemTable
from features.feature import Array
from models.calibration import Calibration
from models.trees import Trees


@dataclass(frozen=True)
class NextPurchaseModel:
    """A booster over (customer, item) pairs, its calibration, and the population's table to serve with."""

    trees: Trees
    calibration: Calibration
    table: ItemTable

    def rank(self, pairs: Array) -> Array:
        """Score pairs of shape (n, `PAIR_FEATURES`) for ranking; finer than probabilities, which have ties."""
        return self.trees.scores(pairs)
