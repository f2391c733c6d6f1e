"""The judgement of a training on its test window: figures, groups, grade, card and pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from features.contract import CONTRACT, FeatureMatrix
from features.feature import Array
from models.additive import Additive
from training import pictures
from training.baselines import churn_baselines, value_baselines
from training.card import card
from training.dataset import Window
from training.evaluation import Figure, interval_figures, judge
from training.grading import Verdict, alarms, grade
from training.groups import TENURES, GroupFigure, by_group, tenure_bands
from training.leaderboard import leaderboard
from training.lorenz import lorenz_table, movers, moving
from training.metrics import CHURN_METRICS, VALUE_METRICS, Campaign
from training.tiers import tiers_of

_GROUPED = {"churn": ("AUC", "log loss", "ECE"), "value": ("normalised Gini", "bias of the total")}


@dataclass(frozen=True)
class Tested:
    """What the twins that hadn't seen the test window said of it, shape (n,) each; risk is NaN for who isn't active.

    `expected`, `low` and `high` are of the net value: what is brought less what it costs.
    """

    window: Window
    risk: Array
    expected: Array
    low: Array
    high: Array


class Judgement:
    """Judges tested predictions beside simple rules that were fitted on the same earlier windows."""

    def __init__(self, learned: Sequence[Window], tested: Tested, seed: int) -> None:
        self.tested, self._seed = tested, seed
        self._active = tested.window.active
        self._lapsed = tested.window.lapsed[self._active]
        self._value = tested.window.net
        self._churn_rules = churn_baselines(learned, tested.window)
        self._value_rules = value_baselines(learned, tested.window)

    def figures(self) -> list[Figure]:
        """Measure churn, value and the interval, each with its own interval and the best rule beside it."""
        tested, everyone = self.tested, np.ones(len(self._active), dtype=bool)
        came = tested.window.value - tested.window.cost
        bounds = interval_figures(came, tested.low, tested.high, self._seed, tested.expected)
        return [*self._churn(CHURN_METRICS, everyone), *self._worth(VALUE_METRICS, everyone), *bounds]

    def verdict(self, figures: Sequence[Figure]) -> tuple[Verdict, list[str]]:
        """Grade, and say what is too good to be true."""
        active = self.tested.window.of_active
        warned = alarms(figures, active.rows.values, CONTRACT.names, active.lapsed)
        return grade(figures, warned), warned

    def documents(
        self, manifest: Mapping[str, Any], figures: Sequence[Figure], revenue: Array | None
    ) -> dict[str, str]:  # fmt: skip
        """Write the leaderboard, the model card, and who moves between rankings, by file name.

        `revenue` is what came of it in the test window, None where value is that revenue; then nobody moves.
        """
        spread = lorenz_table(self._value, self.tested.expected, self._value_rules)
        shares = {tier["name"]: tier["share"] for tier in manifest["tiers"]}
        moved = None if revenue is None else movers(revenue, self._value, next(iter(shares.values())))
        told = {
            "leaderboard.md": leaderboard(figures, manifest["chosen"]),
            "model_card.md": card(manifest, figures, self._groups(shares), spread, moved),
        }
        if revenue is not None:
            told["movers.csv"] = moving(self.tested.window.rows.customers, revenue, self._value, shares)
        return told

    def drawn(self, churn: Additive) -> dict[str, str]:
        """Draw what the churn model reads, its reliability, its profit, and the value captured; SVG by name."""
        risk = self.tested.risk[self._active]
        rows = self.tested.window.of_active.rows
        return {
            "churn importance": pictures.importance("Churn: what moves the score", _shares(churn, rows)),
            "churn reliability": pictures.reliability(self._lapsed, risk),
            "churn profit": pictures.profit(self._lapsed, {"this model": risk, **self._churn_rules}, Campaign()),
            "value captured": pictures.lorenz(self._value, {"this model": self.tested.expected, **self._value_rules}),
        }

    def _groups(self, shares: Mapping[str, float]) -> list[GroupFigure]:
        expected = self.tested.expected
        tiers = tiers_of(expected, shares)
        tenures = tenure_bands(self.tested.window.rows.column("tenure_days"))
        return [
            *by_group("tier", shares, tiers, self._of_group),
            *by_group("tenure", TENURES, tenures, self._of_group),
        ]

    def _of_group(self, which: npt.NDArray[np.bool_]) -> list[Figure]:
        churn = {name: CHURN_METRICS[name] for name in _GROUPED["churn"]}
        value = {name: VALUE_METRICS[name] for name in _GROUPED["value"]}
        active = self._lapsed[which[self._active]]
        told = len(active) > 0 and active.min() < active.max()
        return [*(self._churn(churn, which) if told else ()), *self._worth(value, which)]

    def _churn(self, metrics: Mapping[str, Any], which: npt.NDArray[np.bool_]) -> list[Figure]:
        kept = which[self._active]
        rules = {name: rule[kept] for name, rule in self._churn_rules.items()}
        risk = self.tested.risk[self._active & which]
        return judge("churn", metrics, self._lapsed[kept], risk, rules, self._seed)

    def _worth(self, metrics: Mapping[str, Any], which: npt.NDArray[np.bool_]) -> list[Figure]:
        rules = {name: rule[which] for name, rule in self._value_rules.items()}
        return judge("value", metrics, self._value[which], self.tested.expected[which], rules, self._seed)


def _shares(model: Additive, rows: FeatureMatrix) -> dict[str, float]:
    """Each feature's share of all that moves the scores of some rows."""
    moved = np.abs(model.contributions(rows.values)[:, :-1]).sum(axis=0)
    return dict(zip(CONTRACT.names, (moved / max(moved.sum(), 1e-9)).tolist(), strict=True))
