"""The picture of a what-if, as SVG: who gains and loses each offer, and what each brings before and after."""

from collections.abc import Mapping
from typing import Any

_SHOWN = 20
_COLOURS = {"gain it": "#3a8f5c", "lose it": "#a6476b", "before": "#9aa5b1", "after": "#1f4e79"}


def drawn(answer: Mapping[str, Any]) -> str:
    """Draw an answer; at most twenty offers, those that move most customers."""
    import altair as alt
    import pandas as pd
    import vl_convert

    most = sorted(answer["offers"], key=lambda one: (-one["gained"] - one["lost"], -one["after"], one["offer"]))[
        :_SHOWN
    ]
    names = [one["offer"] for one in most]
    flows = pd.DataFrame(
        [
            {"offer": one["offer"], "side": side, "customers": sign * one[name]}
            for one in most
            for side, name, sign in (("gain it", "gained", 1), ("lose it", "lost", -1))
        ]
    )
    profits = pd.DataFrame(
        [
            {"offer": one["offer"], "side": side, "profit": one[f"profit_{side}"]}
            for one in most
            for side in ("before", "after")
        ]
    )

    def panel(frame: pd.DataFrame, across: Any, sides: list[str], title: str, **offset: Any) -> Any:
        scale = alt.Scale(domain=sides, range=[_COLOURS[side] for side in sides])
        colour = alt.Color("side", title=None, scale=scale, legend=alt.Legend(orient="top"))
        up = alt.Y("offer", title=None, sort=names, axis=alt.Axis(labelLimit=260))
        return alt.Chart(frame).mark_bar().encode(across, up, colour, **offset).properties(
            width=330, height=30 * len(names), title=alt.Title(title, anchor="start", fontSize=12)
        )  # fmt: skip

    gained = alt.X("customers", title="Customers", axis=alt.Axis(format="~s", tickCount=5))
    brought = alt.X("profit", title=f"Expected profit, {answer['currency']}", axis=alt.Axis(format="~s", tickCount=5))
    offset = alt.YOffset("side", sort=["before", "after"])
    both = alt.hconcat(
        panel(flows, gained, ["gain it", "lose it"], "Who gains and who loses each offer"),
        panel(profits, brought, ["before", "after"], "What each offer is expected to bring", yOffset=offset),
        spacing=40,
    ).resolve_scale(color="independent", y="independent")
    titled = both.properties(
        title=alt.Title("What if: the new playbook against the old (simulated)", subtitle=_note(answer), anchor="start")
    )
    return str(vl_convert.vegalite_to_svg(titled.configure_view(stroke=None).to_json()))


def _note(answer: Mapping[str, Any]) -> list[str]:
    gain = answer["profit"]["gain"]
    shown = min(len(answer["offers"]), _SHOWN)
    return [
        f"{answer['decided']:,} customers decided for over {answer['channel']}; {answer['moved']:,} are offered"
        f" something else; expected gain {gain['expected']:,.0f} ({gain['low']:,.0f} to {gain['high']:,.0f})"
        f" {answer['currency']}",
        f"Effects: {answer['effects']}; nothing was measured. {shown} of {len(answer['offers'])} offers, most moved"
        " first",
    ]
