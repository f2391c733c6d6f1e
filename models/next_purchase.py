"""Next likely purchase: candidates for each customer, with the probability of being bought within the horizon."""

from dataclasses import dataclass

from features.affinity import ItemTable
from features.feature import Array
from features.segments import Segments
from models.calibration import Calibration
from models.trees import Trees


@dataclass(frozen=True)
class NextPurchaseModel:
    """A booster over (customer, item) pairs, its calibration, and the population's side to serve with.

    `table` says what is popular and what goes together, `segments` what is popular among people alike, for customers
    who haven't bought yet.
    """

    trees: Trees
    calibration: Calibration
    table: ItemTable
    segments: Segments

    def rank(self, pairs: Array) -> Array:
        """Score pairs of shape (n, `PAIR_FEATURES`) for ranking; finer than probabilities, which have ties."""
        return self.trees.scores(pairs)
