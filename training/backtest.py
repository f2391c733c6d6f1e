"""What the last months' predictions would have come to: a bundle's kinds of model, fitted anew at past moments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from features.clock import from_microseconds, microseconds
from features.consent import profiled
from features.errors import NotEnoughData
from features.feature import Array
from features.known import Known
from models.population import Active
from training.baselines import churn_baselines, value_baselines
from training.boosting import Fit
from training.churn import train_churn
from training.costing import train_costs
from training.costs import Costs
from training.cutoffs import Cutoffs, plan_cutoffs
from training.dataset import Progress, Window, Windows
from training.evaluation import Figure, interval_figures, judge
from training.horizon import DAYS_A_MONTH, Horizon
from training.minimum import Allowed, allowed
from training.outcome import CHURN, VALUE, check_told, horizon_of
from training.value import train_value


@dataclass(frozen=True)
class Past:
    """One past moment: what was predicted of the active and of everyone, and what came; `risk` and `lapsed` are rates.

    `expected` and `came` are sums in currency; what was given back beyond what was bought counts as zero.
    """

    cutoff: datetime
    active: int
    risk: float
    lapsed: float
    customers: int
    expected: float
    came: float
    figures: tuple[Figure, ...]

    def as_dict(self) -> dict[str, Any]:
        """The moment as JSON values."""
        names = ("active", "risk", "lapsed", "customers", "expected", "came")
        told = {name: getattr(self, name) for name in names}
        return {"cutoff": self.cutoff.isoformat(), **told, "figures": [figure.as_dict() for figure in self.figures]}


@dataclass(frozen=True)
class Backtest:
    """The past moments that could be judged, newest first, and why the others could not."""

    moments: tuple[Past, ...]
    skipped: tuple[str, ...]


@dataclass(frozen=True)
class _Only(Allowed):
    """What a history is large enough for, of one candidate."""

    candidate: str

    def among(self, needs: Mapping[str, frozenset[str]]) -> tuple[str, ...]:
        """Keep the candidate alone.

        Raises NotEnoughData when what was known by then didn't allow it.
        """
        if self.ranks or self.candidate not in super().among(needs):
            raise NotEnoughData(f"{self.candidate} couldn't be fitted on what was known then: {'; '.join(self.said)}")
        return (self.candidate,)


def backtest(known: Known, manifest: Mapping[str, Any], months: int, threads: int, progress: Progress) -> Backtest:
    """Fit the chosen candidates anew at moments a horizon apart, on what was known by each, and judge what came.

    Level, recalibration and interval are found anew at each moment, too: the choice of candidate alone is later.
    Raises InputError for a bundle that gives ranks only.
    """
    check_told(manifest, "the bundle")
    known = profiled(known)
    horizon = horizon_of(known, manifest)
    moments = past_moments(horizon, months)
    found, skipped = [], []
    for place, moment in enumerate(moments):
        progress("Fitting and judging at past moments", place, len(moments))
        try:
            found.append(_judged(known, horizon, moment, manifest, _fit(manifest, threads)))
        except NotEnoughData as error:
            skipped.append(f"{moment:%Y-%m-%d}: {error}")
    progress("Fitting and judging at past moments", len(moments), len(moments))
    return Backtest(tuple(found), tuple(skipped))


def past_moments(horizon: Horizon, months: int) -> list[datetime]:
    """List the moments a horizon apart, newest first, whose whole horizon is known; the newest one always.

    >>> day = 86_400_000_000
    >>> [f"{moment:%m-%d}" for moment in past_moments(Horizon(28, 56, 0, 365 * day, ""), 1)]
    ['12-04', '11-06']
    """
    newest = from_microseconds(horizon.end) - timedelta(days=horizon.days)
    count = int(months * DAYS_A_MONTH / horizon.days) + 1
    return [newest - timedelta(days=horizon.days) * place for place in range(count)]


def _judged(known: Known, horizon: Horizon, moment: datetime, manifest: Mapping[str, Any], fit: Fit) -> Past:
    cutoffs, then = _planned(horizon, moment)
    active, measure, days = Active(**manifest["active"]), manifest["value_measure"], horizon.days
    costs = Costs.read(manifest)
    # What was recorded after the moment is in nothing that is learned from.
    windows = Windows(known.at(moment), active, measure, costs)
    test = Windows(known, active, measure, costs).at(moment, days)
    made = [*(windows.at(one, days) for one in cutoffs.learn), test]
    fits = windows.fits(cutoffs.moments[:-1]) and test.process is not None
    enough, now = allowed(made, fits, cutoffs, then), (test.rows, test.process)
    chosen = {model: _only(enough, manifest["chosen"][model]["candidate"]) for model in ("churn", "value")}
    churn = train_churn(windows, made, cutoffs, now, chosen["churn"], fit)
    costings = train_costs(windows, made, cutoffs, now, enough, fit)
    value = train_value(windows, made, cutoffs, now, chosen["value"], fit, costings)
    return _past(made, churn.tested[test.active], value.tested, fit.seed)


def _planned(horizon: Horizon, moment: datetime) -> tuple[Cutoffs, Horizon]:
    span, start = timedelta(days=horizon.days), from_microseconds(horizon.start)
    if moment - span < start + span / 2:
        raise NotEnoughData(
            f"expected {1.5 * horizon.days:g} days of history before it to learn from, found {(moment - start).days};"
            " ingest more history"
        )
    then = replace(horizon, end=microseconds(moment + span))
    return plan_cutoffs(then), then


def _only(enough: Allowed, candidate: str) -> _Only:
    return _Only(enough.trees, enough.process, enough.totals, enough.said, enough.ranks, candidate)


def _past(made: Sequence[Window], risk: Array, tested: tuple[Array, Array, Array], seed: int) -> Past:
    *learn, test = made
    expected, low, high = tested
    lapsed, came = test.of_active.lapsed, test.net
    figures = (
        *judge("churn", CHURN, lapsed, risk, churn_baselines(learn, test), seed),
        *judge("value", VALUE, came, expected, value_baselines(learn, test), seed),
        *interval_figures(test.value - test.cost, low, high, seed, expected),
    )
    rates = (len(lapsed), float(risk.mean()), float(lapsed.mean()))
    return Past(test.cutoff, *rates, len(came), float(expected.sum()), float(came.sum()), figures)


def _fit(manifest: Mapping[str, Any], threads: int) -> Fit:
    tuned = manifest.get("tuned")
    return (
        Fit(manifest["seed"], threads, tuned["trees"], tuned["parameters"]) if tuned else Fit(manifest["seed"], threads)
    )
