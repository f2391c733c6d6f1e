"""Regressions of who is changed by a treatment, on columns that are held within their tails and scaled."""

from dataclasses import replace
from itertools import pairwise

import numpy as np

from features.feature import Array
from models.additive import Additive, inverse
from models.contrast import RegressionContrast
from models.regression import Regression

_TAILS = (0.005, 0.995)
_PENALTIES = 10.0 ** np.arange(-3.0, 3.5, 0.5)
_STRENGTHS = 10.0 ** np.arange(0.0, 5.5, 0.5)
_ROUNDS, _STRIDE, _STILL = 30, 3.0, 1e-8


def ridge(rows: Array, pseudo: Array, precision: Array) -> Additive:
    """Regress pseudo-outcomes, shape (n,), on rows (n, columns), each counting by its precision.

    The penalty has the least generalised cross-validation (Golub, Heath and Wahba 1979).
    """
    start = _standardised(rows)
    root = np.sqrt(precision / precision.mean())[:, None]
    columns = start.standard(rows)
    centred = root * (columns - np.average(columns, axis=0, weights=precision))
    aim = root[:, 0] * (pseudo - np.average(pseudo, weights=precision))
    values, axes = np.linalg.eigh(centred.T @ centred)
    along, size = axes.T @ (centred.T @ aim), float(aim @ aim)
    values = np.maximum(values, 0.0)

    def loss(penalty: float) -> float:
        kept = values + penalty * len(aim)
        left = size - 2 * float(along @ (along / kept)) + float((along / kept) ** 2 @ values)
        return left / max(1 - float((values / kept).sum()) / len(aim), 1e-3) ** 2

    best = min(_PENALTIES.tolist(), key=loss)
    weights = axes @ (along / (values + best * len(aim)))
    return Additive("identity", (replace(start, weights=tuple(weights.tolist())),), (1.0,))


def interactions(rows: Array, treated: Array, outcome: Array, link: str) -> Additive:
    """Regress outcomes, shape (n,), on rows (n, columns), the treatment, 1 or 0, and their interactions.

    `link` is "logit" for outcomes 0 and 1, or "log" for amounts from 0 on with a mean of about 1 (quasi-likelihood).
    Columns, and then interactions, are drawn to none by penalties with the least Akaike criterion.
    """
    start = _standardised(rows)
    columns, share = start.standard(rows), float(treated.mean())
    away, width = treated - share, columns.shape[1]
    design = np.column_stack([np.ones(len(rows)), away, columns, away[:, None] * columns])
    model = _Likelihood(link, outcome)
    ends = 2, 2 + width, 2 + 2 * width
    fitted, penalties = model.fit(design[:, :2], np.zeros(2), np.zeros(2)), np.zeros(2)
    for first, last in pairwise(ends):
        fitted = np.append(fitted, np.zeros(width))
        strength = model.strength(design[:, :last], fitted, np.append(penalties, np.zeros(width)), first)
        penalties = np.append(penalties, np.full(width, strength))
        fitted = model.fit(design[:, :last], penalties, fitted)
    level, effect, alike, changes = fitted[0], fitted[1], fitted[2 : 2 + width], fitted[2 + width :]
    arms = [(float(level + one * effect), tuple((alike + one * changes).tolist())) for one in (1 - share, -share)]
    intercepts, (with_it, without) = (arms[0][0], arms[1][0]), (replace(start, weights=told) for _, told in arms)
    return Additive("identity", (RegressionContrast(link, with_it, without, intercepts),), (1.0,))


class _Likelihood:
    """The likelihood of outcomes by a weighted sum of columns on the link's scale, as (n, k) and (k,)."""

    def __init__(self, link: str, outcome: Array) -> None:
        self._link, self._outcome = link, outcome
        self._noise = 1.0 if link == "logit" else float(outcome.var() / outcome.mean())

    def fit(self, columns: Array, penalties: Array, start: Array) -> Array:
        """Climb to the most likely weights under penalties on their squares, by Newton's steps."""
        weights = start
        for _ in range(_ROUNDS):
            score, information = self._slopes(columns, weights)
            step = np.linalg.solve(information + np.diag(penalties + _STILL), score - penalties * weights)
            stride = float(np.abs(columns @ step).max())
            weights = weights + step * min(1.0, _STRIDE / max(stride, _STILL))
            if stride < 1e-6:
                break
        return np.asarray(weights)

    def strength(self, columns: Array, weights: Array, penalties: Array, first: int) -> float:
        """Choose the penalty of columns from `first` on, whose weights are 0 as yet.

        What each penalty gains is told by the likelihood's curve here, less twice the parameters that it leaves free.
        """
        score, information = self._slopes(columns, weights)
        known = information[:first, :first] + np.diag(penalties[:first] + _STILL)
        across = information[:first, first:]
        values, axes = np.linalg.eigh(information[first:, first:] - across.T @ np.linalg.solve(known, across))
        values, along = np.maximum(values, 0.0), axes.T @ score[first:]

        def gained(strength: float) -> float:
            kept = values + strength
            return float((along**2 * (values + 2 * strength) / kept**2).sum() - 2 * self._noise * (values / kept).sum())

        return float(max(self._noise * _STRENGTHS, key=gained))

    def _slopes(self, columns: Array, weights: Array) -> tuple[Array, Array]:
        expected = inverse(self._link, columns @ weights)
        counted = expected * (1 - expected) if self._link == "logit" else expected
        return columns.T @ (self._outcome - expected), (columns * counted[:, None]).T @ columns


def _standardised(rows: Array) -> Regression:
    """Learn how columns are held and scaled; what hardly differs or is never known is left out."""
    known = np.flatnonzero(~np.isnan(rows).all(axis=0))
    lows, highs = np.nanquantile(rows[:, known], _TAILS, axis=0)
    held = np.clip(rows[:, known], lows, highs)
    means, spreads = np.nanmean(held, axis=0), np.nanstd(held, axis=0)
    kept = spreads > 1e-9 * (1 + np.abs(means))
    told = (known[kept], lows[kept], highs[kept], means[kept], spreads[kept], np.zeros(int(kept.sum())))
    places, lows_, highs_, means_, spreads_, weights = (tuple(one.tolist()) for one in told)
    return Regression(places, lows_, highs_, means_, spreads_, weights)
