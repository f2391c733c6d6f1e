"""The picture of a bundle's health: calibration since it was deployed, and the features that moved most."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import altair as alt
import pandas as pd
import vl_convert

_INK, _QUIET, _ALARM = "#1f4e79", "#9aa5b1", "#c0392b"
_COLOURS = (_INK, "#d9822b", "#3a8f5c")
_MOST_FEATURES = 15
_SIDE = 300


def picture(answer: Mapping[str, Any]) -> str:
    """Draw what was said beside what came, by fifth of the customers, and drift beside its limits; as SVG."""
    parts = [
        *_calibrated(answer["checks"], "churn by fifth", "Risk of leaving: said and came", ".0%"),
        *_calibrated(answer["checks"], "value by fifth", "Value: said and came", ",.0f"),
        *_drifted(answer["checks"]),
    ]
    title = f"Version {answer['version']}, learned up to {answer['learned'][:10]}, as of {answer['as_of'][:10]}"
    note = "Each dot a fifth of the customers, bars its interval, dashed: as said" if len(parts) > 1 else ""
    drawn = alt.hconcat(*parts, spacing=40) if parts else _nothing()
    drawn = drawn.resolve_scale(color="independent").properties(title=alt.Title(title, subtitle=note, anchor="start"))
    return str(vl_convert.vegalite_to_svg(drawn.configure_view(stroke=None).to_json()))


def write(answer: Mapping[str, Any], drawn: str, folder: Path, now: datetime) -> tuple[Path, Path]:
    """Write picture and numbers into a folder, named by the moment, each whole or not at all; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    beside = folder / f"{now:%Y-%m-%dT%H%M%S}"
    files = (beside.with_suffix(".svg"), beside.with_suffix(".json"))
    numbers = json.dumps(answer, ensure_ascii=False, allow_nan=False, indent=2)
    for file, text in zip(files, (drawn, numbers), strict=True):
        part = file.with_name(f"{file.name}.part")
        part.write_text(text, encoding="utf-8")
        part.replace(file)
    return files


def _calibrated(checks: Sequence[Mapping[str, Any]], name: str, title: str, form: str) -> Iterator[Any]:
    points = pd.DataFrame(
        [
            {"whom": check["name"].split("(")[1].rstrip(")"), "said": group["said"]}
            | {part: group["came"][part] for part in ("of", "low", "high")}
            for check in checks
            if check["name"].startswith(name) and "fifths" in check["figures"]
            for group in check["figures"]["fifths"]
        ]
    )
    if points.empty:
        return
    edge = 1.05 * float(points[["said", "of", "high"]].to_numpy().max())
    scale, axis = alt.Scale(domain=[min(0.0, float(points["low"].min())), edge]), alt.Axis(format=form, tickCount=6)
    across, up = alt.X("said", title="said", scale=scale, axis=axis), alt.Y("of", title="came", scale=scale, axis=axis)
    whom = list(dict.fromkeys(points["whom"]))
    colours = alt.Scale(domain=whom, range=list(_COLOURS[: len(whom)]))
    colour = alt.Color("whom", title=None, scale=colours, legend=alt.Legend(orient="bottom"))
    line = alt.Chart(pd.DataFrame({"said": [0, edge], "of": [0, edge]}))
    yield alt.layer(
        line.mark_line(strokeDash=[4, 4], color=_QUIET).encode(across, up),
        alt.Chart(points).mark_rule(opacity=0.5, strokeWidth=2).encode(across, alt.Y("low"), alt.Y2("high"), colour),
        alt.Chart(points).mark_circle(size=60, opacity=1).encode(across, up, colour),
    ).properties(title=title, width=_SIDE, height=_SIDE)


def _drifted(checks: Sequence[Mapping[str, Any]]) -> Iterator[Any]:
    told = next((check["figures"].get("features") for check in checks if check["name"] == "feature drift"), None)
    if not told:
        return
    rows = pd.DataFrame(told[:_MOST_FEATURES])
    rows["reading"] = rows["beyond"].map({True: "drifted", False: "usual"})
    index = alt.X("index", title="population stability index; | its limit", axis=alt.Axis(tickCount=5))
    names = alt.Y("feature", title=None, sort=None, axis=alt.Axis(labelLimit=240))
    colours = alt.Scale(domain=["usual", "drifted"], range=[_QUIET, _ALARM])
    colour = alt.Color("reading", title=None, scale=colours, legend=alt.Legend(orient="bottom"))
    bars = alt.Chart(rows).mark_bar().encode(index, names, colour)
    limits = alt.Chart(rows).mark_tick(color="#333", thickness=2).encode(alt.X("limit"), names)
    yield alt.layer(bars, limits).properties(title="Features, the nearest to drift first", width=_SIDE, height=_SIDE)


def _nothing() -> Any:
    words = alt.Chart(pd.DataFrame({"said": ["Nothing can be drawn yet: no horizon has passed."]}))
    return alt.hconcat(words.mark_text(fontSize=14, align="left", x=0).encode(alt.Text("said")))
