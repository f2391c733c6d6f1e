"""The pictures that go with a trained bundle, as SVG."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import vl_convert

from features.feature import Array
from training.metrics import Campaign, Ranked

_SIZE = {"width": 460, "height": 320}
_PLACES = np.linspace(0.0, 1.0, 101)
_INK = "#1f4e79"
_COLOURS = (_INK, "#d9822b", "#3a8f5c", "#a6476b", "#7d6bb0", "#5f9ea0", "#b8a038")
_QUIET = "#9aa5b1"
_NORMAL = 1.96


def reliability(lapsed: Array, risk: Array) -> str:
    """Draw how often customers lapsed against the risk predicted, in ten groups of equal size.

    Bars are Wilson's 95 % intervals of the share that lapsed (Wilson 1927).
    """
    bins = [part for part in np.array_split(np.argsort(risk, kind="stable"), 10) if len(part)]
    points = pd.DataFrame([_point(lapsed[part], float(risk[part].mean())) for part in bins])
    edge = min(1.0, float(points.to_numpy().max()) * 1.05)
    scale = alt.Scale(domain=[0, edge])
    across = alt.X("predicted", title="Churn risk predicted", scale=scale, axis=alt.Axis(format="%"))
    up = alt.Y("happened", title="Share that lapsed", scale=scale, axis=alt.Axis(format="%"))
    diagonal = alt.Chart(pd.DataFrame({"predicted": [0, edge], "happened": [0, edge]}))
    drawn = alt.layer(
        diagonal.mark_line(strokeDash=[4, 4], color=_QUIET).encode(across, up),
        alt.Chart(points)
        .mark_rule(color=_INK, opacity=0.4, strokeWidth=2)
        .encode(across, alt.Y("low"), alt.Y2("high")),
        alt.Chart(points).mark_circle(color=_INK, size=60, opacity=1).encode(across, up),
    )
    note = (
        f"Ten groups of about {len(risk) // max(len(bins), 1):,} customers; bars: 95 % intervals; dashed: as predicted"
    )
    return _svg(drawn, "Churn: predicted and happened", note)


def lorenz(value: Array, predictions: Mapping[str, Array]) -> str:
    """Draw the share of value that each order captures, from the customer ranked first to the last."""
    orders = {**predictions, "perfect order": value, "any order": np.zeros(len(value))}
    curves = pd.concat(_captured(name, value, scores) for name, scores in orders.items())
    up = alt.Y("captured", title="Share of value captured", axis=alt.Axis(format="%"), scale=alt.Scale(domain=[0, 1]))
    drawn = _lines(curves, list(predictions), ["perfect order", "any order"], up)
    return _svg(drawn, "Value: what each order captures", "Customers ranked by expected value, on the test window")


def profit(lapsed: Array, risks: Mapping[str, Array], campaign: Campaign) -> str:
    """Draw the profit a customer of contacting shares of them, the highest risk first.

    A dot marks each one's own share: those for whom its risk says that a contact pays.
    """
    gained = campaign.profit(lapsed)
    curves = pd.concat(_profit(name, gained, risk) for name, risk in risks.items())
    anyone = pd.DataFrame({"customers": _PLACES, "profit": _PLACES * gained.mean(), "order": "any order"})
    dots = pd.DataFrame([_dot(name, gained, risk, campaign) for name, risk in risks.items()])
    up = alt.Y("profit", title="Profit a customer, in contacts' cost")
    lines = _lines(pd.concat([curves, anyone]), list(risks), ["any order"], up)
    marks = alt.Chart(dots).mark_point(size=80, filled=True, opacity=1, stroke="white").encode(
        _ACROSS, alt.Y("profit"), _colour(list(risks), ["any order"])
    )  # fmt: skip
    note = (
        f"Assumed: a contact costs {campaign.cost:g}, keeping a customer brings {campaign.benefit:g}, and it works on"
        f" {100 * campaign.success:g} % of those who would leave"
    )
    return _svg(alt.layer(lines, marks), "Churn: profit by the share of customers contacted", note)


def importance(title: str, shares: Mapping[str, float]) -> str:
    """Draw the share of each feature in a model's splits, the fifteen largest."""
    largest = sorted(shares.items(), key=lambda item: -item[1])[:15]
    bars = alt.Chart(pd.DataFrame(largest, columns=["feature", "share"])).encode(
        alt.X("share", title="Share of gain", axis=alt.Axis(format="%")),
        alt.Y("feature", title=None, sort=None, axis=alt.Axis(labelLimit=320)),
    )
    said = bars.mark_text(align="left", dx=4).encode(alt.Text("share", format=".1%"))
    note = f"The {len(largest)} largest of {len(shares)} features"
    return _svg(alt.layer(bars.mark_bar(color=_INK), said), title, note)


_ACROSS = alt.X("customers", title="Share of customers, from the top", axis=alt.Axis(format="%"))


def _point(lapsed: Array, predicted: float) -> dict[str, float]:
    count, share = len(lapsed), float(lapsed.mean())
    centre = (share + _NORMAL**2 / (2 * count)) / (1 + _NORMAL**2 / count)
    reach = _NORMAL * np.sqrt(share * (1 - share) / count + (_NORMAL / (2 * count)) ** 2) / (1 + _NORMAL**2 / count)
    return {"predicted": predicted, "happened": share, "low": max(0.0, centre - reach), "high": centre + reach}


def _captured(name: str, value: Array, scores: Array) -> pd.DataFrame:
    captured = Ranked.of(value, scores).under(np.ones(len(value))).captured(_PLACES)
    return pd.DataFrame({"customers": _PLACES, "captured": captured / max(value.sum(), 1e-9), "order": name})


def _profit(name: str, gained: Array, risk: Array) -> pd.DataFrame:
    summed = Ranked.of(gained, risk).under(np.ones(len(risk))).captured(_PLACES)
    return pd.DataFrame({"customers": _PLACES, "profit": summed / len(risk), "order": name})


def _dot(name: str, gained: Array, risk: Array, campaign: Campaign) -> dict[str, Any]:
    pays = campaign.pays(risk)
    return {"customers": float(pays.mean()), "profit": float((pays * gained).mean()), "order": name}


def _lines(curves: pd.DataFrame, orders: Sequence[str], beside: Sequence[str], up: alt.Y) -> Any:
    """Draw ours thick, the rules thin, and what no model can reach or must beat dashed."""
    ours, quiet = alt.datum["order"] == orders[0], alt.FieldOneOfPredicate("order", list(beside))
    return alt.Chart(curves).mark_line().encode(
        _ACROSS, up, _colour(orders, beside),
        strokeWidth=alt.when(ours).then(alt.value(3.0)).otherwise(alt.value(1.5)),
        strokeDash=alt.when(quiet).then(alt.value([4, 4])).otherwise(alt.value([1, 0])),
    )  # fmt: skip


def _colour(orders: Sequence[str], beside: Sequence[str]) -> alt.Color:
    colours = [_COLOURS[place % len(_COLOURS)] for place in range(len(orders))]
    scale = alt.Scale(domain=[*orders, *beside], range=[*colours, *(_QUIET for _ in beside)])
    return alt.Color("order", title=None, scale=scale)


def _svg(chart: Any, title: str, note: str) -> str:
    titled = chart.properties(title=alt.Title(title, subtitle=note, anchor="start"), **_SIZE)
    return str(vl_convert.vegalite_to_svg(titled.configure_view(stroke=None).to_json()))
