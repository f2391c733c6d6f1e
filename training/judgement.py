"""The judgement of a training on its test window: figures, groups, grade, card and pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from features.contract import CONTRACT, FeatureMatrix
from features.feature import Array
from models.additive import Additive
from models.ranks import Ranks
from training import pictures
from training.baselines import churn_baselines, value_baselines
from training.card import card
from training.dataset import Window
from training.evaluation import Figure, interval_figures, judge
from training.grading import Verdict, alarms, grade, grade_ranks
from training.groups import TENURES, GroupFigure, by_group, tenure_bands
from training.leaderboard import leaderboard
from training.lorenz import lorenz_table, movers, moving
from training.metrics import CHURN_METRICS, VALUE_METRICS, Campaign
from training.ranks import orders
from training.tiers import tiers_of

_OF_ORDERS = ("AUC", "average precision", "lift of the top fifth")
_GROUPED = {"churn": ("AUC", "log loss", "ECE"), "value": ("normalised Gini", "bias of the total")}


@dataclass(frozen=True)
class Tested:
    """What the twins that hadn't seen the test window said of it, shape (n,) each; risk is NaN for who isn't active.

    `expected`, `low` and `high` are of the net value: what is brought less what it costs. `ranks` says of the models
    that only rank why they do: risk is then a rank, and of value nothing can be judged.
    """

    window: Window
    risk: Array
    expected: Array
    low: Array
    high: Array
    ranks: Mapping[str, str]


class Judgement:
    """Judges tested predictions beside simple rules that were fitted on the same earlier windows."""

    def __init__(self, learned: Sequence[Window], tested: Tested, seed: int) -> None:
        self.tested, self._seed = tested, seed
        self._active = tested.window.active
        self._lapsed = tested.window.lapsed[self._active]
        self._value = tested.window.net
        self._orders = "churn" in tested.ranks
        self._metrics = {name: CHURN_METRICS[name] for name in _OF_ORDERS} if self._orders else CHURN_METRICS
        self._churn_rules = orders(tested.window) if self._orders else churn_baselines(learned, tested.window)
        self._value_rules = value_baselines(learned, tested.window)

    def figures(self) -> list[Figure]:
        """Measure churn, value and the interval, each with its own interval and the best rule beside it.

        Of an order only its order is measured, and nothing where all of the active lapsed or none did.
        """
        tested, everyone = self.tested, np.ones(len(self._active), dtype=bool)
        churn = self._churn(self._metrics, everyone) if not self._orders or _differs(self._lapsed) else []
        if "value" in tested.ranks:
            return churn
        came = tested.window.value - tested.window.cost
        bounds = interval_figures(came, tested.low, tested.high, self._seed, tested.expected)
        return [*churn, *self._worth(VALUE_METRICS, everyone), *bounds]

    def verdict(self, figures: Sequence[Figure]) -> tuple[Verdict, list[str]]:
        """Grade, and say what is too good to be true."""
        if self.tested.ranks:
            return grade_ranks(figures, self.tested.ranks), []
        active = self.tested.window.of_active
        warned = alarms(figures, active.rows.values, CONTRACT.names, active.lapsed)
        return grade(figures, warned), warned

    def documents(
        self, manifest: Mapping[str, Any], figures: Sequence[Figure], revenue: Array | None
    ) -> dict[str, str]:  # fmt: skip
        """Write the leaderboard, the model card, and who moves between rankings, by file name.

        `revenue` is what came of it in the test window, None where value is that revenue; then nobody moves.
        """
        board = leaderboard(figures, manifest["chosen"])
        if "value" in self.tested.ranks:
            return {"leaderboard.md": board, "model_card.md": card(manifest, figures)}
        shares = {tier["name"]: tier["share"] for tier in manifest["tiers"]}
        spread = moved = None
        # Of a total that costs eat up, shares say nothing.
        if self._value.sum() > 0:
            spread = lorenz_table(self._value, self.tested.expected, self._value_rules)
            moved = None if revenue is None else movers(revenue, self._value, next(iter(shares.values())))
        written = card(manifest, figures, self._groups(shares), spread, moved)
        told = {"leaderboard.md": board, "model_card.md": written}
        if revenue is not None:
            told["movers.csv"] = moving(self.tested.window.rows.customers, revenue, self._value, shares)
        return told

    def drawn(self, churn: Additive | Ranks) -> dict[str, str]:
        """Draw what the churn model reads, its reliability, its profit, and the value captured; SVG by name.

        What needs probabilities or amounts is left out where there are none.
        """
        drawn = {}
        if not self._orders:
            risk, rows = self.tested.risk[self._active], self.tested.window.of_active.rows
            ours = {"this model": risk, **self._churn_rules}
            drawn = {
                "churn importance": pictures.importance("Churn: what moves the score", _shares(churn, rows)),
                "churn reliability": pictures.reliability(self._lapsed, risk),
                "churn profit": pictures.profit(self._lapsed, ours, Campaign()),
            }
        if "value" not in self.tested.ranks:
            captured = {"this model": self.tested.expected, **self._value_rules}
            drawn["value captured"] = pictures.lorenz(self._value, captured)
        return drawn

    def _groups(self, shares: Mapping[str, float]) -> list[GroupFigure]:
        expected = self.tested.expected
        tiers = tiers_of(expected, shares)
        tenures = tenure_bands(self.tested.window.rows.column("tenure_days"))
        return [
            *by_group("tier", shares, tiers, self._of_group),
            *by_group("tenure", TENURES, tenures, self._of_group),
        ]

    def _of_group(self, which: npt.NDArray[np.bool_]) -> list[Figure]:
        churn = {name: metric for name, metric in self._metrics.items() if name in _GROUPED["churn"]}
        value = {name: VALUE_METRICS[name] for name in _GROUPED["value"]}
        active = self._lapsed[which[self._active]]
        return [*(self._churn(churn, which) if _differs(active) else ()), *self._worth(value, which)]

    def _churn(self, metrics: Mapping[str, Any], which: npt.NDArray[np.bool_]) -> list[Figure]:
        kept = which[self._active]
        rules = {name: rule[kept] for name, rule in self._churn_rules.items()}
        risk = self.tested.risk[self._active & which]
        return judge("churn", metrics, self._lapsed[kept], risk, rules, self._seed)

    def _worth(self, metrics: Mapping[str, Any], which: npt.NDArray[np.bool_]) -> list[Figure]:
        rules = {name: rule[which] for name, rule in self._value_rules.items()}
        return judge("value", metrics, self._value[which], self.tested.expected[which], rules, self._seed)


def _differs(happened: Array) -> bool:
    return bool(len(happened) and happened.min() < happened.max())


def _shares(model: Additive | Ranks, rows: FeatureMatrix) -> dict[str, float]:
    """Each feature's share of all that moves the scores of some rows."""
    moved = np.abs(model.contributions(rows.values)[:, :-1]).sum(axis=0)
    return dict(zip(CONTRACT.names, (moved / max(moved.sum(), 1e-9)).tolist(), strict=True))
