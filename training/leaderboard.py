"""The leaderboard of each model: the model, the simple rules, what is said of everyone alike, and the candidates."""

from collections.abc import Mapping, Sequence
from typing import Any

from training.evaluation import CHURN_METRICS, VALUE_METRICS, Figure
from training.grading import HEADLINES
from training.markdown import between, number, table

TITLES = {
    "churn": "Churn", "value": "Value", "cost_to_serve": "Cost to serve", "credit_loss": "Credit loss",
    "next_purchase": "Next purchase",
}  # fmt: skip
_OURS, _ALIKE = "**this model**", "everyone alike, at the true mean"
_SIGNS = {name: sign for name, (_, sign) in (CHURN_METRICS | VALUE_METRICS).items()}


def leaderboard(figures: Sequence[Figure], chosen: Mapping[str, Any]) -> str:
    """Lay out, for each model, everyone's figures on the test window and the candidates' on windows before it.

    `chosen` is the manifest's: by model, the `candidate` taken and the `ladder` of all. Markdown.
    """
    parts = ["# Leaderboard"]
    for model, title in TITLES.items():
        beside = [figure for figure in figures if figure.model == model and figure.best_baseline is not None]
        if beside:
            parts += [f"## {title}, on the test window", _standings(model, beside)]
        if model in chosen:
            parts += [f"## {title}: candidates, on windows before the test", candidates(chosen[model])]
    return "\n\n".join(parts) + "\n"


def candidates(choice: Mapping[str, Any]) -> str:
    """Lay out a model's ladder of candidates, the simplest first."""
    rows = [
        (
            f"**{rung['candidate']}**" if rung["candidate"] == choice["candidate"] else rung["candidate"],
            rung["said"], number(rung["loss"]), number(rung["error"]),
        )
        for rung in choice["ladder"]
    ]  # fmt: skip
    return table(("candidate", "what was found", "loss", "standard error of its gain"), rows, texts=2)


def _standings(model: str, figures: Sequence[Figure]) -> str:
    """Order rows by the headline, the best first; the best model or rule of each column is bold."""
    figures = sorted(figures, key=lambda figure: figure.metric != HEADLINES[model])
    cells: dict[str, list[float | None]] = {_OURS: [figure.ours for figure in figures]}
    for rule in figures[0].baselines:
        cells[rule] = [figure.baselines.get(rule) for figure in figures]
    signs = [_SIGNS.get(figure.metric, 1) for figure in figures]
    best = [_best([row[place] for row in cells.values()], sign) for place, sign in enumerate(signs)]
    if figures[0].alike is not None:
        cells[_ALIKE] = [figure.alike for figure in figures]
    rows = [
        (name, _interval(figures[0], name), *(_cell(value, top) for value, top in zip(row, best, strict=True)))
        for name, row in cells.items()
    ]
    rows.sort(key=lambda row: -signs[0] * (cells[row[0]][0] or 0.0))
    titles = (f"{figure.metric} {'↑' if sign > 0 else '↓'}" for figure, sign in zip(figures, signs, strict=True))
    return table(("", f"95 % interval of {figures[0].metric}", *titles), rows)


def _interval(headline: Figure, name: str) -> str:
    if name == _OURS:
        return between(headline.low, headline.high)
    rule = headline.rules.get(name)
    return between(rule.low, rule.high) if rule else "–"


def _best(values: Sequence[float | None], sign: int) -> float | None:
    return max((value for value in values if value is not None), key=lambda value: sign * value, default=None)


def _cell(value: float | None, best: float | None) -> str:
    return f"**{number(value)}**" if value == best and value is not None else number(value)
