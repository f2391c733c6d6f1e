"""The report on the history's quality: as tables, as a page, as JSON, and as a picture."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import altair as alt
import pandas as pd
import vl_convert

from features.definitions import BY_NAME
from features.drift import DRIFTED, MOVED, Drift
from features.quality import Lateness, Missing, Quality, Repeats

Table = tuple[str, tuple[str, ...], list[tuple[str, ...]]]
_ON_SCREEN, _IN_PICTURE = 15, 20
_COLOURS = {"steady": "#9aa5b1", "moved": "#d9a441", "drifted": "#c0392b"}
_LACKS = {
    "product": "product", "catalogue": "catalogue entry", "margin": "margin", "place": "place",
    "channel": "channel", "amount": "amount",
}  # fmt: skip


def tables(found: Quality, most: int = _ON_SCREEN) -> Iterator[Table]:
    """Lay the report out as titled tables for people, with the features that drifted most."""
    verdicts = [one.verdict for one in found.drift]
    yield (
        f"Drift from {found.start:%Y-%m-%d} ({found.before:,} customers) to {found.end:%Y-%m-%d} ({found.after:,}):"
        f" {verdicts.count('drifted')} features drifted, {verdicts.count('moved')} moved,"
        f" {verdicts.count('steady')} are steady; chance alone gives a PSI of about {found.chance:.2f}",
        ("feature", "PSI", "", "KS", "mean", "unknown"),
        [_drifted(one) for one in found.drift[:most]],
    )
    yield (
        f"Lateness of {found.events:,} events recorded in between",
        ("kind and channel", "events", "median", "90 %", "99 %", "later than a day", "from the future"),
        [_late(one) for one in found.lateness[:most]],
    )
    yield "Lacking", ("kind", "events", *_LACKS.values()), [_lacking(one) for one in found.missing]
    yield (
        "Same content as an event before it",
        ("kind", "events", "repeats", "share"),
        [_repeated(one) for one in found.repeats],
    )


def as_dict(found: Quality) -> dict[str, Any]:
    """The report for JSON: lateness in days, shares from 0 to 1."""
    drift = [
        {"feature": one.feature, "verdict": one.verdict, "sentence": _sentence(one.feature)} | asdict(one)
        for one in found.drift
    ]
    return asdict(found) | {"start": found.start.isoformat(), "end": found.end.isoformat(), "drift": drift}


def as_markdown(found: Quality) -> str:
    """The report as a page, with every feature."""
    lines = [f"# Data quality, {found.start:%Y-%m-%d %H:%M} – {found.end:%Y-%m-%d %H:%M} UTC"]
    for title, columns, rows in tables(found, len(found.drift)):
        head = [columns, ("---", *("---:" for _ in columns[1:]))]
        lines += ["", f"## {title}", "", *("| " + " | ".join(row) + " |" for row in (*head, *rows))]
    return "\n".join(lines) + "\n"


def write(found: Quality, drawn: str, folder: Path) -> tuple[Path, Path, Path]:
    """Write picture, page and numbers into a folder, named by the period's end, and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    beside = folder / f"{found.end:%Y-%m-%dT%H%M%S}"
    files = (beside.with_suffix(".svg"), beside.with_suffix(".md"), beside.with_suffix(".json"))
    texts = (drawn, as_markdown(found), json.dumps(as_dict(found), ensure_ascii=False, allow_nan=False, indent=2))
    for file, text in zip(files, texts, strict=True):
        file.write_text(text, encoding="utf-8")
    return files


def picture(found: Quality) -> str:
    """Draw the features that drifted most, and what each kind of event lacks, as SVG."""
    both = alt.hconcat(_drift_bars(found), _lacking_squares(found), spacing=40).resolve_scale(color="independent")
    return str(vl_convert.vegalite_to_svg(both.configure_view(stroke=None).to_json()))


def _drift_bars(found: Quality) -> Any:
    most = found.drift[:_IN_PICTURE]
    rows = pd.DataFrame({"feature": [one.feature for one in most], "index": [one.index for one in most],
                         "reading": [one.verdict for one in most]})  # fmt: skip
    index = alt.X(
        "index",
        title="population stability index (root scale)",
        scale=alt.Scale(type="sqrt"),
        axis=alt.Axis(tickCount=5),
    )
    colours = alt.Scale(domain=list(_COLOURS), range=list(_COLOURS.values()))
    bars = alt.Chart(rows).mark_bar().encode(
        index, alt.Y("feature", title=None, sort=None),
        alt.Color("reading", title=None, scale=colours, legend=alt.Legend(orient="bottom")),
    )  # fmt: skip
    limits = alt.Chart(pd.DataFrame({"index": [MOVED, DRIFTED]}))
    rules = limits.mark_rule(strokeDash=[4, 4], color="#333").encode(index)
    names = limits.mark_text(dy=-8, baseline="bottom", color="#333").encode(index, alt.Text("index"), y=alt.value(0))
    title = f"Drift, {found.start:%Y-%m-%d} to {found.end:%Y-%m-%d}"
    return alt.layer(bars, rules, names).properties(title=title, width=420, height=20 * len(most))


def _lacking_squares(found: Quality) -> Any:
    cells = [
        {"kind": one.kind, "lacks": name, "share": getattr(one, field)}
        for one in found.missing
        for field, name in _LACKS.items()
    ]
    rows = pd.DataFrame(cells, columns=["kind", "lacks", "share"]).dropna()
    places = (
        alt.X("lacks", title=None, sort=list(_LACKS.values()), axis=alt.Axis(orient="top", labelAngle=-35)),
        alt.Y("kind", title=None, sort=None),
    )
    share = alt.Color("share", scale=alt.Scale(domain=[0, 1], range=["#fdf3e7", "#a63603"]), legend=None)
    squares = alt.Chart(rows).mark_rect().encode(*places, share)
    ink = alt.when(alt.datum["share"] > 0.6).then(alt.value("white")).otherwise(alt.value("#333"))
    texts = alt.Chart(rows).mark_text().encode(*places, alt.Text("share", format=".1%"), color=ink)
    title = f"What {found.events:,} events lack, as a share of their kind"
    return alt.layer(squares, texts).properties(title=title, width=330, height=28 * len(found.missing))


def _drifted(one: Drift) -> tuple[str, ...]:
    unit = BY_NAME[one.feature].unit
    means = [_mean(mean, unit) for mean in (one.mean_before, one.mean_after)]
    distance = "–" if one.distance is None else f"{one.distance:.2f}"
    unknown = f"{one.unknown_before:.0%} → {one.unknown_after:.0%}"
    return one.feature, f"{one.index:.2f}", one.verdict, distance, " → ".join(means), unknown


def _mean(mean: float | None, unit: str) -> str:
    if mean is None:
        return "–"
    if unit == "share":
        return f"{mean:.1%}"
    return f"{mean:,.2f}" if abs(mean) < 100 else f"{mean:,.0f}"


def _late(one: Lateness) -> tuple[str, ...]:
    spans = (_span(days) for days in (one.median, one.ninetieth, one.ninety_ninth))
    return f"{one.kind}, {one.channel}", f"{one.events:,}", *spans, f"{one.late:.1%}", f"{one.future:.1%}"


def _lacking(one: Missing) -> tuple[str, ...]:
    shares = (getattr(one, field) for field in _LACKS)
    return one.kind, f"{one.events:,}", *("–" if share is None else f"{share:.1%}" for share in shares)


def _repeated(one: Repeats) -> tuple[str, ...]:
    return one.kind, f"{one.events:,}", f"{one.repeats:,}", f"{one.share:.1%}"


def _span(days: float) -> str:
    for unit, length in (("d", 1.0), ("h", 1 / 24), ("min", 1 / 1440)):
        if abs(days) >= length:
            return f"{days / length:,.1f} {unit}"
    return f"{days * 86_400:,.0f} s"


def _sentence(feature: str) -> str:
    return BY_NAME[feature].en.removesuffix(": {value}")
