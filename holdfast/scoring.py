"""`holdfast score`: the whole base, to Parquet."""

import os
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import typer

from features.errors import InputError
from holdfast.places import moment_or_now, opened
from holdfast.screen import bars, near, out, say_json, table

# LightGBM and the registry take seconds to import: the command does so when it runs.


def score(
    to: Annotated[Path | None, typer.Option(help="The Parquet file to write; data/scores by default.")] = None,
    as_of: Annotated[str | None, typer.Option(help="Score what was known by this moment.")] = None,
    version: Annotated[str, typer.Option(help="A bundle's version or alias.")] = "champion",
    threads: Annotated[int, typer.Option(min=1, help="How many threads to score with.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Score every customer: churn risk, value with its interval, tier, and next likely purchases.

    The champion's tiers of now become the tiers of record, which hold while a value wavers around a floor; scoring a
    past moment, or by another version, leaves them alone.

    Example: holdfast score --to base.parquet
    """
    from models.bundle import load
    from serving.bundle import fetch
    from serving.scorer import Scorer
    from serving.tiers import changes

    with opened() as (place, history, clock), bars() as tick:
        tick("Loading the bundle", 0, 1)
        scorer = Scorer(load(*fetch(place, version), threads=threads))
        tick("Loading the bundle", 1, 1)
        moment = moment_or_now(as_of, clock)
        tick("Reading the history", 0, 1)
        known = history.known_by(moment)
        tick("Reading the history", 1, 1)
        parts, changed = [], None
        for part in scorer.score_base(known):
            parts.append(part)
            tick("Scoring customers", sum(len(done) for done in parts), None)
        if to is not None and (to.is_dir() or not to.absolute().parent.is_dir()):
            raise InputError(f"expected --to as a file in a folder that is there, found {to}")
        target = to or place.data / "scores" / f"{moment:%Y-%m-%dT%H%M%S}.parquet"
        base = pl.concat(parts) if parts else None
        if base is not None:
            _write(base, target)
            if as_of is None and version == "champion":
                changed = history.append(changes(known, base), None).new
    if base is None:
        answer: dict[str, Any] = {"customers": 0, "file": None}
    else:
        answer = {
            "customers": len(base),
            "file": str(target),
            "as_of": moment.isoformat(),
            "bundle": scorer.bundle_hash,
            "tiers_changed": changed,
        }
    if as_json:
        say_json(answer)
    elif base is None:
        out.print("There is nobody to score yet: ingest some history first, with holdfast ingest PATH… --source NAME.")
    else:
        _show(base, target)
        if changed is not None:
            out.print(f"{changed:,} tiers of record were set or changed.")


def _write(base: pl.DataFrame, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(target.name + ".part")
    base.write_parquet(beside)
    os.replace(beside, target)


def _show(base: pl.DataFrame, target: Path) -> None:
    expected, risk = pl.col("expected_value"), pl.col("churn_risk")
    tiers = base.group_by("tier").agg(
        customers=pl.len(), value=expected.sum(), each=expected.mean(),
        active=pl.col("active").sum(), risk=risk.mean(), at_stake=(risk * expected).sum(),
    )  # fmt: skip
    rows = [
        (
            tier["tier"], f"{tier['customers']:,}", f"{tier['value']:,.0f}", f"{tier['active']:,}",
            "–" if tier["risk"] is None else f"{tier['risk']:.1%}", f"{tier['at_stake']:,.0f}",
        )
        for tier in tiers.sort("each", descending=True).iter_rows(named=True)
    ]  # fmt: skip
    columns = ("tier", "customers", "expected value", "active", "mean churn risk", "value at stake")
    out.print(table(f"{len(base):,} customers scored", columns, rows))
    out.print(f"Written to {near(target)}", soft_wrap=True)
