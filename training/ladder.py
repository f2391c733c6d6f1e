"""The candidates for churn and for value, from the simplest up; each is fitted only when somebody asks for it."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from types import MappingProxyType

import numpy as np
from scipy.optimize import brentq
from sklearn.linear_model import LogisticRegression, TweedieRegressor

from features.contract import CONTRACT, FeatureMatrix
from features.errors import ContractError
from features.feature import Array
from models.additive import Additive, inverse, mean_of
from models.hurdle import Hurdle
from models.lifetime import Process
from models.linear import Linear, signed_logs
from training.boosting import Fit, boost
from training.dataset import Window
from training.lifetime import lifetime

POWER = 1.5  # of the Tweedie distribution: between counts (1) and money that always comes (2)
_PENALTY = 0.01
_MOST = 10.0  # the farthest that a level is moved, on the link's scale
TWEEDIE = {"objective": "tweedie", "tweedie_variance_power": POWER}
_NOTHING: frozenset[str] = frozenset()
_TREES, _PROCESS = frozenset({"trees"}), frozenset({"process"})
_COUNTS = ("days_since_purchase", *(name for name in CONTRACT.names if name.startswith("purchases_decayed_")))
_RFM = ("days_since_purchase", "purchase_days", "spend", "tenure_days", "purchase_days_91")
_SPENDS = (
    *(name for name in CONTRACT.names if name.startswith("spend_decayed_")),
    "spend", "purchase_days", "days_since_purchase", "tenure_days",
)  # fmt: skip
_LEAVING = {"days_since_purchase": 1, **dict.fromkeys(_COUNTS[1:], -1)}
_SPENDING = dict.fromkeys((name for name in CONTRACT.names if name.startswith("spend_decayed_")), 1)


class Ladder:
    """What all candidates are fitted on: windows, and the moment (`rows`, `process`) at which they are to predict."""

    # Every candidate, from the simplest up, and whether it is made of trees, of a process, or of both.
    needs: Mapping[str, frozenset[str]]

    def __init__(
        self, windows: Sequence[Window], rows: FeatureMatrix, process: Process | None, days: int, fit: Fit
    ) -> None:
        self._windows, self._rows, self._process = windows, rows, process
        self._days, self._fit = days, fit

    def model(self, name: str) -> Additive:
        """Fit a candidate by its name."""
        model = getattr(self, name.lower().replace(" ", "_").replace("/", "_").replace("-", "_"))
        assert isinstance(model, Additive)
        return model

    def levelled(self, name: str, share: float) -> Additive:
        """Fit a candidate and move it, on the link's scale, a share of the way to where its mean is BG/NBD's.

        The mean prediction is that of everyone at the moment.
        """
        model = self.model(name)
        if not share:
            return model
        process = self.model("BG/NBD")
        scores, wanted = model.scores(self._rows.values), float(process.predict(self._rows.values).mean())

        def short(shift: float) -> float:
            return float(inverse(model.link, scores + shift).mean()) - wanted

        # Beyond the farthest move either way there is nothing to find.
        ends = [shift for shift, misses in ((-_MOST, short(-_MOST) >= 0), (_MOST, short(_MOST) <= 0)) if misses]
        return model.adjusted(1.0, share * (ends[0] if ends else float(brentq(short, -_MOST, _MOST))))

    @cached_property
    def _values(self) -> Array:
        return np.concatenate([window.rows.values for window in self._windows])

    def _regression(self, names: tuple[str, ...], amounts: Array) -> Additive:
        """Fit a Tweedie regression with a log link on some features."""
        known, means, spreads, standard = _standard(self._values, names)
        fitted = TweedieRegressor(power=POWER, alpha=1e-3, link="log", max_iter=2_000).fit(standard, amounts)
        weights = tuple(fitted.coef_.tolist())
        return Additive("log", (Linear(known, means, spreads, weights, float(fitted.intercept_)),), (1.0,))

    def _offset(self, says: str) -> Array:
        """What each window's own process says of its customers, one after the other."""
        return np.concatenate(
            [
                lifetime(self._fitted(window.process), window.rows, self._days, says).scores(window.rows.values)
                for window in self._windows
            ]
        )

    @staticmethod
    def _fitted(process: Process | None) -> Process:
        if process is None:
            raise ContractError("expected a history with 200 repeat buyers and a process that fits it, found none")
        return process


class ChurnLadder(Ladder):
    """Candidates for the log-odds of a lapse, fitted on active customers."""

    needs = MappingProxyType(
        {
            "decayed count": _NOTHING,
            "RFM logistic": _NOTHING,
            "BG/NBD": _PROCESS,
            "logistic": _NOTHING,
            "LightGBM": _TREES,
            "LightGBM on BG/NBD": _TREES | _PROCESS,
            "blend": _TREES | _PROCESS,
        }
    )

    @cached_property
    def decayed_count(self) -> Additive:
        """A logistic regression on purchases that lose weight as they age."""
        return self._logistic(_COUNTS, 1.0)

    @cached_property
    def rfm_logistic(self) -> Additive:
        """A logistic regression on recency, frequency and money."""
        return self._logistic(_RFM, 1.0)

    @cached_property
    def logistic(self) -> Additive:
        """A penalised logistic regression on every feature."""
        return self._logistic(CONTRACT.names, _PENALTY)

    @cached_property
    def bg_nbd(self) -> Additive:
        """Buying until one leaves, with nothing learned from later windows."""
        return Additive("logit", (lifetime(self._fitted(self._process), self._rows, self._days, "lapse"),), (1.0,))

    @cached_property
    def lightgbm(self) -> Additive:
        """Small trees on every feature."""
        trees = boost({"objective": "binary"}, self._values, self._lapsed, CONTRACT.names, self._fit, rising=_LEAVING)
        return Additive("logit", (trees,), (1.0,))

    @cached_property
    def lightgbm_on_bg_nbd(self) -> Additive:
        """Small trees that correct what the process says."""
        offset = self._offset("lapse")
        trees = boost(
            {"objective": "binary"}, self._values, self._lapsed, CONTRACT.names, self._fit, offset=offset
        )  # fmt: skip
        return Additive("logit", (*self.bg_nbd.parts, trees), (1.0, 1.0))

    @cached_property
    def blend(self) -> Additive:
        """The mean log-odds of trees, logistic regression and process."""
        return mean_of([self.lightgbm, self.logistic, self.bg_nbd])

    @cached_property
    def _lapsed(self) -> Array:
        return np.concatenate([window.lapsed for window in self._windows])

    def _logistic(self, names: tuple[str, ...], strength: float) -> Additive:
        known, means, spreads, standard = _standard(self._values, names)
        fitted = LogisticRegression(C=strength, max_iter=500).fit(standard, self._lapsed)
        weights = tuple(fitted.coef_[0].tolist())
        return Additive("logit", (Linear(known, means, spreads, weights, float(fitted.intercept_[0])),), (1.0,))


class ValueLadder(Ladder):
    """Candidates for the log of what a customer brings, fitted on everyone who ever bought.

    What was given back beyond what was bought counts as zero.
    """

    needs = MappingProxyType(
        {
            "decayed spend": _NOTHING,
            "BG/NBD": _PROCESS,
            "Tweedie": _TREES,
            "hurdle": _TREES,
            "Tweedie on BG/NBD": _TREES | _PROCESS,
            "blend": _TREES,
        }
    )

    @cached_property
    def decayed_spend(self) -> Additive:
        """A Tweedie regression on spend that loses weight as it ages, with a log link."""
        return self._regression(_SPENDS, self._value)

    @cached_property
    def bg_nbd(self) -> Additive:
        """Buying until one leaves, times the Gamma-Gamma model of spend."""
        return Additive("log", (lifetime(self._fitted(self._process), self._rows, self._days, "spend"),), (1.0,))

    @cached_property
    def tweedie(self) -> Additive:
        """Small trees on every feature."""
        trees = boost(TWEEDIE, self._values, self._value, CONTRACT.names, self._fit, rising=_SPENDING)
        return Additive("log", (trees,), (1.0,))

    @cached_property
    def tweedie_on_bg_nbd(self) -> Additive:
        """Small trees that correct what process and Gamma-Gamma say."""
        trees = boost(
            TWEEDIE, self._values, self._value, CONTRACT.names, self._fit, offset=self._offset("spend")
        )  # fmt: skip
        return Additive("log", (*self.bg_nbd.parts, trees), (1.0, 1.0))

    @cached_property
    def hurdle(self) -> Additive:
        """Trees for whether anything comes, and trees for how much if so."""
        some = self._value > 0
        names, fit = CONTRACT.names, self._fit
        comes = boost({"objective": "binary"}, self._values, some.astype(np.float64), names, fit)
        amount = boost({"objective": "gamma"}, self._values[some], self._value[some], names, fit)
        return Additive("log", (Hurdle(comes, amount),), (1.0,))

    @cached_property
    def blend(self) -> Additive:
        """The geometric mean of trees, hurdle and regression."""
        return mean_of([self.tweedie, self.hurdle, self.decayed_spend])

    @cached_property
    def _value(self) -> Array:
        return np.concatenate([window.brought for window in self._windows])


def _standard(
    values: Array, names: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[float, ...], tuple[float, ...], Array]:
    """Take some features' signed logs in units of their spread; a feature that never differs is left out."""
    logs = signed_logs(values[:, [CONTRACT.places[name] for name in names]])
    means, spreads = logs.mean(axis=0), logs.std(axis=0)
    differs = np.flatnonzero(spreads > 1e-9)
    kept = tuple(names[place] for place in differs)
    means, spreads = means[differs], spreads[differs]
    return kept, tuple(means.tolist()), tuple(spreads.tolist()), (logs[:, differs] - means) / spreads
