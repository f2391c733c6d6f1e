"""Learn from the log what each offer changes: measured where chance decided, judged on later decisions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from features.contract import CONTRACT
from features.feature import Array
from models.effects import Effect, Effects, columns, log_odds, movable
from training.decision_log import DecisionLog, Realised
from training.logged_trials import STAYED, Trial, settled, trials_of
from training.posterior import Arm, Believed, Question, posterior
from training.uplift import MATURE, FittedUplift, fit_uplift
from training.uplift_moments import mean_effect, numbered

FEWEST = 50
_LATER = 0.3
_FEWEST_JUDGED = 100
# Nobody states what selling does to staying: it is taken to move the odds by a tenth, give or take.
_BESIDE = 0.1
# What is stated, a shift that a kind shares and half as much of each offer: together they are as unsure as said.
_PARTS = (1.0 + 1.0 + 0.25) ** 0.5
_TINY = 1e-9

Uplifts = Mapping[tuple[str, bool], FittedUplift]
_Found = dict[tuple[str, bool], Effect]


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
    """Measure what every offer of a log changes, in order of their names; of what sells, staying besides.

    `uncertainty` is the standard deviation of a stated effect, as a share of it. Purchases are measured offer by offer,
    by the decisions whose whole horizon is known, where it or nothing was served and either might have been; staying
    by those of all offers together. An effect is judged on the later decisions by what was learned from the earlier
    ones, and refused where the stated prior is surely nearer to what came.
    """
    kept, then = settled(log, came)
    edge = int(len(kept) * (1 - _LATER))
    first = np.arange(len(kept)) < edge
    taught = {one.trial.key: one.effect for one in _learned(kept.only(first), then.only(first), uncertainty, seed)}
    return [_measured(one, taught.get(one.trial.key), edge) for one in _learned(kept, then, uncertainty, seed)]


@dataclass(frozen=True)
class _Lesson:
    """What a trial taught; `uplift` is learned only of what an offer is for, and nothing where nobody was drawn for."""

    trial: Trial
    uplift: FittedUplift | None
    effect: Effect | None


def _learned(log: DecisionLog, came: Realised, uncertainty: float, seed: int) -> list[_Lesson]:
    trials = list(trials_of(log, came))
    uplifts = {one.key: _fitted(one, seed) for one in trials if not one.beside and one.positives >= MATURE}
    held = [one for one in trials if len(one.treated)]
    found = _alone([one for one in held if one.what != STAYED], uplifts, uncertainty)
    found |= _together(log, came, [one for one in held if one.what == STAYED], uplifts, uncertainty)
    return [_Lesson(one, uplifts.get(one.key), found.get(one.key)) for one in trials]


def _fitted(trial: Trial, seed: int) -> FittedUplift:
    return fit_uplift(
        trial.rows, CONTRACT.names, trial.treated, trial.outcome, trial.propensity, clusters=trial.customers, seed=seed
    )


class _Lots(NamedTuple):
    """A trial's arm among some decisions; arrays of shape (decisions,)."""

    served: npt.NDArray[np.bool_]
    probability: Array
    stated: Array
    anyway: Array
    uplift: Array | None


def _alone(trials: Sequence[Trial], uplifts: Uplifts, uncertainty: float) -> _Found:
    """Believe of offers what their own trials tell, and of how far off stated effects are what all of them do."""
    counted = [_counted(uplifts.get(trial.key)) for trial in trials]
    lots = [
        _Lots(one.treated, one.propensity, one.stated, one.anyway, uplift.centred if uplift else None)
        for one, uplift in zip(trials, counted, strict=True)
    ]
    questions = [
        Question(
            trial.outcome, trial.anyway, [_arm(trial, one, uncertainty)], numbered(trial.customers, len(one.served))
        )
        for trial, one in zip(trials, lots, strict=True)
    ]
    return _found(trials, counted, lots, [believed for (believed,) in posterior(questions)])


def _together(
    log: DecisionLog, came: Realised, trials: Sequence[Trial], uplifts: Uplifts, uncertainty: float
) -> _Found:  # fmt: skip
    """Believe of offers what all of them together tell of staying."""
    if not trials:
        return {}
    counted = [_counted(uplifts.get(trial.key)) for trial in trials]
    lots = [_of_log(trial, uplift, log) for trial, uplift in zip(trials, counted, strict=True)]
    arms = [_arm(trial, one, uncertainty) for trial, one in zip(trials, lots, strict=True)]
    question = Question(came.stayed, 1.0 - log.risks, arms, numbered(np.array(log.customers), len(log)))
    return _found(trials, counted, lots, *posterior([question]))


def _found(
    trials: Sequence[Trial], uplifts: Sequence[FittedUplift | None], lots: Sequence[_Lots], found: Sequence[Believed]
) -> _Found:  # fmt: skip
    return {
        trial.key: _effect(trial, uplift, one, believed)
        for trial, uplift, one, believed in zip(trials, uplifts, lots, found, strict=True)
    }


def _of_log(trial: Trial, uplift: FittedUplift | None, log: DecisionLog) -> _Lots:
    """Find an offer's lots in the whole log; the uplift is by learners that haven't seen the decision."""
    said = np.array([said[trial.offer].change if trial.offer in said else 0.0 for said in log.stated])
    uplifts = None
    if uplift is not None:
        uplifts = uplift.model.scores(log.rows) - uplift.held_out.mean()
        uplifts[trial.at] = uplift.centred
    return _Lots(
        np.array(log.actions, dtype=object) == trial.offer, np.array([arms.get(trial.offer, 0.0) for arms in log.arms]),
        np.zeros(len(log)) if trial.beside else said, 1.0 - log.risks, uplifts,
    )  # fmt: skip


def _counted(uplift: FittedUplift | None) -> FittedUplift | None:
    """An uplift that may count: enough came, and it isn't one effect for all."""
    return uplift if uplift and uplift.mature and uplift.model.parts and uplift.centred.std() > _TINY else None


def _arm(trial: Trial, lots: _Lots, uncertainty: float) -> Arm:
    size, each = float(np.mean(np.abs(trial.stated))), uncertainty / _PARTS
    scale = _BESIDE if trial.beside else each * size / float(np.mean(movable(trial.anyway)))
    # The learned uplift counts for nothing, give or take as much as it says: its scale is its own.
    surely = each if size > _TINY else 0.0, 0.0 if lots.uplift is None else 1.0
    told = columns(lots.stated, lots.anyway, _typical(lots), lots.uplift)
    kind = trial.offer if trial.what != STAYED else "sells" if trial.beside else "keeps"
    return Arm(kind, lots.served, lots.probability, told, scale, surely)


def _typical(lots: _Lots) -> float:
    return float(log_odds(lots.anyway).mean())


def _effect(trial: Trial, uplift: FittedUplift | None, lots: _Lots, found: Believed) -> Effect:
    mean, covariance = (cast(Any, one.tolist()) for one in (found.mean, found.covariance))
    learned, centre = (uplift.model, float(uplift.held_out.mean())) if uplift else (None, 0.0)
    return Effect(
        tuple(mean), tuple(map(tuple, covariance)), _typical(lots), centre, learned, trial.positives,
        len(trial.treated), trial.positives >= MATURE, "",
    )  # fmt: skip


def _measured(lesson: _Lesson, taught: Effect | None, edge: int) -> Measured:
    trial = lesson.trial
    told: dict[str, Any] = {
        "offer": trial.offer, "what": trial.what, "beside": trial.beside,
        "decisions": len(trial.treated), "treated": int(trial.treated.sum()),
        "stated": float(trial.stated.mean()) if len(trial.stated) else None,
    }  # fmt: skip
    if lesson.effect is None or trial.fewest < FEWEST:
        why = f"expected at least {FEWEST} decisions by lot with it and as many without, found {trial.fewest}"
        return Measured(trial.offer, trial.beside, None, told | {"grade": "stated prior", "why": why})
    grade, why, judged = _judged(trial, taught, edge)
    clusters = numbered(trial.customers, len(trial.treated))
    pseudo = lesson.uplift.pseudo if lesson.uplift else trial.pseudo
    average, low, high = mean_effect(pseudo * trial.weights, clusters)
    effect = replace(lesson.effect, grade=grade)
    told |= {
        "positives": trial.positives, "mature": lesson.effect.mature, "average": average, "low": low,
        "high": high, "grade": grade, "why": why, "nearer_than_stated": judged,
    }  # fmt: skip
    if grade == "refused":
        return Measured(trial.offer, trial.beside, None, told)
    served = float(effect.change(trial.rows, trial.stated, trial.anyway)[0].mean())
    return Measured(trial.offer, trial.beside, effect, told | {"served": served})


def _judged(trial: Trial, taught: Effect | None, edge: int) -> tuple[str, str, tuple[float, float, float] | None]:
    """Hold what the earlier decisions taught against what came of the later ones, the stated prior beside it.

    What came is told by its inverse-propensity pseudo-outcome, whose mean is the effect; the gain is by how much the
    squared distance to it is less than the stated prior's, as (mean, low, high) at 95 %, with overlap weights.
    """
    earlier, later = trial.part(trial.at < edge), trial.part(trial.at >= edge)
    if taught is None or min(earlier.fewest, later.fewest) < FEWEST or len(later.treated) < _FEWEST_JUDGED:
        return "B", "too few decisions for the later ones to judge by; it is drawn to the stated prior", None
    expected, _ = taught.change(later.rows, later.stated, later.anyway)
    gain = later.weights * ((later.pseudo - later.stated) ** 2 - (later.pseudo - expected) ** 2)
    mean, low, high = mean_effect(gain, numbered(later.customers, len(gain)))
    if low > 0:
        return "A", "surely nearer to what came of later decisions than what was stated", (mean, low, high)
    if high < 0:
        return "refused", "what was stated is surely nearer to what came of later decisions", (mean, low, high)
    return "B", "neither it nor what was stated is surely nearer to what came later", (mean, low, high)


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
