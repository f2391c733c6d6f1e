"""Next likely purchase: candidates for each customer, with the probability of being bought within the horizon."""

from dataclasses import dataclass

import numpy as np

from features.affinity import PAIR_FEATURES, ItemTable
from features.feature import Array
from features.segments import Segments
from models.additive import inverse
from models.calibration import Calibration
from models.trees import Trees

VISIT_FEATURES = ("own_days_28", "own_days_91", "own_days_since")
VISIT_COLUMNS = [PAIR_FEATURES.index(name) for name in VISIT_FEATURES]


@dataclass(frozen=True)
class NextPurchaseModel:
    """Boosters for whether a customer comes, and for what is bought then, and the population's side to serve with.

    `trees` score (customer, item) pairs given that the customer comes within the horizon, `visits` whether they do; the
    product of both probabilities is calibrated. `table` says what is popular and what goes together, `segments` what
    is popular among people alike, for customers who haven't bought yet.
    """

    trees: Trees
    visits: Trees
    calibration: Calibration
    table: ItemTable
    segments: Segments

    def rank(self, pairs: Array) -> Array:
        """Score pairs of shape (n, `PAIR_FEATURES`) for ranking; finer than probabilities, which have ties."""
        return self.trees.scores(pairs)

    def probabilities(self, pairs: Array, scores: Array) -> Array:
        """Turn the scores of pairs into probabilities, shape (n,); none is above that of coming at all.

        Whether somebody comes is worked out once for pairs that stand together and have the same days.
        """
        days = pairs[:, VISIT_COLUMNS]
        begins = np.ones(len(days), dtype=bool)
        begins[1:] = (days[1:] != days[:-1]).any(axis=1)
        comes: Array = inverse("logit", self.visits.scores(days[begins]))[np.cumsum(begins) - 1]
        return np.minimum(self.calibration.apply(comes * inverse("logit", scores)), comes)
