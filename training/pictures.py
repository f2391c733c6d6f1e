"""The pictures that go with a trained bundle, as SVG."""

from collections.abc import Mapping
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import vl_convert

from features.feature import Array

_SIZE = {"width": 420, "height": 300}


def reliability(lapsed: Array, risk: Array) -> str:
    """Draw how often customers lapsed against the risk predicted, in ten groups of equal size."""
    bins = [part for part in np.array_split(np.argsort(risk, kind="stable"), 10) if len(part)]
    points = pd.DataFrame(
        {"predicted": [risk[part].mean() for part in bins], "happened": [lapsed[part].mean() for part in bins]}
    )
    edge = float(max(points.max())) * 1.05
    scale = alt.Scale(domain=[0, edge])
    diagonal = alt.Chart(pd.DataFrame({"predicted": [0, edge], "happened": [0, edge]})).mark_line(
        strokeDash=[4, 4], color="#888"
    )
    marks = alt.Chart(points).mark_line(point=True)
    drawn = [
        layer.encode(
            alt.X("predicted", title="Churn risk predicted", scale=scale, axis=alt.Axis(format="%")),
            alt.Y("happened", title="Share that lapsed", scale=scale, axis=alt.Axis(format="%")),
        )
        for layer in (diagonal, marks)
    ]
    return _svg(alt.layer(*drawn).properties(title="Churn: predicted and happened", **_SIZE))


def lorenz(value: Array, predictions: Mapping[str, Array]) -> str:
    """Draw the share of value that each order captures, from the customer ranked first to the last."""
    orders = {**predictions, "perfect order": value, "any order": np.zeros(len(value))}
    curves = pd.concat(_captured(name, value, scores) for name, scores in orders.items())
    drawn = (
        alt.Chart(curves)
        .mark_line()
        .encode(
            alt.X("customers", title="Share of customers, best first", axis=alt.Axis(format="%")),
            alt.Y(
                "captured", title="Share of value captured", axis=alt.Axis(format="%"), scale=alt.Scale(domain=[0, 1])
            ),
            alt.Color("order", title=None, sort=list(orders)),
            opacity=alt.when(alt.FieldOneOfPredicate("order", list(predictions)))
            .then(alt.value(1.0))
            .otherwise(alt.value(0.35)),
        )
    )
    return _svg(drawn.properties(title="Value: what each order captures", **_SIZE))


def importance(title: str, shares: Mapping[str, float]) -> str:
    """Draw the share of each feature in a model's splits, the fifteen largest."""
    largest = sorted(shares.items(), key=lambda item: -item[1])[:15]
    table = pd.DataFrame(largest, columns=["feature", "share"])
    drawn = alt.Chart(table).mark_bar().encode(
        alt.X("share", title="Share of gain", axis=alt.Axis(format="%")), alt.Y("feature", title=None, sort=None)
    )  # fmt: skip
    return _svg(drawn.properties(title=title, **_SIZE))


def _captured(name: str, value: Array, scores: Array) -> pd.DataFrame:
    level = scores.std() == 0
    ordered = np.full(len(value), value.mean()) if level else value[np.argsort(-scores, kind="stable")]
    places = np.unique(np.linspace(0, len(value), 101).astype(int))
    captured = np.concatenate([[0.0], np.cumsum(ordered)])[places] / max(value.sum(), 1e-9)
    return pd.DataFrame({"customers": places / len(value), "captured": captured, "order": name})


def _svg(chart: Any) -> str:
    return str(vl_convert.vegalite_to_svg(chart.to_json()))
