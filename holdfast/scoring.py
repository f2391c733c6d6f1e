"""`holdfast score`: the whole base, to Parquet, on one machine or on Spark."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import typer

from features.archive import completed
from features.events import Interaction
from features.home import home
from features.pacing import paced
from features.versions import Written
from holdfast.parts import Engine, archived, check_engine, check_target, on_spark, parted
from holdfast.places import glossary_of, opened
from holdfast.screen import AsJson, Tick, bars, basis, near, out, say_json, table

# LightGBM and the registry take seconds to import: the command does so when it runs.

Bundle = tuple[Path, str]


def score(
    to: Annotated[
        Path | None, typer.Option("--to", "--out", help="The Parquet file to write, with spark a folder; data/scores.")
    ] = None,
    events: Annotated[Path | None, typer.Option(help="Read this archive, as holdfast export writes it.")] = None,
    as_of: Annotated[str | None, typer.Option(help="Score what was known by this moment.")] = None,
    version: Annotated[str, typer.Option(help="A bundle's version or alias.")] = "champion",
    engine: Annotated[Engine, typer.Option(help="polars, or spark once make spark has added it.")] = Engine.polars,
    threads: Annotated[int, typer.Option(min=1, help="How many threads to score with; Spark has its own.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Score every customer: churn risk, value with its interval, tier, next likely purchases, and the terms that hold.

    From an archive customers are scored part by part, so that it may be larger than memory. On Spark the same bundle
    gives the same scores. The champion's tiers of now, scored from the store, become the tiers of record, which hold
    while a value wavers around a floor; scoring a past moment, an archive, or by another version leaves them alone.

    Example: holdfast score --to base.parquet

    Example: holdfast score --events archive --out scores --engine spark
    """
    from models.bundle import load
    from serving.bundle import fetch
    from serving.scorer import Scorer

    check_engine(engine)
    if to is not None:
        check_target(to, engine)
    with bars() as tick:
        tick("Loading the bundle", 0, 1)
        found = fetch(home(), version)
        scorer = Scorer(load(*found, threads=threads))
        tick("Loading the bundle", 1, 1)
        if engine is Engine.polars:
            at, target, customers = _with_polars(to, events, as_of, scorer, tick)
        else:
            at, target, customers = _with_spark(to, events, as_of, found, tick)
        recorded = events is None and as_of is None and version == "champion"
        changed = _record(target, at) if recorded and customers else None
    answer = {
        "customers": customers,
        "file": str(target),
        "as_of": at.isoformat(),
        "engine": engine.value,
        "bundle": scorer.bundle_hash,
        "basis": scorer.bundle.basis.as_dict(),
        "ranks_only": scorer.bundle.manifest.get("ranks_only", {}),
        "tiers_changed": changed,
    }
    if as_json:
        say_json(answer)
    elif not customers:
        out.print("There is nobody to score yet: ingest some history first, with holdfast ingest PATH… --source NAME.")
    else:
        _show(answer, target)


def _with_polars(
    to: Path | None, events: Path | None, as_of: str | None, scorer: Any, tick: Tick
) -> tuple[datetime, Path, int]:  # fmt: skip
    from serving.base import write_scores

    glossary = glossary_of(home())

    with parted(events, as_of, tick) as (parts, count, at):
        target = to or _default(at, ".parquet")

        def on_part(done: int, customers: int) -> None:
            tick("Scoring parts", done, count)
            tick("Customers scored", customers, None)

        tick("Scoring parts", 0, count)
        with completed(target) as made:
            return at, target, write_scores(parts, scorer, glossary, made, on_part)


def _with_spark(
    to: Path | None, events: Path | None, as_of: str | None, bundle: Bundle, tick: Tick
) -> tuple[datetime, Path, int]:  # fmt: skip
    from serving.spark import write_scores

    with archived(events, as_of, tick) as (archive, at):
        target = to or _default(at, "")
        with completed(target) as made:
            work = lambda spark: write_scores(spark, archive, at, *bundle, home().playbook / "glossary.toml", made)  # noqa: E731
            return at, target, on_spark("Scoring on Spark", tick, work)


def _record(target: Path, at: datetime) -> int:
    """Make the tiers of a file the tiers of record, part by part; returns how many were set or changed.

    Each part is known from its own writing on, or decisions made meanwhile would lack what was known by then. A run
    that breaks off has set some; the next one sets the rest, since it asks who has which tier already.
    """
    from serving.tiers import changes

    with opened() as (_, history, clock):
        scored = pl.read_parquet(target, columns=["customer", "tier"])

        def write(part: Sequence[Interaction]) -> Written:
            now = max(at, clock())
            return history.append([replace(one, recorded_at=now) for one in part], None)

        return sum(written.new for _, written in paced(changes(history.known_by(at), scored, at), write))


def _default(at: datetime, ending: str) -> Path:
    folder = home().data / "scores"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{at:%Y-%m-%dT%H%M%S}{ending}"


def _show(answer: Mapping[str, Any], target: Path) -> None:
    expected, risk = pl.col("expected_value"), pl.col("churn_risk")
    base = pl.scan_parquet(target / "*.parquet" if target.is_dir() else target)
    tiers = base.group_by("tier").agg(
        customers=pl.len(), value=expected.sum(), each=pl.coalesce(expected, "value_rank").mean(),
        active=pl.col("active").sum(), risk=risk.mean(), at_stake=(risk * expected).sum(),
    )  # fmt: skip
    ranks = answer["ranks_only"]
    rows = [
        (
            tier["tier"], f"{tier['customers']:,}", "–" if "value" in ranks else f"{tier['value']:,.0f}",
            f"{tier['active']:,}", "–" if tier["risk"] is None else f"{tier['risk']:.1%}",
            "–" if ranks else f"{tier['at_stake']:,.0f}",
        )
        for tier in tiers.sort("each", descending=True).collect().iter_rows(named=True)
    ]  # fmt: skip
    columns = ("tier", "customers", "expected value", "active", "mean churn risk", "value at stake")
    out.print(table(f"{answer['customers']:,} customers scored as of {answer['as_of'][:19]}", columns, rows))
    for model, why in ranks.items():
        out.print(f"{model.capitalize()}: {why}.")
    out.print(f"Basis: {basis(answer['basis'])}.")
    if answer["tiers_changed"] is not None:
        out.print(f"{answer['tiers_changed']:,} tiers of record were set or changed.")
    out.print(f"Written to {near(target)}", soft_wrap=True)
