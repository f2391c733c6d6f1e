"""Choosing among candidates on later windows: the simpler stays unless it loses by more than a standard error."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from scipy.optimize import minimize

from features.feature import Array
from models.additive import Additive, inverse
from training.boosting import Fit
from training.cutoffs import Cutoffs
from training.dataset import Window, Windows
from training.ladder import POWER, Ladder

_SAFE = 1e-6


@dataclass(frozen=True)
class Rung:
    """One candidate: its mean loss on the later windows, and what was said of it.

    `gain` is the mean loss of the candidate that stood until then less its own, `error` the standard error of that.
    """

    candidate: str
    loss: float
    gain: float | None
    error: float | None
    said: str


@dataclass(frozen=True)
class Adjustment:
    """A stretch and a shift of scores that later windows asked for; (1, 0) leaves them as they are."""

    slope: float
    shift: float
    said: str

    def of(self, model: Additive) -> Additive:
        """Stretch and shift a model's scores."""
        return model.adjusted(self.slope, self.shift)


@dataclass(frozen=True)
class Choice:
    """The candidate taken, all that were compared, whose level it has, and the adjustment of its scores.

    `level` is "learned", from the windows learned from, "process", where the mean prediction is that of BG/NBD, or
    "halfway" between them.
    """

    candidate: str
    ladder: tuple[Rung, ...]
    level: str
    level_said: str
    adjustment: Adjustment

    def fitted(self, ladder: Ladder) -> Additive:
        """Fit the chosen candidate on a ladder of its own, adjusted."""
        return self.adjustment.of(ladder.levelled(self.candidate, LEVELS[self.level]))

    def model_of(self, round: "Round") -> Additive:
        """The chosen candidate as a later window had it fitted, adjusted."""
        return self.adjustment.of(round.models[self.level][self.candidate])

    def as_dict(self) -> dict[str, Any]:
        """The choice as JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Round:
    """One later window, what happened there, and the candidates' models by level, fitted on windows before it."""

    window: Window
    truth: Array
    models: Mapping[str, Mapping[str, Additive]]


LEARNED, HALFWAY, PROCESS = "learned", "halfway", "process"
LEVELS: Mapping[str, float] = MappingProxyType({LEARNED: 0.0, HALFWAY: 0.5, PROCESS: 1.0})
Loss = Callable[[Array, Array], Array]


def rounds(
    windows: Windows, cutoffs: Cutoffs, ladder: type[Ladder], candidates: Sequence[str], fit: Fit,
    part: Callable[[Window], Window], truth: Callable[[Window], Array],
) -> list[Round]:  # fmt: skip
    """Fit every candidate for every later window of the plan, on earlier windows; `part` picks whom it speaks of.

    There are none where the history is too short for them, or where in one of them nothing differs.
    """
    if cutoffs.rehearsal is None:
        return []
    days, found = cutoffs.rehearsal.days, []
    for moment, earlier in cutoffs.rehearsal.rounds:
        judged, learned = part(windows.at(moment, days)), [part(windows.at(one, days)) for one in earlier]
        if not (_differs([judged], truth) and _differs(learned, truth)):
            return []
        fitted = ladder(learned, judged.rows, judged.process, days, fit)
        levels = LEVELS if "BG/NBD" in candidates else {LEARNED: LEVELS[LEARNED]}
        models = {level: {name: fitted.levelled(name, share) for name in candidates} for level, share in levels.items()}
        found.append(Round(judged, truth(judged), models))
    return found


def _differs(windows: Sequence[Window], truth: Callable[[Window], Array]) -> bool:
    happened = np.concatenate([truth(window) for window in windows])
    return bool(len(happened) and happened.min() < happened.max())


def choose(played: Sequence[Round], candidates: Sequence[str], loss: Loss, whole: bool) -> Choice:
    """Choose among candidates, simplest first; without later windows the most complex one that the data allow.

    `whole` says whether the later windows' horizon is the real one, so that levels carry over.
    """
    if not played:
        said = "the history is too short for later windows to choose on"
        return Choice(candidates[-1], (), *_unseen(said, "BG/NBD" in candidates), Adjustment(1.0, 0.0, said))
    levels = [level for level in LEVELS if all(level in round.models for round in played)]
    if not whole:
        level, level_said = _unseen("the later windows have a shorter horizon", HALFWAY in levels)
        standing, rungs = _climb(played, level, candidates, loss)
    else:
        climbed = {level: _climb(played, level, candidates, loss) for level in levels}
        level, level_said = _level(played, {level: standing for level, (standing, _) in climbed.items()}, loss)
        standing, rungs = climbed[level]
    chosen = [(round.truth, round.models[level][standing], round.window) for round in played]
    return Choice(standing, rungs, level, level_said, _adjustment(chosen, loss, whole))


def _unseen(why: str, process: bool) -> tuple[str, str]:
    """Meet halfway where nothing tells which level is nearer: a mean of forecasts (Bates and Granger 1969)."""
    if not process:
        return LEARNED, f"{why}, and there is no process to take a level from"
    return HALFWAY, f"{why}: halfway between what was learned and the process"


def _climb(
    played: Sequence[Round], level: str, candidates: Sequence[str], loss: Loss
) -> tuple[str, tuple[Rung, ...]]:  # fmt: skip
    losses = {name: _lost(played, level, name, loss) for name in candidates}
    standing, *others = candidates
    rungs = [Rung(standing, float(losses[standing].mean()), None, None, "the simplest")]
    for name in others:
        gain, error = paired(losses[standing] - losses[name], _customers(played))
        better = gain > error
        said = f"better than {standing} by more than a standard error" if better else f"{standing} stays"
        rungs.append(Rung(name, float(losses[name].mean()), gain, error, said))
        standing = name if better else standing
    return standing, tuple(rungs)


def _level(played: Sequence[Round], standing: Mapping[str, str], loss: Loss) -> tuple[str, str]:
    """Leave the level learned only for one under which what stands is better by more than a standard error."""
    lost = {level: _lost(played, level, name, loss) for level, name in standing.items()}
    learned = lost.pop(LEARNED)
    if not lost:
        return LEARNED, "no process to take a level from"
    best = min(lost, key=lambda level: float(lost[level].mean()))
    gain, error = paired(learned - lost[best], _customers(played))
    to = "halfway to the process's mean" if best == HALFWAY else "to the process's mean"
    said = f"moving {to} changes the loss on the later windows by {-gain:+.4f} ± {error:.4f}"
    return (best, f"{said}: taken") if gain > error else (LEARNED, f"{said}: left")


def _lost(played: Sequence[Round], level: str, name: str, loss: Loss) -> Array:
    """What a candidate at a level lost on each customer of each later window."""
    return np.concatenate(
        [loss(round.truth, round.models[level][name].scores(round.window.rows.values)) for round in played]
    )


def _customers(played: Sequence[Round]) -> Array:
    return np.concatenate([round.window.rows.customers for round in played])


def paired(differences: Array, customers: Array) -> tuple[float, float]:
    """Average differences of shape (n,), with a standard error that counts a customer's rows together.

    >>> paired(np.array([1.0, 1.0, 3.0, 3.0]), np.array(["a", "a", "b", "b"]))
    (2.0, 1.0)
    """
    everyone, owner = np.unique(customers, return_inverse=True)
    mean, count = float(differences.mean()), len(everyone)
    sums = np.bincount(owner, differences - mean)
    return mean, float(np.sqrt((sums**2).sum() * count / max(count - 1, 1)) / len(differences))


def churn_loss(lapsed: Array, scores: Array) -> Array:
    """Log loss of each customer, from log-odds; shape (n,)."""
    return np.asarray(np.logaddexp(0.0, scores) - lapsed * scores)


def value_loss(value: Array, scores: Array) -> Array:
    """Tweedie deviance of each customer, from the log of currency; shape (n,), up to what no prediction changes."""
    expected = np.maximum(inverse("log", scores), _SAFE)
    return np.asarray(expected ** (2 - POWER) / (2 - POWER) - value * expected ** (1 - POWER) / (1 - POWER))


def _adjustment(played: Sequence[tuple[Array, Additive, Window]], loss: Loss, whole: bool) -> Adjustment:
    """Stretch and shift if, learned on each later window, it lowers the loss on the other, each time."""
    if not whole:
        return Adjustment(1.0, 0.0, "no recalibration: the later windows have a shorter horizon")
    scored = [(truth, model.scores(window.rows.values)) for truth, model, window in played]
    gains = []
    for place, (truth, scores) in enumerate(scored):
        slope, shift = _line([other for at, other in enumerate(scored) if at != place], loss)
        gain = loss(truth, scores) - loss(truth, slope * scores + shift)
        gains.append((float(gain.mean()), float(gain.std() / np.sqrt(len(gain)))))
    told = ", ".join(f"{-gain:+.4f} ± {error:.4f}" for gain, error in gains)
    said = f"recalibration changes the loss on the later windows by {told}"
    if all(gain > error for gain, error in gains):
        return Adjustment(*_line(scored, loss), f"{said}: kept")
    return Adjustment(1.0, 0.0, f"{said}: left out")


def _line(scored: Sequence[tuple[Array, Array]], loss: Loss) -> tuple[float, float]:
    """Find the stretch and shift with the least loss (Platt 1999)."""
    truth, scores = (np.concatenate(parts) for parts in zip(*scored, strict=True))
    found = minimize(
        lambda line: float(loss(truth, line[0] * scores + line[1]).mean()), [1.0, 0.0], method="Nelder-Mead"
    )
    return float(found.x[0]), float(found.x[1])
