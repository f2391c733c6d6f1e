"""Learn from the log what each offer changes: measured where chance decided, judged on later decisions."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from features.contract import CONTRACT
from features.feature import Array
from models.effects import Effect, Effects
from training.decision_log import SILENCE, DecisionLog, Realised
from training.posterior import posterior
from training.uplift import FittedUplift, fit_uplift
from training.uplift_moments import mean_effect, numbered

FEWEST = 50
_LATER = 0.3
_FEWEST_JUDGED = 100
_BESIDE = 0.1
BOUGHT, STAYED = "bought", "stayed"


@dataclass(frozen=True)
class Trial:
    """The decisions in which chance decided between an offer and silence; arrays of shape (decisions,), oldest first.

    `propensity` is the probability of the offer between the two, `outcome` 1 where `what` came (the item was "bought";
    the customer "stayed"), `stated` the change that the playbook states. `beside` tells that to stay isn't what the
    offer is for: it sells an item.
    """

    offer: str
    what: str
    beside: bool
    rows: Array
    treated: npt.NDArray[np.bool_]
    outcome: Array
    propensity: Array
    stated: Array
    customers: npt.NDArray[np.str_]

    def part(self, which: slice) -> "Trial":
        """Keep a stretch of time."""
        arrays: dict[str, Any] = {
            name: value[which] for name, value in vars(self).items() if isinstance(value, np.ndarray)
        }
        return replace(self, **arrays)

    def unsure(self, uncertainty: float) -> float:
        """How far the mean effect may be from the stated one, a standard deviation.

        Nobody states what selling does to staying: it is taken to move the risk of leaving by a tenth, give or take.
        """
        if self.beside:
            return _BESIDE * float(1.0 - self.outcome.mean())
        return uncertainty * float(np.sqrt(np.mean(self.stated**2)))

    @property
    def fewest(self) -> int:
        """The size of the smaller arm."""
        return int(min(self.treated.sum(), (~self.treated).sum()))


@dataclass(frozen=True)
class Measured:
    """What was found of an offer: the effect to serve by, None where the stated prior stands, and why."""

    offer: str
    beside: bool
    effect: Effect | None
    said: dict[str, Any]


def effects_of(measured: Sequence[Measured]) -> Effects:
    """Put together what is to be served by."""
    kept = [(one, one.effect) for one in measured if one.effect is not None]
    return Effects(
        {one.offer: effect for one, effect in kept if not one.beside},
        {one.offer: effect for one, effect in kept if one.beside},
    )


def measure_effects(log: DecisionLog, came: Realised, uncertainty: float, seed: int) -> list[Measured]:
    """Measure what every offer of a log changes, one by one, in order of their names; of what sells, staying besides.

    `uncertainty` is the standard deviation of a stated effect, as a share of it. An offer is measured by the decisions
    whose whole horizon is known, where it or nothing was served and either might have been. It is judged on the later
    ones by what was learned from the earlier ones, and refused where the stated prior is surely nearer to what came.
    """
    return [_measured(trial, uncertainty, seed) for trial in trials(log, came)]


def trials(log: DecisionLog, came: Realised) -> Iterator[Trial]:
    """Take from a log the trial of every offer, in order of their names; of what sells, that of staying besides."""
    usable = came.complete & (log.riding == 0)
    kept, then = log.only(usable), came.only(usable)
    for offer in sorted({offer for said in kept.stated for offer in said}):
        yield from _trials(kept, then, offer)


def _trials(log: DecisionLog, came: Realised, offer: str) -> Iterator[Trial]:
    actions, customers = np.array(log.actions, dtype=object), np.array(log.customers)
    arms = np.array([(arms.get(offer, 0.0), arms.get(SILENCE, 0.0)) for arms in log.arms]).reshape(-1, 2)
    drawn = (actions == offer) | (actions == SILENCE)
    at = np.flatnonzero(drawn & (arms > 0).all(axis=1) & np.array([offer in said for said in log.stated]))
    said = [log.stated[place][offer] for place in at.tolist()]
    bought = np.array([(place, one.item) in came.bought for place, one in zip(at.tolist(), said, strict=True)])
    sells = any(one.item for one in said)
    trial = Trial(
        offer, BOUGHT if sells else STAYED, False, log.rows[at], actions[at] == offer,
        bought.astype(np.float64) if sells else came.stayed[at], arms[at, 0] / arms[at].sum(axis=1),
        np.array([one.change for one in said]), customers[at],
    )  # fmt: skip
    yield trial
    if sells:
        nothing = np.zeros(len(at))
        yield replace(trial, what=STAYED, beside=True, outcome=came.stayed[at], stated=nothing)


def _measured(trial: Trial, uncertainty: float, seed: int) -> Measured:
    told: dict[str, Any] = {
        "offer": trial.offer, "what": trial.what, "beside": trial.beside,
        "decisions": len(trial.treated), "treated": int(trial.treated.sum()),
        "stated": float(trial.stated.mean()) if len(trial.stated) else None,
    }  # fmt: skip
    if trial.fewest < FEWEST:
        why = f"expected at least {FEWEST} decisions by lot with it and as many without, found {trial.fewest}"
        return Measured(trial.offer, trial.beside, None, told | {"grade": "stated prior", "why": why})
    grade, why, judged = _judged(trial, uncertainty, seed)
    fitted = _fitted(trial, seed)
    average, low, high = fitted.average
    told |= {
        "positives": fitted.positives, "mature": fitted.mature, "average": average, "low": low,
        "high": high, "grade": grade, "why": why, "nearer_than_stated": judged,
    }  # fmt: skip
    effect = None if grade == "refused" else _effect(trial, fitted, uncertainty, grade)
    if effect is not None:
        told["served"] = float(effect.change(trial.rows, trial.stated)[0].mean())
    return Measured(trial.offer, trial.beside, effect, told)


def _fitted(trial: Trial, seed: int) -> FittedUplift:
    return fit_uplift(
        trial.rows, CONTRACT.names, trial.treated, trial.outcome, trial.propensity, clusters=trial.customers, seed=seed
    )


def _effect(trial: Trial, fitted: FittedUplift, uncertainty: float, grade: str) -> Effect:
    found = posterior(fitted, trial.stated, trial.unsure(uncertainty))
    rows = tuple(tuple(row) for row in found.covariance.tolist())
    learned = fitted.model if fitted.mature and fitted.model.parts else None
    mean = (float(found.mean[0]), float(found.mean[1]), float(found.mean[2]))
    return Effect(mean, rows, found.centre, learned, fitted.positives, len(trial.treated), fitted.mature, grade)


def _judged(trial: Trial, uncertainty: float, seed: int) -> tuple[str, str, tuple[float, float, float] | None]:
    """Hold what the earlier decisions taught against what came of the later ones, the stated prior beside it.

    What came is told by its inverse-propensity pseudo-outcome, whose mean is the effect; the gain is by how much the
    squared distance to it is less than the stated prior's, as (mean, low, high) at 95 %.
    """
    edge = int(len(trial.treated) * (1 - _LATER))
    earlier, later = trial.part(slice(None, edge)), trial.part(slice(edge, None))
    if min(earlier.fewest, later.fewest) < FEWEST or len(later.treated) < _FEWEST_JUDGED:
        return "B", "too few decisions for the later ones to judge by; it is drawn to the stated prior", None
    effect = _effect(earlier, _fitted(earlier, seed), uncertainty, "")
    expected, _ = effect.change(later.rows, later.stated)
    pseudo = pseudo_outcome(later)
    gain = (pseudo - later.stated) ** 2 - (pseudo - expected) ** 2
    mean, low, high = mean_effect(gain, numbered(later.customers, len(gain)))
    if low > 0:
        return "A", "surely nearer to what came of later decisions than what was stated", (mean, low, high)
    if high < 0:
        return "refused", "what was stated is surely nearer to what came of later decisions", (mean, low, high)
    return "B", "neither it nor what was stated is surely nearer to what came later", (mean, low, high)


def pseudo_outcome(trial: Trial) -> Array:
    """Weigh each decision's outcome so that the mean is the effect of the offer; shape (decisions,).

    Inverse propensities around the mean outcome (Horvitz and Thompson 1952).
    """
    away = trial.outcome - trial.outcome.mean()
    return np.asarray(np.where(trial.treated, away / trial.propensity, -away / (1.0 - trial.propensity)))


def takers(log: DecisionLog, tries: Mapping[tuple[str, str], bool]) -> list[dict[str, Any]]:
    """Hold the share of takers that was said of each offer against who took it up, by offer.

    `ratio` is of those who took it up to those expected, with its 95 % interval (Poisson, by the square root's
    normal approximation; Garwood 1936 gives the exact one).
    """
    counts: dict[str, list[tuple[float, float, bool]]] = {}
    for name, said in zip(log.ids, log.stated, strict=True):
        for offer, one in said.items():
            if (name, offer) in tries:
                counts.setdefault(offer, []).append((one.propensity, one.expected_propensity, tries[name, offer]))
    return [_takers(offer, np.array(rows, dtype=np.float64)) for offer, rows in sorted(counts.items())]


def _takers(offer: str, rows: Array) -> dict[str, Any]:
    stated, said, taken = (float(total) for total in rows.sum(axis=0))
    root, expected = np.sqrt(taken), max(said, 1e-9)
    low, high = max(root - 0.98, 0.0) ** 2 / expected, (root + 0.98) ** 2 / expected
    return {
        "offer": offer, "made": len(rows), "taken": int(taken), "stated": stated, "said": said,
        "ratio": taken / expected, "low": float(low), "high": float(high),
        "grade": "A" if low <= 1.0 <= high else "C",
    }  # fmt: skip
