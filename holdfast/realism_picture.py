"""The page of pictures that lays a simulated world beside real data."""

from collections.abc import Sequence
from typing import Any

import altair as alt
import pandas as pd
import vl_convert

from world.realism import ACTIVE, DAYS_BOUGHT, GAPS, HORIZON, PLACES, Measured

_COLOURS = ("#d9822b", "#1f4e79", "#3a8f5c", "#a6476b", "#7d6bb0", "#5f9ea0")
_SIZE = {"width": 330, "height": 230}


def page(sets: Sequence[Measured]) -> str:
    """Draw gaps, concentration, repeats and labels of some sets, the simulated one first; as SVG."""
    names = [one.name for one in sets]
    colour = alt.Color(
        "set", title=None, scale=alt.Scale(domain=names, range=list(_COLOURS[: len(names)])),
        legend=alt.Legend(orient="top", labelLimit=260, columns=4),
    )  # fmt: skip
    above = alt.hconcat(_gaps(sets, colour), _lorenz(sets, colour), spacing=50)
    below = alt.hconcat(_repeats(sets, colour), _lapses(sets, colour), spacing=50)
    drawn = alt.vconcat(above, below, spacing=40).properties(
        title=alt.Title(
            f"{names[0]}, beside real sets",
            subtitle="Purchases that are chosen; the simulated operator's monthly bills are left out",
            anchor="start",
        )
    )
    return str(vl_convert.vegalite_to_svg(drawn.configure_view(stroke=None).to_json()))


def _gaps(sets: Sequence[Measured], colour: alt.Color) -> Any:
    rows = [
        {"set": one.name, "days": days, "share": share}
        for one in sets
        for days, share in zip(GAPS, one.gaps, strict=True)
    ]
    across = alt.X(
        "days",
        title="Days, up to",
        scale=alt.Scale(type="log", domain=[1, GAPS[-1]], nice=False),
        axis=alt.Axis(values=[1, 3, 7, 14, 28, 56, 168]),
    )
    return _lines(
        rows,
        across,
        alt.Y("share", title="Share of gaps", axis=alt.Axis(format="%")),
        colour,
        "Gaps between purchase days",
    )


def _lorenz(sets: Sequence[Measured], colour: alt.Color) -> Any:
    rows = [
        {"set": one.name, "customers": place, "share": share}
        for one in sets
        for place, share in zip(PLACES, one.captured, strict=True)
    ]
    across = alt.X("customers", title="Share of customers, from the top", axis=alt.Axis(format="%"))
    return _lines(
        rows, across, alt.Y("share", title="Share of what is spent", axis=alt.Axis(format="%")), colour, "Concentration"
    )


def _lines(rows: list[dict[str, Any]], across: alt.X, up: alt.Y, colour: alt.Color, title: str) -> Any:
    return (
        alt.Chart(pd.DataFrame(rows))
        .mark_line(strokeWidth=2)
        .encode(across, up, colour)
        .properties(title=title, **_SIZE)
    )


def _repeats(sets: Sequence[Measured], colour: alt.Color) -> Any:
    rows = [
        {"set": one.name, "days": f"{days} or more", "share": share}
        for one in sets
        for days, share in zip(DAYS_BOUGHT, one.repeats, strict=True)
    ]
    order = [f"{days} or more" for days in DAYS_BOUGHT]
    across = alt.X("days", title="Purchase days", sort=order, axis=alt.Axis(labelAngle=0))
    return _bars(rows, across, "Share of customers", colour, "Repeats")


def _lapses(sets: Sequence[Measured], colour: alt.Color) -> Any:
    rows = [
        {"set": one.name, "label": label, "share": float(found.mean())}
        for one in sets
        for label, found in (("bought nothing", one.lapses), ("ended a contract", one.ends))
        if found.any()
    ]
    across = alt.X(
        "label", title=f"In {HORIZON} days, of those active in the {ACTIVE} before", axis=alt.Axis(labelAngle=0)
    )
    return _bars(rows, across, "Share, mean of up to six moments", colour, "Labels")


def _bars(rows: list[dict[str, Any]], across: alt.X, title: str, colour: alt.Color, name: str) -> Any:
    up = alt.Y("share", title=title, axis=alt.Axis(format="%"))
    bars = alt.Chart(pd.DataFrame(rows)).encode(across, up, xOffset=alt.XOffset("set", sort=None))
    said = bars.mark_text(dy=-5, fontSize=8).encode(alt.Text("share", format=".0%"))
    return alt.layer(bars.mark_bar().encode(colour), said).properties(title=name, **_SIZE)
